// Two cores on the small memory system, with a responder behind their uncached accesses.
// A cycle is 1 ns; L1 takes 1 ns, L2 3 ns more, the LLC 10 ns more, memory 54 ns more.
#pragma once

#include <optional>

#include "cpu/core.hpp"
#include "cpu/msr.hpp"
#include "support/bench.hpp"
#include "support/memory_system.hpp"
#include "support/responder.hpp"

namespace ioasim::test {

struct CorePair {
  static cpu::Params simple_core() {
    return {.clock = 1'000_MHz,
            .fill_buffers = 4,
            .clflush = 30_ns,
            .fence = 15_ns,
            .locked = 8_ns,
            .bus_lock = 1'000_ns,
            .uncached_write = 97_ns,
            .interrupt = 500_ns};
  }
  // With buffers that a test can fill.
  static cpu::Params small_core() {
    auto params = simple_core();
    params.store_buffer = 8;
    params.write_combining_buffers = 2;
    return params;
  }

  CorePair(sim::Clockwork& clock, trace::Bus& bus,
           const cache::Params& caches = MemorySystem::small_caches(),
           const cpu::Params& cores = simple_core())
      : system{clock, bus, caches},
        core0{"core0", clock, bus, system.home, cores, caches, 0},
        core1{"core1", clock, bus, system.home, cores, caches, 1},
        registers{"registers", clock, 2} {
    core0.mmio.bind(registers.port(0));
    core1.mmio.bind(registers.port(1));
  }

  MemorySystem system;
  cpu::Core core0;
  cpu::Core core1;
  Responder registers;
};

// What tests of the cores stand on.
class CorePairBench : public Bench {
 protected:
  explicit CorePairBench(const cpu::Params& cores = CorePair::small_core(),
                         const cache::Params& caches = MemorySystem::small_caches(),
                         const sim::ClockworkParams& params = {})
      : Bench{params}, pair{clock, bus, caches, cores} {}

  static constexpr auto cycle = 1_ns;
  static constexpr auto l1 = 1_ns;
  static constexpr auto l2 = 3_ns;
  static constexpr auto llc = MemorySystem::lookup;
  static constexpr auto snoop = MemorySystem::snoop;
  static constexpr auto dram = MemorySystem::dram;
  static constexpr auto line_transfer = MemorySystem::line;
  static constexpr auto miss = l1 + l2 + llc + dram;
  static constexpr auto reach_home = l1 + l2;  // from the core to where accesses take effect
  static constexpr auto fence = 15_ns;
  static constexpr Hpa device{0xf000'0000};  // outside memory: the responder

  // PAT entries after set_pat(), which adds WP and WC to what reset leaves.
  static constexpr cpu::PatIndex wb{0}, wt{1}, uc_minus{2}, uc{3}, wp{4}, wc{5};
  static void set_pat(cpu::Core& core) { core.wrmsr(cpu::msr::pat, 0x0007'0105'0007'0406); }
  // A variable range of the MTRRs: `bytes`, a power of two, from `base`, a multiple of it.
  static void set_range(cpu::Core& core, unsigned range, Hpa base, std::uint64_t bytes,
                        cpu::MemoryType type) {
    constexpr std::uint64_t addresses = (1ull << 52) - 1;
    core.wrmsr(cpu::msr::mtrr_phys_base0 + 2 * range,
               base.value | static_cast<std::uint64_t>(type));
    core.wrmsr(cpu::msr::mtrr_phys_mask0 + 2 * range,
               (~(bytes - 1) & addresses) | cpu::Mtrrs::PhysMask::valid::mask);
  }

  template <class Instruction>
  Picoseconds time_of(Instruction instruction) {
    const auto begin = now();
    instruction();
    return now() - begin;
  }

  cache::State state(unsigned core, Hpa at) {
    return pair.system.home.caches(core).state(at.line());
  }
  bool cached(Hpa at) {
    return state(0, at) != cache::State::invalid || state(1, at) != cache::State::invalid;
  }
  // Whether an access of some core would find the line in the shared level: asks with a snooped
  // device read, which changes no state, whether memory has to be read.
  bool in_shared_level(Hpa at) {
    const auto before = pair.system.home.coherence_stats().llc_misses.n;
    snooped(at);
    return pair.system.home.coherence_stats().llc_misses.n == before;
  }
  // What memory itself holds; what a device reads now, caches looked at or not.
  std::uint64_t memory(Hpa at) const { return value_of(pair.system.in_memory(at.value, 8)); }
  std::uint64_t snooped(Hpa at) { return read_by_device(at, true); }
  std::uint64_t not_snooped(Hpa at) { return read_by_device(at, false); }
  std::uint64_t read_by_device(Hpa at, bool snoop_caches) {
    pair.system.device.origin.snoop = snoop_caches;
    return pair.system.device.read(at.value, 8).value();  // takes effect at once
  }

  CorePair pair;
  cpu::Core& core0 = pair.core0;
  cpu::Core& core1 = pair.core1;
  Responder& registers = pair.registers;
};

// The exception that an instruction raises, if any.
template <class Instruction>
std::optional<cpu::Exception> raised(Instruction instruction) {
  try {
    instruction();
  } catch (const cpu::Fault& fault) {
    return fault.exception();
  }
  return std::nullopt;
}

}  // namespace ioasim::test
