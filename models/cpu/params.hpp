// Parameters of a core.
#pragma once

#include "base/fields.hpp"
#include "base/quantity.hpp"

namespace ioasim::cpu {

struct Params {
  Frequency clock = 2'200_MHz;
  unsigned fill_buffers = 10;
  unsigned store_buffer = 42;
  unsigned write_combining_buffers = 4;
  bool self_snoop = true;
  Picoseconds clflush = 34_ns;
  Picoseconds fence = 15_ns;
  Picoseconds locked = 8_ns;
  Picoseconds bus_lock = 1'000_ns;
  Picoseconds uncached_write = 97_ns;
  Picoseconds interrupt = 500_ns;

  static constexpr auto fields = std::tuple{
      Field{"clock", &Params::clock, "core clock [E5-2630v4]", Limits{1_MHz, 10'000_MHz}},
      Field{"fill_buffers", &Params::fill_buffers,
            "line misses and weakly ordered flushes of one core in flight [Broadwell]",
            Limits{1u, 64u}},
      Field{"store_buffer", &Params::store_buffer,
            "stores, of up to a line each, that wait to become visible [Broadwell]",
            Limits{1u, 1024u}},
      Field{"write_combining_buffers", &Params::write_combining_buffers,
            "lines that weakly ordered stores are gathered in [model choice]", Limits{1u, 64u}},
      Field{"self_snoop", &Params::self_snoop,
            "an uncached or write-combining access by PAT takes the line out of the caches first "
            "[CPUID.1 EDX.27]"},
      Field{"clflush", &Params::clflush,
            "core's own part of one clflush; with L1, L2 and LLC it makes the 55 ns a line that "
            "serial flushes take [CAL-16]",
            Limits{0_ps, 10'000_ns}},
      Field{"fence", &Params::fence, "a fence with nothing to wait for [model choice: 33 cycles]",
            Limits{0_ps, 10'000_ns}},
      Field{"locked", &Params::locked,
            "a locked operation keeps its line for this long [model choice: 18 cycles]",
            Limits{0_ps, 10'000_ns}},
      Field{"bus_lock", &Params::bus_lock,
            "added to a locked operation that crosses a line or is not write-back [model choice]",
            Limits{0_ps, 100'000_ns}},
      Field{"uncached_write", &Params::uncached_write,
            "shortest time between two uncached stores [CAL-17]", Limits{0_ps, 10'000_ns}},
      Field{"interrupt", &Params::interrupt,
            "from the message at the local APIC to the first instruction of the handler "
            "[model choice, below half of CAL-19]",
            Limits{0_ps, 1'000'000_ns}}};
};

}  // namespace ioasim::cpu
