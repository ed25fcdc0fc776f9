// Do caches keep their promises when everybody fights for the same few lines? Random hardware,
// programs and devices, ten million operations of them, judged by torture.hpp.
//
// IOASIM_TORTURE_SEEDS=1000 runs seeds 1 to 1000, IOASIM_TORTURE_SEEDS=17-17 that one alone;
// IOASIM_TORTURE_TRACE=FILE has every event of the last one written there.
#include "swarm/torture/torture.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "swarm/seeds.hpp"

namespace ioasim::test::torture {
namespace {

constexpr const char* variable = "IOASIM_TORTURE_SEEDS";
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t standard = 26;  // sanitizers take ten times as long
#else
constexpr std::uint64_t standard = 256;
#endif

class CoherenceTorture : public testing::TestWithParam<unsigned> {};

TEST_P(CoherenceTorture, FindsNothing) {
  const auto [first, last] = seeds(variable, standard);
  for (auto seed = first; seed <= last; ++seed) {
    if (seed % seed_shares != GetParam()) continue;
    const auto verdict = run(random_setup(seed));
    EXPECT_EQ(verdict.complaints, "") << replay(variable, seed);
    if (std::getenv(variable) == nullptr) continue;
    std::cout << "seed " << seed << ":";
    for (const auto& [what, times] : verdict.did) std::cout << " " << times << " " << what << ",";
    std::cout << "\n";
  }
}

// A torture that does nothing finds nothing: every kind of work occurs, and every check has
// something to look at.
TEST(CoherenceTortureAsAWhole, DoesEverything) {
  Did all;
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    auto setup = random_setup(seed);
    setup.operations = 4'000;
    const auto [complaints, did] = run(setup);
    EXPECT_EQ(complaints, "") << seed;
    // What does not divide by phases and actors is left out.
    EXPECT_GE(did.at("operation"), setup.operations - setup.phases * 12) << seed;
    for (const auto& [what, times] : did) all[what] += times;
  }
  for (const auto* what : step_names) EXPECT_GT(all[what], 0u) << what;
  for (const auto* what :
       {"back-door read", "back-door write", "byte enables", "counter", "device read",
        "device write", "full ways", "hidden write", "increment", "interrupt", "no-snoop read",
        "no-snoop write", "store around", "uncached", "write-combining", "write-through"}) {
    EXPECT_GT(all[what], 0u) << what;
  }
  for (const auto* what : {"read", "write"}) EXPECT_GT(all[what], 16'000u) << what;
  EXPECT_GT(all["snoop"], 4'000u);
  for (const auto* what : {"stale read", "eviction", "back-invalidation", "other socket"}) {
    EXPECT_GT(all[what], 400u) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(Share, CoherenceTorture, testing::Range(0u, seed_shares));

}  // namespace
}  // namespace ioasim::test::torture
