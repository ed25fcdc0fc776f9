// Do caches keep their promises when everybody fights for the same few lines? Random hardware,
// programs and devices, ten million operations of them, judged by torture.hpp.
//
// IOASIM_TORTURE_SEEDS=1000 runs seeds 1 to 1000, IOASIM_TORTURE_SEEDS=17-17 that one alone.
#include "swarm/torture/torture.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace ioasim::test::torture {
namespace {

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t last = 256;
};

// Sanitizers take ten times as long.
Seeds seeds() {
  const char* const given = std::getenv("IOASIM_TORTURE_SEEDS");
#ifdef __SANITIZE_ADDRESS__
  if (given == nullptr) return {1, 26};
#endif
  if (given == nullptr) return {};
  const std::string text{given};
  const auto dash = text.find('-');
  if (dash == std::string::npos) return {1, std::stoull(text)};
  return {std::stoull(text.substr(0, dash)), std::stoull(text.substr(dash + 1))};
}

// The seeds are dealt to cases, which ctest runs side by side.
constexpr unsigned shares = 8;
class CoherenceTorture : public testing::TestWithParam<unsigned> {};

TEST_P(CoherenceTorture, FindsNothing) {
  const auto [first, last] = seeds();
  for (auto seed = first; seed <= last; ++seed) {
    if (seed % shares != GetParam()) continue;
    const auto verdict = run(random_setup(seed));
    EXPECT_EQ(verdict.complaints, "") << "seed " << seed << "; again: IOASIM_TORTURE_SEEDS=" << seed
                                      << "-" << seed << " build/dev/bin/test_swarm";
    if (std::getenv("IOASIM_TORTURE_SEEDS") == nullptr) continue;
    std::cout << "seed " << seed << ": " << verdict.operations << " operations, " << verdict.reads
              << " reads, " << verdict.writes << " writes, " << verdict.stale << " stale, "
              << verdict.snoops << " snoops, " << verdict.evictions << " evictions, "
              << verdict.back_invalidations << " back-invalidations, " << verdict.other_sockets
              << " to other sockets\n";
  }
}

// A torture that does nothing finds nothing.
TEST(CoherenceTortureAsAWhole, DoesEverything) {
  Verdict all;
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    auto setup = random_setup(seed);
    setup.operations = 4'000;
    const auto verdict = run(setup);
    // What does not divide by phases and actors is left out.
    EXPECT_GE(verdict.operations, setup.operations - setup.phases * 12) << seed;
    all.reads += verdict.reads;
    all.writes += verdict.writes;
    all.stale += verdict.stale;
    all.snoops += verdict.snoops;
    all.evictions += verdict.evictions;
    all.back_invalidations += verdict.back_invalidations;
    all.other_sockets += verdict.other_sockets;
  }
  EXPECT_GT(all.reads, 16'000u);
  EXPECT_GT(all.writes, 16'000u);
  EXPECT_GT(all.stale, 400u);
  EXPECT_GT(all.snoops, 4'000u);
  EXPECT_GT(all.evictions, 400u);
  EXPECT_GT(all.back_invalidations, 400u);
  EXPECT_GT(all.other_sockets, 400u);
}

INSTANTIATE_TEST_SUITE_P(Share, CoherenceTorture, testing::Range(0u, shares));

}  // namespace
}  // namespace ioasim::test::torture
