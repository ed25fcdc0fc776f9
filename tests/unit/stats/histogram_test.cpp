#include "stats/histogram.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ioasim::stats {
namespace {

TEST(Histogram, Empty) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.mean(), 0u);
  EXPECT_EQ(histogram.percentile(99, 100), 0u);
}

TEST(Histogram, CountSumMinMaxAreExact) {
  Histogram histogram;
  for (const std::uint64_t value : {300'000u, 1u, 21'053u}) histogram.sample(value);
  EXPECT_EQ(histogram.count(), 3u);
  EXPECT_EQ(histogram.sum(), 321'054u);
  EXPECT_EQ(histogram.min(), 1u);
  EXPECT_EQ(histogram.max(), 300'000u);
  EXPECT_EQ(histogram.mean(), 107'018u);
}

TEST(Histogram, PercentilesOfOneValueAreExact) {
  Histogram histogram;
  for (int i = 0; i < 1000; ++i) histogram.sample(123'457);
  for (const std::uint64_t parts : {0u, 1u, 50u, 100u}) {
    EXPECT_EQ(histogram.percentile(parts, 100), 123'457u);
  }
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 10; ++value) histogram.sample(value);
  EXPECT_EQ(histogram.percentile(10, 100), 0u);  // the first of ten
  EXPECT_EQ(histogram.percentile(50, 100), 4u);  // the fifth
  EXPECT_EQ(histogram.percentile(90, 100), 8u);
  EXPECT_EQ(histogram.percentile(100, 100), 9u);
}

TEST(Histogram, PercentilesAreOffByLessThanAThirtySecond) {
  Histogram histogram;
  constexpr std::uint64_t values = 100'000;
  for (std::uint64_t value = 1; value <= values; ++value) histogram.sample(value);
  for (const std::uint64_t permille : {10u, 100u, 500u, 900u, 990u, 999u}) {
    const auto exact = static_cast<double>(values * permille / 1000);
    const auto got = static_cast<double>(histogram.percentile(permille, 1000));
    EXPECT_NEAR(got, exact, exact / 32) << permille;
  }
}

TEST(Histogram, EveryWidthHasItsPlace) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t value = std::uint64_t{1} << bit;
    for (const std::uint64_t near : {value - 1, value, value + 1}) {
      Histogram histogram;
      histogram.sample(near);
      EXPECT_EQ(histogram.percentile(50, 100), near);
    }
  }
}

TEST(Histogram, SumOfTwo) {
  Histogram both;
  Histogram low;
  Histogram high;
  for (std::uint64_t value = 1; value <= 50; ++value) {
    low.sample(value);
    high.sample(value * 1000);
    both.sample(value);
    both.sample(value * 1000);
  }
  low += high;
  EXPECT_EQ(low, both);
}

TEST(Histogram, DifferenceForgetsWhatWasBefore) {
  Histogram histogram;
  histogram.sample(5);
  histogram.sample(1'000'000);
  const Histogram before = histogram;
  histogram.sample(7);
  histogram.sample(9);
  const Histogram since = histogram - before;
  EXPECT_EQ(since.count(), 2u);
  EXPECT_EQ(since.sum(), 16u);
  EXPECT_EQ(since.min(), 7u);
  EXPECT_EQ(since.max(), 9u);
  EXPECT_EQ((histogram - histogram).percentile(50, 100), 0u);
}

}  // namespace
}  // namespace ioasim::stats
