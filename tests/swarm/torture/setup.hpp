// One torture, drawn from a seed: the hardware, the few lines that everybody fights for, and what
// the actors like to do.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "cache/params.hpp"
#include "cpu/params.hpp"
#include "memory/params.hpp"
#include "sim/clockwork.hpp"
#include "swarm/torture/history.hpp"

namespace ioasim::test::torture {

// What a core's program consists of.
enum class Step : std::uint8_t {
  load,
  store,
  store_nt,
  locked,
  count,  // a locked increment
  clflush,
  clflushopt,
  clwb,
  prefetch,
  fence,
  around,  // by a mapping that is not write-back
  wbinvd,
  wbnoinvd,
  io_ways,
  caches_off,  // or on again
  pause,
};
inline constexpr std::array step_names = {
    "load",     "store", "store_nt", "locked", "count",    "clflush", "clflushopt", "clwb",
    "prefetch", "fence", "around",   "wbinvd", "wbnoinvd", "io_ways", "caches_off", "pause"};
inline constexpr std::size_t steps = step_names.size();
using Weights = std::array<unsigned, steps>;

struct Setup {
  std::uint64_t seed = 1;
  unsigned sockets = 1;
  unsigned cores = 2;
  std::vector<unsigned> devices{};  // the socket that each is at
  cache::Params caches{};
  cpu::Params core{};
  memory::Params memory{};
  sim::ClockworkParams clock{};
  std::vector<Region> regions{};
  Weights weights{};
  unsigned device_depth = 1;          // requests of a device in flight
  Picoseconds device_gap{};           // most time between two of its requests
  bool ask_the_model = true;          // HomeAgent::breach(), beside what readers and memory tell
  bool device_mixes = true;           // some of its accesses to mixed lines are not snooped
  std::uint64_t operations = 40'000;  // of all actors together
  unsigned phases = 8;                // after each, everything settles and is compared
};

// What happened how often: each step by its name, and what follows from them.
using Did = std::map<std::string, std::uint64_t>;

Setup random_setup(std::uint64_t seed);

// Lines that fall into the same few sets of every cache; a part of them mixed. `most` regions.
std::vector<Region> random_regions(Prng& random, unsigned sockets, unsigned most);

}  // namespace ioasim::test::torture
