// Parameters of the cache hierarchy.
#pragma once

#include <fmt/format.h>

#include <bit>

#include "base/address.hpp"
#include "base/fields.hpp"
#include "base/quantity.hpp"

namespace ioasim::cache {

// A level that one core owns.
struct PrivateParams {
  Bytes capacity = 32_KiB;
  unsigned ways = 8;
  Picoseconds lookup = 1'600_ps;

  static constexpr auto fields = std::tuple{
      Field{"capacity", &PrivateParams::capacity, "bytes of data held [Broadwell-EP]",
            Limits{512_B, 64_MiB}},
      Field{"ways", &PrivateParams::ways, "associativity [Broadwell-EP]", Limits{1u, 32u}},
      Field{"lookup", &PrivateParams::lookup, "time this level adds to an access [K-11]",
            Limits{0_ps, 1'000_ns}}};

  void check(Problems& problems) const;
};

// The last level, shared and inclusive, with the home agent in front of it.
struct LlcParams {
  Bytes capacity = 20_MiB;
  unsigned ways = 20;
  Picoseconds lookup = 16_ns;
  Picoseconds snoop = 20_ns;
  bool ddio = true;
  unsigned ddio_ways = 2;
  Picoseconds tag_scan = 1_ns;

  static constexpr auto fields = std::tuple{
      Field{"capacity", &LlcParams::capacity,
            "bytes of data held [E5-2660v4 class, rounded to a power-of-two number of sets]",
            Limits{64_KiB, 1024_MiB}},
      Field{"ways", &LlcParams::ways, "associativity [E5 v4]", Limits{1u, 32u}},
      Field{"lookup", &LlcParams::lookup, "time this level adds to an access [K-11]",
            Limits{0_ps, 1'000_ns}},
      Field{"snoop", &LlcParams::snoop,
            "time added when a core must give up or share a line; a modified line then takes "
            "about 41 ns core to core [CAL-14]",
            Limits{0_ps, 1'000_ns}},
      Field{"ddio", &LlcParams::ddio,
            "snooped device writes allocate here instead of going to memory [D-01]"},
      Field{"ddio_ways", &LlcParams::ddio_ways, "ways that device writes may allocate in [CAL-13]",
            Limits{1u, 32u}},
      Field{"tag_scan", &LlcParams::tag_scan,
            "wbinvd: time to scan one set's tags [model choice; no published curve, fidelity 7]",
            Limits{0_ps, 1'000_ns}}};

  void check(Problems& problems) const;
};

struct Params {
  PrivateParams l1d{};
  PrivateParams l2{.capacity = 256_KiB, .ways = 8, .lookup = 3'200_ps};
  LlcParams llc{};

  static constexpr auto fields =
      std::tuple{Field{"l1d", &Params::l1d, "level 1 data cache of each core"},
                 Field{"l2", &Params::l2, "level 2 cache of each core; includes level 1"},
                 Field{"llc", &Params::llc, "last-level cache, shared; includes all others"}};
};

// Sets of an array, or a problem if lines do not divide into a power of two of sets.
inline void check_sets(Bytes capacity, unsigned ways, Problems& problems) {
  const auto lines = capacity.count / line_bytes;
  if (capacity.count % (line_bytes * ways) != 0 || !std::has_single_bit(lines / ways)) {
    problems.push_back(
        {"capacity", fmt::format("must be ways ({}) x 64 B x a power of two", ways)});
  }
}

inline void PrivateParams::check(Problems& problems) const { check_sets(capacity, ways, problems); }

inline void LlcParams::check(Problems& problems) const {
  check_sets(capacity, ways, problems);
  if (ddio_ways > ways) {
    problems.push_back({"ddio_ways", fmt::format("must not exceed ways ({})", ways)});
  }
}

}  // namespace ioasim::cache
