#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/prng.hpp"
#include "base/tag_array.hpp"

namespace ioasim {
namespace {

// Mattson: a fully associative LRU array of n entries hits exactly the accesses of which fewer
// than n other keys came since the last access to the same key.
TEST(AssociativeCache, HitsAreThoseOfStackDistanceBelowItsSize) {
  Prng prng{1, "stack distance"};
  std::vector<std::uint64_t> trace;
  for (int i = 0; i < 3000; ++i) {
    trace.push_back(prng.one_in(3) ? prng.between(0, 60) : prng.between(0, 12));
  }
  std::vector<std::size_t> hits_by_size(33);
  for (std::size_t i = 0; i < trace.size(); ++i) {
    std::set<std::uint64_t> between;
    for (auto j = i; j-- > 0;) {
      if (trace[j] == trace[i]) {
        for (auto size = between.size() + 1; size <= 32; ++size) ++hits_by_size[size];
        break;
      }
      between.insert(trace[j]);
    }
  }
  for (std::uint32_t size = 1; size <= 32; ++size) {
    AssociativeCache<std::uint64_t> cache{size, size};
    std::size_t hits = 0;
    for (const auto key : trace) {
      if (const auto* value = cache.find(key)) {
        ASSERT_EQ(*value, key * 3);
        ++hits;
      } else {
        cache.insert(key, key * 3);
      }
    }
    EXPECT_EQ(hits, hits_by_size[size]) << size << " entries";
  }
}

TEST(AssociativeCache, InsertReplacesTheValueOfAKeyItHolds) {
  AssociativeCache<int> cache{4, 2};
  cache.insert(8, 1);
  cache.insert(8, 2);
  ASSERT_NE(cache.find(8), nullptr);
  EXPECT_EQ(*cache.find(8), 2);
  EXPECT_EQ(cache.erase_if([](int) { return true; }), 1u);
  EXPECT_EQ(cache.find(8), nullptr);
}

TEST(AssociativeCache, EraseIfRemovesWhatMatchesAndCountsIt) {
  AssociativeCache<int> cache{64, 4};
  for (int i = 0; i < 64; ++i) cache.insert(static_cast<std::uint64_t>(i), i);
  EXPECT_EQ(cache.erase_if([](int value) { return value % 3 == 0; }), 22u);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(cache.find(static_cast<std::uint64_t>(i)) == nullptr, i % 3 == 0) << i;
  }
}

}  // namespace
}  // namespace ioasim
