// Software threads on cores: what one access costs the host, and how that grows with cores.
#include <fmt/format.h>

#include <memory>

#include "cpu/core.hpp"
#include "measurement.hpp"
#include "memory/dram.hpp"

namespace ioasim::bench {
namespace {

constexpr Bytes capacity{1u << 30};

// Where uncached accesses of the cores would go.
class Nothing final : public sc_core::sc_module, public sim::Target {
 public:
  Nothing(const sc_core::sc_module_name& name, sim::Clockwork& clock, unsigned cores)
      : sc_module{name} {
    for (unsigned n = 0; n < cores; ++n) {
      sockets_.push_back(
          std::make_unique<sim::TargetSocket>(fmt::format("core{}", n).c_str(), clock, *this, n));
    }
  }
  sim::TargetSocket& core(unsigned n) { return *sockets_[n]; }

 private:
  std::optional<Picoseconds> request(unsigned, sim::Transaction&, Picoseconds) override {
    UNREACHABLE();
  }
  unsigned debug(unsigned, sim::Transaction&) override { return 0; }

  std::vector<std::unique_ptr<sim::TargetSocket>> sockets_;
};

// Each core loads, and now and then stores, in a buffer of its own and in one that all share.
enum class Pattern { hits, mixed };

class Program final : public sc_core::sc_module {
 public:
  Program(const sc_core::sc_module_name& name, cpu::Core& core, Meter& meter, Pattern pattern)
      : sc_module{name}, core_{core}, meter_{meter}, pattern_{pattern} {
    SC_HAS_PROCESS(Program);
    SC_THREAD(run);
  }

 private:
  static constexpr std::uint64_t hot_bytes = 16u << 10;     // of one core: stays in level 1
  static constexpr std::uint64_t own_bytes = 512u << 10;    // of one core: beyond level 2
  static constexpr std::uint64_t shared_bytes = 64u << 10;  // of all

  void run() {
    const Hpa own{(64ull + core_.number()) << 20};
    std::uint64_t draw = core_.number();
    while (meter_.issue()) {
      draw = draw * 6364136223846793005ull + 1442695040888963407ull;  // Knuth, MMIX
      Hpa at = own + (draw >> 32) % hot_bytes / 8 * 8;
      if (pattern_ == Pattern::mixed) {
        if (draw >> 60 == 0) at = own + (draw >> 32) % own_bytes / 8 * 8;
        if (draw >> 60 == 1) at = Hpa{1u << 20} + (draw >> 32) % shared_bytes / 8 * 8;
      }
      if (pattern_ == Pattern::mixed && (draw >> 56 & 7) == 0) {
        core_.store<std::uint64_t>(at, draw);
      } else {
        core_.load<std::uint64_t>(at);
      }
      meter_.complete({});
    }
  }

  cpu::Core& core_;
  Meter& meter_;
  Pattern pattern_;
};

Measurement run_cores(Pattern pattern, unsigned cores, unsigned sockets, std::uint64_t accesses) {
  Meter meter{accesses};
  sim::Clockwork clock{"clockwork"};
  trace::Bus bus;
  const cache::Params caches;
  memory::Dram memory{"memory", clock, {.capacity = capacity}, sockets};
  cache::HomeAgent home{"llc",
                        clock,
                        bus,
                        caches,
                        {.sockets = sockets, .cores = cores},
                        {},
                        {{Hpa{0}, capacity.count}}};
  home.memory.bind(memory.home);
  Nothing nothing{"nothing", clock, cores};
  std::vector<std::unique_ptr<cpu::Core>> all;
  std::vector<std::unique_ptr<Program>> programs;
  for (unsigned n = 0; n < cores; ++n) {
    all.push_back(std::make_unique<cpu::Core>(fmt::format("core{}", n).c_str(), clock, bus, home,
                                              cpu::Params{}, caches, n));
    all[n]->mmio.bind(nothing.core(n));
    programs.push_back(
        std::make_unique<Program>(fmt::format("program{}", n).c_str(), *all[n], meter, pattern));
  }
  sc_core::sc_start();
  return meter.result(clock.events());
}

}  // namespace

std::vector<Subject> core_subjects() {
  return {{"cores/l1_hit", "one core, loads that hit in level 1", 4'000'000,
           [](std::uint64_t n) { return run_cores(Pattern::hits, 1, 1, n); }},
          {"cores/2", "two cores: level 1, last level, shared lines", 1'000'000,
           [](std::uint64_t n) { return run_cores(Pattern::mixed, 2, 1, n); }},
          {"cores/32", "the same on two sockets of 16 cores", 1'000'000,
           [](std::uint64_t n) { return run_cores(Pattern::mixed, 32, 2, n); }}};
}

}  // namespace ioasim::bench
