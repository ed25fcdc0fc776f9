// Keys over the slices of an array, and over the sets of a slice.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "base/tag_array.hpp"

namespace ioasim {
namespace {

std::uint32_t set_of(const TagArray& array, std::uint64_t key) {
  return array.slice_of(key) * array.sets_per_slice() +
         static_cast<std::uint32_t>(key % array.sets_per_slice());
}

// Least and most of `count` keys, `stride` apart, that fall into one place of `places`.
template <class Place>
std::pair<unsigned, unsigned> spread(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                                     unsigned places, Place place) {
  std::vector<unsigned> keys(places);
  for (std::uint64_t i = 0; i < count; ++i) ++keys.at(place(first + i * stride));
  const auto [least, most] = std::minmax_element(keys.begin(), keys.end());
  return {*least, *most};
}

TEST(Slices, AKeyIsFoundInItsSetOfItsSlice) {
  for (const auto slices : {1u, 2u, 8u, 18u, 64u}) {
    TagArray array{{16, slices, 4}};
    EXPECT_EQ(array.slots(), 64 * slices);
    EXPECT_EQ(array.slices(), slices);
    EXPECT_EQ(array.sets_per_slice(), 16u);
    EXPECT_EQ(array.sets(), 16 * slices);
    for (std::uint64_t key = 0; key < 5000; key += 7) {
      const auto slot = array.victim(key);
      array.fill(slot, key);
      ASSERT_EQ(slot / 4, set_of(array, key));
      ASSERT_EQ(array.find(key), slot);
    }
  }
}

TEST(Slices, PowersOfTwoShareAlignedRunsExactly) {
  Prng prng{1, "slices"};
  for (const auto slices : {2u, 4u, 8u, 16u, 32u, 64u}) {
    for (const auto sets : {1u, 2u, 64u, 2048u}) {
      const TagArray array{{sets, slices, 1}};
      const auto slice = [&](std::uint64_t key) { return array.slice_of(key); };
      const auto set = [&](std::uint64_t key) { return set_of(array, key); };
      for (int i = 0; i < 8; ++i) {
        const auto all = std::uint64_t{sets} * slices;
        EXPECT_EQ(spread(prng.next() / all * all, all, 1, sets * slices, set), std::pair(1u, 1u));
        for (auto run = std::uint64_t{slices}; run < all; run *= 2) {
          const auto each = static_cast<unsigned>(run / slices);
          EXPECT_EQ(spread(prng.next() / run * run, run, 1, slices, slice), std::pair(each, each));
        }
      }
    }
  }
}

// Columns of a matrix, entries of a page table: 64 keys a slice, a power of two apart.
TEST(Slices, TakeEvenSharesOfStrides) {
  for (const auto slices : {4u, 8u, 18u}) {
    const TagArray array{{2048, slices, 1}};
    for (unsigned shift = 0; shift <= 40; ++shift) {
      const auto [least, most] = spread(0, 64 * slices, 1ull << shift, slices,
                                        [&](auto key) { return array.slice_of(key); });
      EXPECT_GE(least, slices == 18 ? 54u : 64u) << slices << " slices, stride 2^" << shift;
      EXPECT_LE(most, slices == 18 ? 74u : 64u) << slices << " slices, stride 2^" << shift;
    }
  }
}

// A run as large as an array of 20 ways: no set is off its share by more than 3 lines.
TEST(Slices, OtherNumbersShareRunsAlmostEvenly) {
  Prng prng{2, "slices"};
  for (const auto slices : {3u, 6u, 11u, 18u, 28u, 60u}) {
    for (const auto sets : {64u, 1024u}) {
      const TagArray array{{sets, slices, 1}};
      const auto first = prng.next() >> 20;
      const auto [least, most] = spread(first, std::uint64_t{sets} * slices * 20, 1, sets * slices,
                                        [&](auto key) { return set_of(array, key); });
      EXPECT_GE(least, 17u) << slices << " x " << sets;
      EXPECT_LE(most, 23u) << slices << " x " << sets;
      const auto [few, many] =
          spread(first, 64 * slices, 1, slices, [&](auto key) { return array.slice_of(key); });
      EXPECT_GE(few, 59u) << slices << " x " << sets;
      EXPECT_LE(many, 69u) << slices << " x " << sets;
    }
  }
}

}  // namespace
}  // namespace ioasim
