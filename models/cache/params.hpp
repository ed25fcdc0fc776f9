// Parameters of the cache hierarchy.
#pragma once

#include <fmt/format.h>

#include <bit>

#include "base/address.hpp"
#include "base/fields.hpp"
#include "base/quantity.hpp"
#include "base/replacement.hpp"
#include "cache/protocol.hpp"

namespace ioasim::cache {

// A level that one core owns.
struct PrivateParams {
  Bytes capacity = 32_KiB;
  unsigned ways = 8;
  Replacement replacement = Replacement::tree_plru;
  Picoseconds lookup = 1'600_ps;

  static constexpr auto fields = std::tuple{
      Field{"capacity", &PrivateParams::capacity, "bytes of data held [Broadwell-EP]",
            Limits{512_B, 64_MiB}},
      Field{"ways", &PrivateParams::ways, "associativity [Broadwell-EP]", Limits{1u, 32u}},
      Field{"replacement", &PrivateParams::replacement, "which line gives way [model choice]"},
      Field{"lookup", &PrivateParams::lookup, "time this level adds to an access [K-11]",
            Limits{0_ps, 1'000_ns}}};

  void check(Problems& problems) const;
};

// The last level of one socket: slices, each a set-associative array with a tag pipeline of its
// own; lines are spread over them by a hash.
struct LlcParams {
  Bytes capacity = 20_MiB;
  unsigned ways = 20;
  unsigned slices = 8;
  Replacement replacement = Replacement::lru;
  bool inclusive = true;
  Picoseconds lookup = 16_ns;
  Picoseconds snoop = 20_ns;
  Picoseconds pipeline = 400_ps;
  unsigned misses = 32;
  bool ddio = true;
  unsigned ddio_ways = 2;

  static constexpr auto fields = std::tuple{
      Field{"capacity", &LlcParams::capacity,
            "bytes of data held by a socket [E5-2660v4 class, rounded to a power-of-two number of "
            "sets]",
            Limits{64_KiB, 1024_MiB}},
      Field{"ways", &LlcParams::ways, "associativity [E5 v4]", Limits{1u, 32u}},
      Field{"slices", &LlcParams::slices,
            "slices of a socket [model choice: a power of two near the 10 of an E5-2660v4]",
            Limits{1u, 64u}},
      Field{"replacement", &LlcParams::replacement, "which line gives way [model choice]"},
      Field{"inclusive", &LlcParams::inclusive,
            "holds every line of the private caches; else the snoop filter tracks them [E5 v4]"},
      Field{"lookup", &LlcParams::lookup, "time this level adds to an access [K-11]",
            Limits{0_ps, 1'000_ns}},
      Field{"snoop", &LlcParams::snoop,
            "time added when a core must give up or share a line; a modified line then takes "
            "about 41 ns core to core [CAL-14]",
            Limits{0_ps, 1'000_ns}},
      Field{"pipeline", &LlcParams::pipeline,
            "shortest time between two lookups in a slice [model choice: one uncore cycle]",
            Limits{0_ps, 1'000_ns}},
      Field{"misses", &LlcParams::misses,
            "line misses of one slice in flight (MSHRs) [model choice]", Limits{1u, 1024u}},
      Field{"ddio", &LlcParams::ddio,
            "snooped device writes allocate here instead of going to memory [D-01]"},
      Field{"ddio_ways", &LlcParams::ddio_ways,
            "ways that device writes may allocate in, the first ones; MSR 0xc8b of a socket and "
            "`ddio_ways` of a root port overrule it [CAL-13]",
            Limits{1u, 32u}}};

  void check(Problems& problems) const;
};

// The snoop filter of a socket whose last level is not inclusive: it tracks the lines that only
// private caches hold. A line that it drops is dropped there too.
struct FilterParams {
  Bytes covers = 32_MiB;
  unsigned ways = 16;

  static constexpr auto fields = std::tuple{
      Field{"covers", &FilterParams::covers,
            "bytes of lines tracked in a socket [model choice: above the sum of its L2s]",
            Limits{4_KiB, 1024_MiB}},
      Field{"ways", &FilterParams::ways, "associativity [model choice]", Limits{1u, 32u}}};

  void check(Problems& problems) const;
};

// How the home agent of a line learns which other sockets hold it.
enum class SocketSnoop : std::uint8_t { directory, broadcast };

constexpr auto enum_names(SocketSnoop) {
  return std::array{Named{SocketSnoop::directory, "directory"},
                    Named{SocketSnoop::broadcast, "broadcast"}};
}

struct HomeParams {
  Picoseconds hop = 59_ns;
  SocketSnoop snoop = SocketSnoop::directory;
  Picoseconds grant = 30_ns;
  unsigned write_buffers = 128;

  static constexpr auto fields = std::tuple{
      Field{"hop", &HomeParams::hop, "to another socket and back [CAL-15]",
            Limits{0_ps, 10'000_ns}},
      Field{"snoop", &HomeParams::snoop,
            "directory: it lies in memory and is read with the line, and only sockets that hold "
            "the line are asked; broadcast: all are, at once [model choice]"},
      Field{"grant", &HomeParams::grant,
            "from a miss of a whole-line write to the ownership that needs no data [model choice]",
            Limits{0_ps, 10'000_ns}},
      Field{"write_buffers", &HomeParams::write_buffers,
            "modified lines of a socket on their way to memory [model choice: more than the "
            "bandwidth of a socket's memory times its latency]",
            Limits{1u, 4096u}}};
};

// Flushes of whole caches.
struct FlushParams {
  Picoseconds tag_scan = 1_ns;
  bool back_invalidate = true;

  static constexpr auto fields = std::tuple{
      Field{"tag_scan", &FlushParams::tag_scan,
            "time to look at one line's tag; slices are scanned side by side [model choice: no "
            "curve is published]",
            Limits{1_ps, 1'000_ns}},
      Field{"back_invalidate", &FlushParams::back_invalidate,
            "wbinvd takes a line of an inclusive last level out of other cores' caches too "
            "[VAL-26; parts may differ]"}};
};

struct Params {
  Protocol protocol = Protocol::mesif;
  PrivateParams l1d{};
  PrivateParams l2{.capacity = 256_KiB, .ways = 8, .lookup = 3'200_ps};
  LlcParams llc{};
  FilterParams filter{};
  HomeParams home{};
  FlushParams flush{};

  static constexpr auto fields = std::tuple{
      Field{"protocol", &Params::protocol, "how copies are shared [Intel servers: MESIF]"},
      Field{"l1d", &Params::l1d, "level 1 data cache of each core"},
      Field{"l2", &Params::l2, "level 2 cache of each core; includes level 1"},
      Field{"llc", &Params::llc, "last-level cache of each socket"},
      Field{"filter", &Params::filter, "snoop filter of each socket, if `llc` is not inclusive"},
      Field{"home", &Params::home, "home agents: memory and other sockets"},
      Field{"flush", &Params::flush, "wbinvd, wbnoinvd, invd"}};
};

// Sets of an array, or a problem if lines do not divide into a power of two of sets.
inline void check_sets(std::string_view field, Bytes capacity, unsigned ways, unsigned slices,
                       Problems& problems) {
  const auto part = line_bytes * ways * slices;
  if (capacity.count % part != 0 || !std::has_single_bit(capacity.count / part)) {
    const auto in_slices = slices == 1 ? std::string{} : fmt::format("slices ({}) x ", slices);
    problems.push_back(
        {std::string{field},
         fmt::format("must be {}ways ({}) x 64 B x a power of two", in_slices, ways)});
  }
}

inline void PrivateParams::check(Problems& problems) const {
  check_sets("capacity", capacity, ways, 1, problems);
}

inline void LlcParams::check(Problems& problems) const {
  check_sets("capacity", capacity, ways, slices, problems);
  if (ddio_ways > ways) {
    problems.push_back({"ddio_ways", fmt::format("must not exceed ways ({})", ways)});
  }
}

inline void FilterParams::check(Problems& problems) const {
  check_sets("covers", covers, ways, 1, problems);
}

}  // namespace ioasim::cache
