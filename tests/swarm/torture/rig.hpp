// The hardware of one torture: real cores, caches and memory, and a requester at each device port.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "cache/home_agent.hpp"
#include "cpu/core.hpp"
#include "memory/dram.hpp"
#include "support/bench.hpp"
#include "support/requester.hpp"
#include "support/responder.hpp"
#include "swarm/torture/setup.hpp"

namespace ioasim::test::torture {

struct Rig {
  explicit Rig(const Setup& setup)
      : clock{"clockwork", setup.clock},
        memory{"memory", clock, setup.memory, setup.sockets},
        home{"home",
             clock,
             bus,
             setup.caches,
             {setup.sockets, setup.cores},
             setup.devices,
             {{Hpa{0}, setup.memory.capacity.count}}},
        registers{"registers", clock, setup.cores} {
    home.memory.bind(memory.home);
    for (unsigned n = 0; n < setup.cores; ++n) {
      cores.push_back(std::make_unique<cpu::Core>(fmt::format("core{}", n).c_str(), clock, bus,
                                                  home, setup.core, setup.caches, n));
      cores[n]->mmio.bind(registers.port(n));
    }
    for (unsigned n = 0; n < setup.devices.size(); ++n) {
      devices.push_back(std::make_unique<Requester>(fmt::format("device{}", n).c_str(), clock));
      devices[n]->socket.bind(home.io(n));
      devices[n]->origin.who = 0x100 + n;
    }
  }

  Data in_memory(Hpa address, std::size_t bytes) const {
    Data data(bytes);
    memory.contents().read(address, data);
    return data;
  }

  sim::Clockwork clock;
  trace::Bus bus;
  memory::Dram memory;
  cache::HomeAgent home;
  Responder registers;
  std::vector<std::unique_ptr<cpu::Core>> cores;
  std::vector<std::unique_ptr<Requester>> devices;
};

}  // namespace ioasim::test::torture
