// One run of the swarm: a machine, a workload and the order of ties, each from a seed.
#pragma once

#include <map>
#include <string>

#include "scenarios/configuration.hpp"

namespace ioasim::test {

struct Plan {
  std::uint64_t seed = 1;
  scenarios::Mode mode = scenarios::Mode::run_ahead;
  std::uint64_t ties = 0;  // seed of their order; 0: as they were posted
};

struct Verdict {
  std::string complaints{};                    // empty: all is well
  std::string hash{};                          // of all events, and their number
  std::map<std::string, std::uint64_t> did{};  // what happened how often
};

// In a process of its own.
Verdict run_swarm(const Plan& plan);

}  // namespace ioasim::test
