#include "base/byte_lanes.hpp"

#include <gmock/gmock.h>

#include <array>

namespace ioasim {
namespace {

struct alignas(16) Lanes : std::array<std::uint8_t, byte_lanes> {};

// Lanes first, first + step, and so on, modulo `limit`.
Lanes pattern(unsigned first, unsigned step, unsigned limit) {
  Lanes lanes{};
  for (unsigned i = 0; i < byte_lanes; ++i) {
    lanes[i] = static_cast<std::uint8_t>((first + i * step) % limit);
  }
  return lanes;
}

TEST(ByteLanes, EqualMarksEveryLaneOfThatValueAndNoOther) {
  for (const unsigned step : {0u, 1u, 3u, 17u, 64u, 128u}) {
    for (unsigned first = 0; first < 256; ++first) {
      const Lanes lanes = pattern(first, step, 256);
      for (unsigned value = 0; value < 256; ++value) {
        std::uint32_t expected = 0;
        for (unsigned i = 0; i < byte_lanes; ++i) {
          if (lanes[i] == value) expected |= 1u << i;
        }
        ASSERT_EQ(lanes_equal(lanes.data(), static_cast<std::uint8_t>(value)), expected)
            << "step " << step << " first " << first << " value " << value;
      }
    }
  }
}

TEST(ByteLanes, ToFrontMakesOneRankTheFirstAndRaisesThoseBeforeIt) {
  for (const unsigned step : {0u, 1u, 5u, 8u}) {
    for (unsigned first = 0; first < 128; ++first) {
      for (unsigned rank = 0; rank < 128; ++rank) {
        const Lanes before = pattern(first, step, 128);
        Lanes after = before;
        lanes_to_front(after.data(), static_cast<std::uint8_t>(rank));
        for (unsigned i = 0; i < byte_lanes; ++i) {
          const auto expected = before[i] == rank  ? 0u
                                : before[i] < rank ? before[i] + 1u
                                                   : before[i];
          ASSERT_EQ(after[i], expected) << "lane " << unsigned{before[i]} << " rank " << rank;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ioasim
