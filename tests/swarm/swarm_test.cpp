// Does anything break under chaos? Random machines and workloads under the checkers, and the same
// with what must not matter changed.
//
// IOASIM_SWARM_SEEDS=1000 runs seeds 1 to 1000, IOASIM_SWARM_SEEDS=17-17 that one alone.
#include <gtest/gtest.h>

#include <iostream>
#include <map>

#include "swarm/seeds.hpp"
#include "swarm/workload.hpp"

namespace ioasim::test {
namespace {

using scenarios::Mode;

constexpr const char* variable = "IOASIM_SWARM_SEEDS";

std::string text_of(const Verdict& verdict) {
  std::string text = verdict.hash;
  for (const auto& [what, count] : verdict.did) text += ", " + what + " " + std::to_string(count);
  return text;
}

class Swarm : public testing::TestWithParam<unsigned> {
 protected:
  template <class Visit>
  void for_my_seeds(std::uint64_t every, Visit visit) {
    const auto [first, last] = seeds(variable, 64);
    const bool all = last - first < every;
    for (auto seed = first; seed <= last; ++seed) {
      if ((all || seed % every == 0) && seed / (all ? 1 : every) % seed_shares == GetParam())
        visit(seed);
    }
  }
};

TEST_P(Swarm, BreaksNothing) {
  for_my_seeds(1, [](std::uint64_t seed) {
    const auto verdict = run_swarm({.seed = seed});
    EXPECT_EQ(verdict.complaints, "") << replay(variable, seed) << "\n" << text_of(verdict);
    const auto [first, last] = seeds(variable, 64);
    if (first == last) std::cout << text_of(verdict) << "\n";
  });
}

TEST_P(Swarm, RunAheadAndStepModeGiveTheSameEvents) {
  for_my_seeds(3, [](std::uint64_t seed) {
    const auto ahead = run_swarm({.seed = seed});
    const auto step = run_swarm({.seed = seed, .mode = Mode::step});
    EXPECT_EQ(ahead.hash, step.hash) << replay(variable, seed);
    EXPECT_NE(ahead.hash, "") << replay(variable, seed);
  });
}

TEST_P(Swarm, BreaksNothingWhateverTheOrderOfTies) {
  for_my_seeds(2, [](std::uint64_t seed) {
    for (const std::uint64_t ties : {1u, 2u}) {
      const auto verdict = run_swarm({.seed = seed, .ties = ties});
      EXPECT_EQ(verdict.complaints, "") << "ties " << ties << ", " << replay(variable, seed);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Share, Swarm, testing::Range(0u, seed_shares));

// A swarm that does nothing finds nothing: every kind of work and of trouble occurs.
TEST(SwarmAsAWhole, DoesEverything) {
  std::map<std::string, std::uint64_t> did;
  for (std::uint64_t seed = 1; seed <= 32; ++seed) {
    for (const auto& [what, count] : run_swarm({.seed = seed}).did) did[what] += count;
  }
  for (const auto* what :
       {"access",   "attach", "blocked",         "bypass",     "close",         "copy",
        "cyclic",   "detach", "fault",           "halt",       "interrupt",     "map",
        "no snoop", "shared", "source unmapped", "stale read", "stray message", "target unmapped",
        "unmap",    "void",   "wrong call"}) {
    EXPECT_GT(did[what], 0u) << what;
  }
}

}  // namespace
}  // namespace ioasim::test
