// Whatever software does to whichever MMIO address of a machine, it gets an answer.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "cpu/msr.hpp"
#include "support/machine_bench.hpp"

namespace ioasim {
namespace {

// A second port, with nothing below it.
machine::Description with_an_empty_port() {
  auto description = test::Machine::plain();
  description.root_ports.push_back({.name = "port1", .iommu = "iommu0"});
  return description;
}

class Windows : public test::MachineBench {
 protected:
  struct Window {
    std::string name;
    Hpa base;
  };

  Windows() : MachineBench{with_an_empty_port()} {}

  Hpa config(unsigned bus, unsigned device) const {
    return host.firmware.ecam.base + RequesterId::of(bus, device, 0).value * page_bytes;
  }
  // Every kind of window that a machine has. Root ports are devices 1 and 2 of bus 0, with buses 1
  // and 2 below them.
  std::vector<Window> windows() const {
    constexpr std::uint64_t window_bytes = 1u << 20;
    return {{"registers of the IOMMU", host.firmware.units[0].registers},
            {"configuration space of port0", config(0, 1)},
            {"configuration space of port1", config(0, 2)},
            {"configuration space of the device", config(1, 0)},
            {"configuration space of a device that is not there", config(1, 1)},
            {"configuration space below the empty port", config(2, 0)},
            {"configuration space of a bus that is not there", config(3, 0)},
            {"BAR of the device", bar},
            {"behind the BAR of the device", bar + (window_bytes - line_bytes)},
            {"window of the empty port", bar + window_bytes},
            {"hole", bar + 2 * window_bytes}};
  }

  static constexpr Hpa bar{0xc000'0000};
};

// Nobody accepts deferrable writes, and nobody takes anything else for one.
TEST_F(Windows, EnqcmdIsAnsweredWithRetryEverywhere) {
  run([&] {
    auto& core = host.core();
    host.enable_engine();
    core.wrmsr(cpu::msr::pasid, cpu::msr::pasid_valid | 5);
    std::array<std::byte, line_bytes> command;
    command.fill(std::byte{0xff});
    for (const auto& window : windows()) {
      const auto before = core.read_uncached(window.base + 4, 4);
      EXPECT_FALSE(core.enqcmd(window.base, cpu::Command{command})) << window.name;
      EXPECT_FALSE(core.enqcmds(window.base, cpu::Command{command})) << window.name;
      EXPECT_EQ(core.read_uncached(window.base + 4, 4), before) << window.name;
    }
  });
}

// A posted write on its way is not the answer that a command waits for.
TEST_F(Windows, EnqcmdIsAnsweredBehindPostedWrites) {
  run([&] {
    auto& core = host.core();
    host.enable_engine();
    const std::array<std::byte, line_bytes> command{};
    for (const auto& window : windows()) {
      core.write_uncached(config(1, 0) + 0x3c, 0, 4);
      core.write_uncached(bar + 0x800, 0, 4);
      EXPECT_FALSE(core.enqcmds(window.base, cpu::Command{command})) << window.name;
      EXPECT_EQ(core.read_uncached(config(1, 0), 2), 0x1af5u) << window.name;
    }
  });
}

// A configuration request is for one dword or a part of it (PCIe 2.2.7).
TEST_F(Windows, ConfigurationSpaceTakesOneDwordAtATime) {
  constexpr unsigned bar0 = 0x10;
  run([&] {
    auto& core = host.core();
    host.enable_engine();
    for (const auto base : {config(0, 1), config(1, 0)}) {
      EXPECT_EQ(core.read_uncached(base, 2), 0x1af5u);
      EXPECT_EQ(core.read_uncached(base, 8), ~0ull);
      const auto before = core.read_uncached(base + bar0, 4);
      core.write_uncached(base + bar0, 0xffff'ffff'ffff'ffff, 8);
      EXPECT_EQ(core.read_uncached(base + bar0, 4), before);
      const std::array<std::byte, line_bytes> command{};
      core.movdir64b(base, cpu::Command{command});
      core.sfence();
      EXPECT_EQ(core.read_uncached(base + bar0, 4), before);
    }
  });
}

}  // namespace
}  // namespace ioasim
