// Results that are kept in the tree: a test compares with them exactly. GOLDEN_UPDATE=1 in the
// environment rewrites them instead; whoever does that reviews the difference.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace ioasim::test {

// One row, claim or metric a line, so that a difference can be read. Still the same JSON: nothing
// that a report says in words contains "},".
inline std::string in_lines(std::string json) {
  for (std::size_t at = 0; (at = json.find("},", at)) != std::string::npos; at += 3) {
    json.insert(at + 2, "\n");
  }
  return json;
}

// Tests run from the top of the repository; `path` is relative to it.
inline void expect_golden(const std::string& path, const std::string& text) {
  const char* const update = std::getenv("GOLDEN_UPDATE");
  if (update != nullptr && std::string{update} == "1") {
    std::ofstream{path} << text;
    return;
  }
  std::ifstream file{path};
  ASSERT_TRUE(file.is_open()) << path << " is missing: GOLDEN_UPDATE=1 makes it";
  std::ostringstream kept;
  kept << file.rdbuf();
  EXPECT_EQ(kept.str(), text) << path << " differs; if it should, GOLDEN_UPDATE=1 rewrites it";
}

}  // namespace ioasim::test
