// Parameters of main memory.
#pragma once

#include "base/fields.hpp"
#include "base/quantity.hpp"

namespace ioasim::memory {

struct Params {
  Bytes capacity = 4_GiB;
  unsigned channels = 4;
  Bandwidth channel_bandwidth = 17'066_MBps;
  Picoseconds latency = 48_ns;
  Picoseconds refresh_interval = 0_ps;
  Picoseconds refresh_time = 350_ns;

  static constexpr auto fields = std::tuple{
      Field{"capacity", &Params::capacity,
            "size of memory; starts at address 0, sockets have equal parts of it [model choice]",
            Limits{16_MiB, 1024_GiB}},
      Field{"channels", &Params::channels,
            "channels of a socket; lines interleave over them [4 x DDR4-2133, Broadwell-EP class]",
            Limits{1u, 16u}},
      Field{"channel_bandwidth", &Params::channel_bandwidth,
            "data rate of one channel [DDR4-2133: 8 B x 2133 MT/s]",
            Limits{100_MBps, 1'000'000_MBps}},
      Field{"latency", &Params::latency,
            "from the request at the controller to its first data, idle; with the transfer of a "
            "line it makes the 52 ns between LLC and DRAM that a DMA read sees [CAL-3]",
            Limits{0_ns, 10'000_ns}},
      Field{"refresh_interval", &Params::refresh_interval,
            "from one refresh of a channel to the next, 0 for none [model choice: off; DDR4 tREFI "
            "7.8us]",
            Limits{0_ps, 1'000'000_ns}},
      Field{"refresh_time", &Params::refresh_time,
            "for which a refreshed channel begins no transfer [JESD79-4: tRFC1 of 8 Gb]",
            Limits{0_ps, 100'000_ns}}};

  void check(Problems& problems) const {
    if (capacity.count % (2u << 20) != 0) {
      problems.push_back({"capacity", "must be a multiple of 2MiB"});
    }
    if (refresh_interval != 0_ps && refresh_time >= refresh_interval) {
      problems.push_back({"refresh_time", "must be shorter than refresh_interval"});
    }
  }
};

}  // namespace ioasim::memory
