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

  static constexpr auto fields = std::tuple{
      Field{"capacity", &Params::capacity, "size of memory; starts at address 0 [model choice]",
            Limits{16_MiB, 1024_GiB}},
      Field{"channels", &Params::channels,
            "channels; lines interleave over them [4 x DDR4-2133, Broadwell-EP class]",
            Limits{1u, 16u}},
      Field{"channel_bandwidth", &Params::channel_bandwidth,
            "data rate of one channel [DDR4-2133: 8 B x 2133 MT/s]",
            Limits{100_MBps, 1'000'000_MBps}},
      Field{"latency", &Params::latency,
            "from the request at the controller to its first data, idle; with the transfer of a "
            "line it makes the 52 ns between LLC and DRAM that a DMA read sees [CAL-3]",
            Limits{0_ns, 10'000_ns}}};

  void check(Problems& problems) const {
    if (capacity.count % (2u << 20) != 0) {
      problems.push_back({"capacity", "must be a multiple of 2MiB"});
    }
  }
};

}  // namespace ioasim::memory
