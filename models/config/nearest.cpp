#include "config/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ioasim::config {
namespace {

constexpr std::size_t offers_max = 3;
constexpr std::size_t listed_max = 12;

// Damerau-Levenshtein distance, restricted form: no substring is edited twice.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

bool ends_with_path(std::string_view path, std::string_view tail) {
  return path.size() > tail.size() && path.ends_with(tail) &&
         path[path.size() - tail.size() - 1] == '.';
}

}  // namespace

std::vector<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  const std::size_t reach = std::max<std::size_t>(1, (word.size() + 1) / 3);
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const auto& candidate : known) {
    const auto far = ends_with_path(candidate, word) ? 1 : distance(word, candidate);
    if (far <= reach && far < std::max<std::size_t>(word.size(), 1)) {
      found.emplace_back(far, candidate);
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (const auto& [far, name] : found) {
    if (names.size() == offers_max || far > found.front().first) break;
    names.push_back(name);
  }
  return names;
}

std::string offer(std::string_view word, const std::vector<std::string>& known) {
  const auto near = nearest(word, known);
  if (!near.empty()) return fmt::format("; did you mean {}?", fmt::join(near, " or "));
  if (known.empty()) return "; there are none";
  if (known.size() <= listed_max) return fmt::format("; known: {}", fmt::join(known, ", "));
  const auto closest = std::min_element(known.begin(), known.end(), [&](auto& a, auto& b) {
    return distance(word, a) < distance(word, b);
  });
  return fmt::format("; the nearest is {}", *closest);
}

}  // namespace ioasim::config
