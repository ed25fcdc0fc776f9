// Parameters of a core.
#pragma once

#include "base/fields.hpp"
#include "base/quantity.hpp"

namespace ioasim::cpu {

struct Params {
  Frequency clock = 2'200_MHz;
  unsigned fill_buffers = 10;
  Picoseconds clflush = 34_ns;
  Picoseconds fence = 15_ns;
  Picoseconds uncached_write = 97_ns;
  Picoseconds interrupt = 500_ns;

  static constexpr auto fields = std::tuple{
      Field{"clock", &Params::clock, "core clock [E5-2630v4]", Limits{1_MHz, 10'000_MHz}},
      Field{"fill_buffers", &Params::fill_buffers, "line misses of one core in flight [Broadwell]",
            Limits{1u, 64u}},
      Field{"clflush", &Params::clflush,
            "core's own part of one clflush; with L1, L2 and LLC it makes the 55 ns a line that "
            "serial flushes take [CAL-16]",
            Limits{0_ps, 10'000_ns}},
      Field{"fence", &Params::fence, "mfence with nothing to wait for [model choice: 33 cycles]",
            Limits{0_ps, 10'000_ns}},
      Field{"uncached_write", &Params::uncached_write,
            "shortest time between two uncached stores [CAL-17]", Limits{0_ps, 10'000_ns}},
      Field{"interrupt", &Params::interrupt,
            "from the message at the local APIC to the first instruction of the handler "
            "[model choice, below half of CAL-19]",
            Limits{0_ps, 1'000'000_ns}}};
};

}  // namespace ioasim::cpu
