// A core: executes one software thread, in order, one instruction after another.
//
// Models: cached loads and stores through L1 and L2 with several line misses in flight within one
// access, clflush, wbinvd, mfence, uncached MMIO with its spacing, interrupts by vector.
// Does not model: instruction fetch, TLB, store buffer (a store is globally visible when it
// returns), speculation, memory types. docs/limitations.md.
#pragma once

#include <bitset>
#include <optional>

#include "cache/home_agent.hpp"
#include "cpu/instructions.hpp"
#include "cpu/params.hpp"
#include "sim/software_thread.hpp"

namespace ioasim::cpu {

class Core final : public sc_core::sc_module, public Instructions, public sim::Initiator {
 public:
  struct Stats {
    stats::Counter loads;
    stats::Counter stores;
    stats::Counter flushes;
    stats::Counter uncached_reads;
    stats::Counter uncached_writes;
    stats::Counter interrupts;

    static constexpr auto fields =
        std::tuple{Field{"loads", &Stats::loads, "cached loads"},
                   Field{"stores", &Stats::stores, "cached stores"},
                   Field{"flushes", &Stats::flushes, "lines flushed by clflush"},
                   Field{"uncached_reads", &Stats::uncached_reads, "uncached reads"},
                   Field{"uncached_writes", &Stats::uncached_writes, "uncached writes"},
                   Field{"interrupts", &Stats::interrupts, "interrupts taken"}};
  };

  Core(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
       cache::HomeAgent& home, const Params& params, const cache::Params& caches, unsigned number);

  sim::InitiatorSocket mmio;  // the MMIO router

  unsigned number() const override { return number_; }
  Picoseconds now() const override { return clock_.now(); }
  using Instructions::load;
  using Instructions::store;
  void load(Hpa address, std::span<std::byte> into) override;
  void store(Hpa address, std::span<const std::byte> from) override;
  void clflush(Hpa address) override;
  void wbinvd() override;
  void mfence() override;
  std::uint64_t read_uncached(Hpa address, unsigned bytes) override;
  void write_uncached(Hpa address, std::uint64_t value, unsigned bytes) override;
  void execute(Picoseconds duration) override;
  bool wait_for_interrupt(std::uint8_t vector, Picoseconds timeout) override;

  // The local APIC has accepted a message for this core.
  void interrupt(std::uint8_t vector);

  const Stats& stats() const { return stats_; }
  const cache::PrivateCaches::Stats& cache_stats() const { return caches_.stats(); }

 private:
  // One line's part of a cached access.
  struct Piece {
    std::uint64_t line;
    std::uint64_t offset;
    std::byte* data;
    std::uint64_t bytes;
    bool write;
  };

  void access(Hpa address, std::span<std::byte> data, bool write);
  void move(const Piece& piece);
  void start_miss(const Piece& piece, Picoseconds at);
  void miss(std::uint64_t buffer);
  void filled(std::uint64_t buffer);
  void flush_line(std::uint64_t line);
  sim::Task<> flush_caches();
  void finish(Picoseconds at);
  void await_finish();
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;

  sim::Clockwork& clock_;
  trace::Bus& bus_;
  cache::HomeAgent& home_;
  cache::PrivateCaches& caches_;
  Params params_;
  Picoseconds cycle_;
  Picoseconds l1_lookup_;
  Picoseconds l2_lookup_;
  unsigned number_;
  sim::SoftwareThread thread_;
  std::vector<Piece> fill_buffers_;
  std::vector<std::uint64_t> free_buffers_;
  std::bitset<256> pending_interrupts_;
  sim::PayloadPool pool_;
  Picoseconds next_uncached_write_{};
  // When the instruction that the thread waits for is done, once that is known.
  std::optional<Picoseconds> finished_at_;
  Stats stats_;
};

}  // namespace ioasim::cpu
