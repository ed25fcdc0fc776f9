#include "memory/address_map.hpp"

#include <gmock/gmock.h>

namespace ioasim::memory {
namespace {

using testing::Optional;
constexpr auto nobody = std::nullopt;

AddressMap example() {
  AddressMap map;
  map.add({Hpa{0x8000'0000}, 0x1000'0000}, 2);
  map.add({Hpa{0}, 0x8000'0000}, 1);
  map.add({Hpa{0xfed9'0000}, 0x1000}, 3);
  return map;
}

TEST(AddressMap, FindsThePortOfEachByteOfARange) {
  const auto map = example();
  EXPECT_THAT(map.find({Hpa{0}, 1}), Optional(1u));
  EXPECT_THAT(map.find({Hpa{0x7fff'ffff}, 1}), Optional(1u));
  EXPECT_THAT(map.find({Hpa{0x8000'0000}, 1}), Optional(2u));
  EXPECT_THAT(map.find({Hpa{0x8fff'ffff}, 1}), Optional(2u));
  EXPECT_THAT(map.find({Hpa{0xfed9'0ffc}, 4}), Optional(3u));
}

TEST(AddressMap, NobodyAnswersInTheGaps) {
  const auto map = example();
  EXPECT_EQ(map.find({Hpa{0x9000'0000}, 1}), nobody);
  EXPECT_EQ(map.find({Hpa{0xfed9'1000}, 1}), nobody);
  EXPECT_EQ(map.find({Hpa{0xfed8'ffff}, 1}), nobody);
  EXPECT_EQ(map.find({Hpa{~0ull}, 1}), nobody);
  EXPECT_EQ(AddressMap{}.find({Hpa{0}, 1}), nobody);
}

// Adjacent ports do not make one target.
TEST(AddressMap, NobodyAnswersToAnAccessThatCrossesAnEdge) {
  const auto map = example();
  EXPECT_EQ(map.find({Hpa{0x7fff'ffff}, 2}), nobody);
  EXPECT_EQ(map.find({Hpa{0xfed9'0ffd}, 4}), nobody);
  EXPECT_EQ(map.find({Hpa{0xfed8'ffff}, 2}), nobody);
}

TEST(AddressMap, RefusesAnOverlap) {
  for (const std::uint64_t base : {0x7fff'ffffull, 0x8000'0000ull, 0x8fff'ffffull}) {
    EXPECT_EXIT(
        {
          auto map = example();
          map.add({Hpa{base}, 2}, 9);
        },
        testing::ExitedWithCode(3), "");
  }
}

}  // namespace
}  // namespace ioasim::memory
