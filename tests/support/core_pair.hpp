// Two cores on the small memory system, with a responder behind their uncached accesses.
// A cycle is 1 ns; L1 takes 1 ns, L2 3 ns more, the LLC 10 ns more, memory 54 ns more.
#pragma once

#include "cpu/core.hpp"
#include "support/memory_system.hpp"
#include "support/responder.hpp"

namespace ioasim::test {

struct CorePair {
  static cpu::Params simple_core() {
    return {.clock = 1'000_MHz,
            .fill_buffers = 4,
            .clflush = 30_ns,
            .fence = 15_ns,
            .uncached_write = 97_ns,
            .interrupt = 500_ns};
  }

  CorePair(sim::Clockwork& clock, trace::Bus& bus,
           const cache::Params& caches = MemorySystem::small_caches())
      : system{clock, bus, caches},
        core0{"core0", clock, bus, system.home, simple_core(), caches, 0},
        core1{"core1", clock, bus, system.home, simple_core(), caches, 1},
        registers{"registers", clock, 2} {
    core0.mmio.bind(registers.port(0));
    core1.mmio.bind(registers.port(1));
  }

  MemorySystem system;
  cpu::Core core0;
  cpu::Core core1;
  Responder registers;
};

}  // namespace ioasim::test
