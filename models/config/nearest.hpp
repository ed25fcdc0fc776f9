// What the user may have meant by a word that is not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ioasim::config {

// Up to three of the known words, all equally near: those within a third of the word's length by
// edit distance (a swap of neighbours counts as one edit), and dotted paths that end with it.
std::vector<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

// "; did you mean a or b?", else "; known: a, b, c", to follow "unknown ...".
std::string offer(std::string_view word, const std::vector<std::string>& known);

}  // namespace ioasim::config
