// The home agent: the point at which all accesses to memory are put in order. In front of it are
// the last-level cache, shared and inclusive, and the private caches of the cores; behind it is
// main memory.
//
// Models: MESI with data over L1, L2 and LLC; a directory (which cores hold a line, which one
// may have modified it) beside the LLC's tags; snooped and non-snooped device accesses, whole and
// partial; DDIO ways; clflush; wbinvd in chunks; latency of lookups, snoops and DRAM, bandwidth
// and queueing of DRAM.
// Does not model: transient states (a snoop takes effect in one step, its time is added),
// LLC slices and their bandwidth, several sockets. docs/limitations.md.
//
// An access takes effect, and its data are read or written, at the engine time at which it
// reaches the agent; what is computed from there is when the requester sees it.
#pragma once

#include <memory>
#include <vector>

#include "cache/line_array.hpp"
#include "cache/params.hpp"
#include "cache/private_caches.hpp"
#include "memory/origin.hpp"
#include "sim/sockets.hpp"
#include "sim/task.hpp"
#include "trace/bus.hpp"

namespace ioasim::cache {

struct HomeStats {
  stats::Counter core_reads;
  stats::Counter core_writes;
  stats::Counter llc_hits;
  stats::Counter llc_misses;
  stats::Counter snoops;
  stats::Counter evictions;
  stats::Counter writebacks;
  stats::Counter io_reads;
  stats::Counter io_writes;
  stats::Counter io_no_snoop_reads;
  stats::Counter io_no_snoop_writes;
  stats::Counter lines_flushed;

  static constexpr auto fields = std::tuple{
      Field{"core_reads", &HomeStats::core_reads, "lines that cores asked to read"},
      Field{"core_writes", &HomeStats::core_writes, "lines that cores asked to own"},
      Field{"llc_hits", &HomeStats::llc_hits, "lookups that found the line"},
      Field{"llc_misses", &HomeStats::llc_misses, "lookups that did not"},
      Field{"snoops", &HomeStats::snoops, "private caches that had to give up or share a line"},
      Field{"evictions", &HomeStats::evictions, "lines that left for another"},
      Field{"writebacks", &HomeStats::writebacks, "modified lines written to memory"},
      Field{"io_reads", &HomeStats::io_reads, "lines read by devices and walkers, snooped"},
      Field{"io_writes", &HomeStats::io_writes, "lines written by devices, snooped"},
      Field{"io_no_snoop_reads", &HomeStats::io_no_snoop_reads,
            "lines read from memory, caches not looked at"},
      Field{"io_no_snoop_writes", &HomeStats::io_no_snoop_writes,
            "lines written to memory, caches not looked at"},
      Field{"lines_flushed", &HomeStats::lines_flushed, "lines flushed by clflush or wbinvd"}};
};

class HomeAgent final : public sc_core::sc_module, public sim::Target, public sim::Initiator {
 public:
  using Stats = HomeStats;

  // Memory answers in the ranges of `memory_map` and nowhere else. Core numbers count from 0.
  HomeAgent(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
            const Params& params, unsigned cores, unsigned io_ports,
            std::vector<Range<Hpa>> memory_map);

  sim::TargetSocket& io(unsigned port) { return *io_[port]; }  // an IOMMU, or any initiator
  sim::InitiatorSocket memory;  // a target that answers at once: our DRAM

  // The core's side. Each is called at the engine time at which it takes effect.
  PrivateCaches& caches(unsigned core) { return *cores_[core]; }
  // A core's read or write missed its own caches: enters the line there, ready for the access,
  // and returns when it is.
  Picoseconds fetch(unsigned core, std::uint64_t line, bool write);
  // clflush. The line is in memory for whoever comes after; returns when the caches are done.
  Picoseconds flush(unsigned core, std::uint64_t line);
  // wbinvd of one core: its own caches and the shared level.
  sim::Task<> flush_all(unsigned core);

  bool holds(Hpa address, std::uint64_t bytes) const {
    for (const auto& range : memory_map_) {
      if (range.contains(Range{address, bytes})) return true;
    }
    return false;
  }
  const Stats& stats() const { return stats_; }

 private:
  static constexpr unsigned nobody = ~0u;

  struct Entry {
    bool dirty = false;         // differs from memory
    unsigned owner = nobody;    // the core that holds it Exclusive or Modified
    std::uint64_t holders = 0;  // cores that may hold it
  };
  using Slot = LineArray<Entry>::Slot;

  // A piece of a device's access within one line.
  struct Piece {
    std::uint64_t line;
    std::uint64_t offset;
    std::span<std::byte> data;
  };

  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;

  template <class Visit>
  static void for_each_piece(Hpa address, std::span<std::byte> data, Visit visit);
  Picoseconds io_access(sim::Transaction& transaction, const memory::Origin& origin,
                        Picoseconds at);
  Picoseconds io_read(const Piece& piece, Picoseconds at);
  Picoseconds io_write(const Piece& piece, Picoseconds at);
  Picoseconds bypass(const Piece& piece, bool write, Picoseconds at);
  void debug_piece(const Piece& piece, bool write);

  Slot allocate(std::uint64_t line, std::uint32_t ways, Picoseconds at);
  Picoseconds recall(Slot slot, unsigned except, bool invalidate, Picoseconds at);
  void take_back(unsigned core, const PrivateCaches::Victim& victim);
  void write_back(Slot slot, Picoseconds at);
  void drop(Slot slot, Picoseconds at);
  void flush_own(unsigned core);

  Picoseconds read_memory(std::uint64_t line, std::uint64_t offset, std::span<std::byte> into,
                          Picoseconds at);
  Picoseconds write_memory(std::uint64_t line, std::uint64_t offset,
                           std::span<const std::byte> from, Picoseconds at);
  void debug_memory(bool write, std::uint64_t address, std::span<std::byte> data);

  sim::Clockwork& clock_;
  trace::Bus& bus_;
  Params params_;
  std::vector<Range<Hpa>> memory_map_;
  LineArray<Entry> llc_;
  std::vector<std::unique_ptr<PrivateCaches>> cores_;
  std::vector<std::unique_ptr<sim::TargetSocket>> io_;
  sim::PayloadPool pool_;
  Stats stats_;
};

}  // namespace ioasim::cache
