// What the threads of a swarm's workload share: what they may do, what went wrong, what they did.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "scenarios/simulation.hpp"
#include "swarm/calls.hpp"

namespace ioasim::test {

// Drawn for each seed: whole kinds of work are absent from many workloads, so that those that are
// left meet more often.
struct Features {
  bool no_snoop, reckless, shared_space, cyclic, faults, wrong_calls, close, detach, flushes,
      wbinvd, interrupts, stray_messages, false_sharing, huge, chains, aliases;

  static Features random(Prng& random) {
    const auto coin = [&] { return !random.one_in(3); };
    return {.no_snoop = coin(),
            .reckless = random.one_in(5),
            .shared_space = coin(),
            .cyclic = coin(),
            .faults = coin(),
            .wrong_calls = coin(),
            .close = coin(),
            .detach = coin(),
            .flushes = coin(),
            .wbinvd = coin(),
            .interrupts = coin(),
            .stray_messages = random.one_in(4),
            .false_sharing = coin(),
            .huge = random.one_in(5),
            .chains = coin(),
            .aliases = coin()};
  }
};

// Complaints and counts. A run is good if there is no complaint.
struct Journal {
  std::vector<std::string> complaints;
  std::map<std::string, std::uint64_t> did;

  // The first few: one mistake brings others after it.
  template <class... Args>
  void complain(fmt::format_string<Args...> format, Args&&... args) {
    if (complaints.size() < 8) {
      complaints.push_back(fmt::format(format, std::forward<Args>(args)...));
    }
  }
  void expect(int got, int wanted, std::string_view what) {
    if (got != wanted) complain("{} returned {}, not {}", what, got, wanted);
  }
};

// Memory that all threads touch: every thread has its own bytes, in between those of others.
struct SharedArea {
  struct Run {
    std::uint64_t offset;
    std::uint64_t bytes;
    unsigned owner;
  };

  Hva address{};
  std::uint64_t bytes = 0;
  std::vector<Run> runs;
};

struct Stage {
  scenarios::World& world;
  const scenarios::Configuration& configuration;
  Features features;
  Journal& journal;
  unsigned threads = 1;
  Ioasid space{};         // of all, with shared_space
  bool enforced = false;  // every device that is attached to it
  SharedArea shared{};
  std::uint64_t faults_handled = 0;

  const kernel::Params& kernel() const { return configuration.kernel; }
  Prng random(std::string_view stream) const { return {configuration.seed, stream}; }
};

}  // namespace ioasim::test
