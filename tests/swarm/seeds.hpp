// The seeds that a test runs: those that the environment names, or the first so many.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace ioasim::test {

// Cases that the seeds are dealt to, which ctest runs side by side.
inline constexpr unsigned seed_shares = 8;

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
};

// VARIABLE=1000 in the environment: seeds 1 to 1000; VARIABLE=17-17: that one alone; without it, 1
// to `standard`.
inline Seeds seeds(const char* variable, std::uint64_t standard) {
  const char* const given = std::getenv(variable);
  if (given == nullptr) return {1, standard};
  const std::string text{given};
  const auto dash = text.find('-');
  if (dash == std::string::npos) return {1, std::stoull(text)};
  return {std::stoull(text.substr(0, dash)), std::stoull(text.substr(dash + 1))};
}

// How to run a seed again.
inline std::string replay(const std::string& variable, std::uint64_t seed) {
  const auto number = std::to_string(seed);
  return "seed " + number + "; again: " + variable + "=" + number + "-" + number +
         " build/dev/bin/test_swarm";
}

}  // namespace ioasim::test
