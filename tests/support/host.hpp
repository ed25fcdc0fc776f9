// A host without devices: cores, caches, memory, interrupt controller, remapping unit, root port.
// Whatever is to do DMA is bound to port.from_link.
#pragma once

#include "cpu/interrupt_controller.hpp"
#include "iommu/iommu.hpp"
#include "pcie/root_port.hpp"
#include "support/core_pair.hpp"
#include "support/vtd_tables.hpp"

namespace ioasim::test {

class Host {
 public:
  static constexpr Picoseconds port_latency{50'000};
  static constexpr Picoseconds lookup{2'000};

  // The requester is who `tables` are for.
  Host(sim::Clockwork& clock, trace::Bus& bus, std::uint16_t requester)
      : pair{clock, bus},
        interrupts{"interrupts", clock, {&pair.core0, &pair.core1}, 1},
        unit{"unit", clock, bus, unit_params(), 0, 1},
        port{"port", clock, {.latency = port_latency}, {RequesterId::of(0, 1, 0), 1, Hpa{}}},
        tables{[this](std::uint64_t at, std::uint64_t value) { core().store(Hpa{at}, value); },
               requester},
        registers{"unit_registers", clock},
        cores_window{"cores_window", clock},
        cores_own{"cores_own", clock},
        cores_lower{"cores_lower", clock} {
    // The pair's own requesters stay at the home agent's ports; the unit takes two more.
    port.iommu.bind(unit.port(0));
    unit.memory.bind(pair.system.home.io(2));
    unit.walker().bind(pair.system.home.io(3));
    unit.interrupts.bind(interrupts.messages(0));
    registers.socket.bind(unit.registers);
    cores_window.socket.bind(port.window);
    cores_own.socket.bind(port.own_config);
    cores_lower.socket.bind(port.lower_config);
  }

  cpu::Core& core() { return pair.core0; }
  Data in_memory(std::uint64_t address, std::size_t bytes) const {
    return pair.system.in_memory(address, bytes);
  }
  // Root table pointer and translation on.
  void enable_translation() {
    registers.debug_write(0x20, word(tables.root() | 1 << 10));
    registers.debug_write(0x18, word(1u << 30, 4));
    registers.debug_write(0x18, word(1u << 31, 4));
  }

  CorePair pair;
  cpu::InterruptController interrupts;
  iommu::Iommu unit;
  pcie::RootPort port;
  vtd::Tables tables;
  Requester registers;

 private:
  static iommu::Params unit_params() {
    iommu::Params params;
    params.lookup = lookup;
    return params;
  }

  Requester cores_window;
  Requester cores_own;
  Requester cores_lower;
};

}  // namespace ioasim::test
