// Rows of text as an aligned table, or as comma-separated values.
#pragma once

#include <string>
#include <vector>

namespace ioasim::scenarios {

using Cells = std::vector<std::string>;

enum class Align { left, right };

// One line a row, each cell as wide as its column; two blanks between, none at the end.
std::string aligned(const std::vector<Cells>& rows, const std::vector<Align>& columns);

// RFC 4180: lines end with CR LF; what holds a comma, a quote or a line break is quoted.
std::string csv(const std::vector<Cells>& rows);

}  // namespace ioasim::scenarios
