#include "pcie/credit_pool.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/prng.hpp"

namespace ioasim::pcie {
namespace {

TEST(CreditPool, StartsWithAllThatWasAdvertised) {
  CreditPool pool{64};
  EXPECT_EQ(pool.advertised(), 64u);
  EXPECT_EQ(pool.free(0_ps), 64u);
  EXPECT_EQ(pool.next_return(), forever);
}

TEST(CreditPool, CreditsAreBackAtTheirTimeAndNotBefore) {
  CreditPool pool{4};
  pool.take(4);
  EXPECT_EQ(pool.free(0_ps), 0u);
  pool.give(3, 100_ns);
  EXPECT_EQ(pool.next_return(), 100_ns);
  EXPECT_EQ(pool.free(99'999_ps), 0u);
  EXPECT_EQ(pool.free(100_ns), 3u);
  EXPECT_EQ(pool.next_return(), forever);
  pool.give(1, 200_ns);
  EXPECT_EQ(pool.free(1_us), 4u);
}

TEST(CreditPool, AnUpdateDoesNotOvertakeAnEarlierOne) {
  CreditPool pool{2};
  pool.take(2);
  pool.give(1, 100_ns);
  pool.give(1, 40_ns);
  EXPECT_EQ(pool.next_return(), 100_ns);
  EXPECT_EQ(pool.free(99'999_ps), 0u);
  EXPECT_EQ(pool.free(100_ns), 2u);
}

// Against a list of outstanding returns, with more of them than any ring starts with.
TEST(CreditPool, ConservesCreditsUnderRandomTraffic) {
  constexpr unsigned advertised = 1000;
  CreditPool pool{advertised};
  Prng prng{1, "credit_pool"};
  std::vector<std::pair<Picoseconds, unsigned>> returning;
  unsigned held = 0;
  Picoseconds now{};
  Picoseconds latest{};
  for (int i = 0; i < 50000; ++i) {
    now += Picoseconds{static_cast<std::int64_t>(prng.between(0, 20))};
    unsigned away = held;
    for (const auto& [at, count] : returning) away += at > now ? count : 0;
    ASSERT_EQ(pool.free(now), advertised - away);
    std::erase_if(returning, [=](const auto& entry) { return entry.first <= now; });
    ASSERT_EQ(pool.next_return(), returning.empty() ? forever : returning.front().first);
    if (prng.one_in(2) && away < advertised) {
      const auto count = static_cast<unsigned>(prng.between(1, advertised - away));
      pool.take(std::min(count, 20u));
      held += std::min(count, 20u);
    } else if (held > 0) {
      const auto count = static_cast<unsigned>(prng.between(1, std::min(held, 20u)));
      latest =
          std::max(latest, now + Picoseconds{static_cast<std::int64_t>(prng.between(0, 3000))});
      pool.give(count, latest);
      returning.emplace_back(latest, count);
      held -= count;
    }
  }
}

}  // namespace
}  // namespace ioasim::pcie
