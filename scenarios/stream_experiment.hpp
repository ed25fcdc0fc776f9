// A device that streams through a buffer, snooped or not, past lines that are in a known place:
// what it costs the device, the caches, memory, and a core that works beside it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "scenarios/dma_driver.hpp"
#include "scenarios/observers.hpp"

namespace ioasim::scenarios {

struct StreamCell {
  std::string_view lines;  // "memory" only, clean in the "llc" only, dirty in a "core"
  bool no_snoop;           // reads and writes of the device
};

struct StreamResult {
  Picoseconds read_latency{};    // mean over the read requests for data
  Decimal bandwidth{};           // Gb/s, from the first read to the last write
  std::uint64_t snooped = 0;     // requests for data that looked at caches
  std::uint64_t walk_reads = 0;  // reads of page walks, if any were needed
  std::uint64_t lookups = 0;     // all from here: for the data alone, over all caches
  std::uint64_t snoops = 0;
  std::uint64_t dram_reads = 0;
  std::uint64_t dram_writes = 0;
  std::uint64_t stale = 0;            // lines that the oracle says were read old
  std::uint64_t arrived_old = 0;      // lines that were old when they arrived
  std::optional<Decimal> slowdown{};  // of the neighbour, in %; none: there is no other core
};

class StreamExperiment {
 public:
  // The neighbour works on `set` bytes of its own.
  StreamExperiment(World& world, DmaDriver& driver, std::uint64_t bytes, std::uint64_t set);

  std::uint64_t line_count() const { return (bytes_ + line_bytes - 1) / line_bytes; }
  StreamResult try_cell(const StreamCell& cell);
  // Latency of one read of one line that is in memory alone, with nothing else to do.
  Picoseconds read_one_cold_line(bool no_snoop);

 private:
  struct Counts {
    std::uint64_t lookups, snoops, reads, writes, walk_reads;
  };

  void prepare(std::string_view lines);
  Counts counts_of(std::uint64_t bytes, std::uint32_t flags);
  Picoseconds neighbour_works();

  World& world_;
  kernel::Thread& user_;
  DmaDriver& driver_;
  std::uint64_t bytes_;
  std::uint64_t set_bytes_;
  Buffer source_;
  Buffer target_;
  Hva set_;         // the neighbour's
  Hva displacing_;  // read to displace all else from a core's caches
  std::uint64_t displacing_bytes_;
  std::optional<Picoseconds> undisturbed_{};  // the neighbour's time beside an idle device
  std::uint64_t value_ = 0;
};

void add_stream_columns(Report& report);
// Returns its name.
std::string add_stream_row(Report& report, const StreamCell& cell, const StreamResult& result);

}  // namespace ioasim::scenarios
