#include "base/format.hpp"

#include <gmock/gmock.h>

namespace ioasim {
namespace {

// As Linux prints them: hexadecimal, two digits of bus and device, one of function.
TEST(Format, RequesterIds) {
  const std::pair<RequesterId, std::string_view> table[]{
      {RequesterId::of(0, 0, 0), "0000:00:00.0"},
      {RequesterId::of(0x3b, 0, 1), "0000:3b:00.1"},
      {RequesterId::of(0x0a, 0x1f, 7), "0000:0a:1f.7"},
      {RequesterId::of(255, 31, 7), "0000:ff:1f.7"}};
  for (const auto& [id, text] : table) EXPECT_EQ(to_text(id), text);
}

}  // namespace
}  // namespace ioasim
