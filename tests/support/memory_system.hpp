// Real caches over real memory, small enough that a test can fill them, with a requester at each
// device port.
//
// Times: LLC lookup 10 ns, snoop 20 ns, DRAM 50 ns and 4 ns a line on each of two channels.
#pragma once

#include "cache/home_agent.hpp"
#include "memory/dram.hpp"
#include "support/requester.hpp"

namespace ioasim::test {

struct MemorySystem {
  static constexpr Picoseconds lookup{10'000};
  static constexpr Picoseconds snoop{20'000};
  static constexpr Picoseconds dram{54'000};  // with the transfer of one line
  static constexpr Picoseconds line{4'000};

  static cache::Params small_caches() {
    return {.l1d = {.capacity = 512_B, .ways = 2, .lookup = 1_ns},
            .l2 = {.capacity = 1_KiB, .ways = 2, .lookup = 3_ns},
            .llc = {.capacity = 64_KiB,
                    .ways = 8,
                    .slices = 1,
                    .lookup = lookup,
                    .snoop = snoop,
                    .pipeline = 0_ps,
                    .ddio = true,
                    .ddio_ways = 2},
            .home = {.grant = 0_ps}};
  }
  static memory::Params two_channels() {
    return {.capacity = 64_MiB, .channels = 2, .channel_bandwidth = 16'000_MBps, .latency = 50_ns};
  }

  MemorySystem(sim::Clockwork& clock, trace::Bus& bus, const cache::Params& caches = small_caches(),
               unsigned cores = 2)
      : params{caches},
        memory{"memory", clock, two_channels()},
        home{"home",
             clock,
             bus,
             caches,
             {.sockets = 1, .cores = cores},
             {0, 0, 0, 0},
             {{Hpa{0}, 64u << 20}}},
        device{"device", clock},
        other{"other", clock} {
    home.memory.bind(memory.home);
    device.socket.bind(home.io(0));
    other.socket.bind(home.io(1));
  }

  // What memory itself holds, whatever the caches do.
  Data in_memory(std::uint64_t address, std::size_t bytes) const {
    Data data(bytes);
    memory.contents().read(Hpa{address}, data);
    return data;
  }

  cache::Params params;
  memory::Dram memory;
  cache::HomeAgent home;
  Requester device;
  Requester other;
};

}  // namespace ioasim::test
