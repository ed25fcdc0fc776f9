// Known ways to build this hardware wrongly, to prove that the suites would notice. A test build
// (IOASIM_DEFECTS) can switch one on; in every other build they do not exist.
#pragma once

#include <cstdint>

namespace ioasim::cache {

enum class Defect : std::uint8_t {
  none,
  lost_invalidation,       // a write leaves one sharer's copy valid
  writeback_dropped,       // a modified line that is evicted does not reach memory
  stale_forward,           // a modified owner is read, and the shared level's old data are given
  wrong_victim,            // the evicted line's address goes with its neighbour's data
  flush_misses_level,      // clflush does not reach level 1
  ddio_way_leak,           // device writes allocate in every way
  no_snoop_hits,           // a no-snoop write updates the last level
  merge_dropped,           // a partial device write loses what was modified in the line
  exclusive_while_shared,  // a reader is granted Exclusive beside other copies
  sharer_forgotten,        // the directory does not note a second reader
  back_invalidation_lost,  // an inclusive eviction leaves private copies
  filter_eviction_lost,    // a snoop-filter eviction leaves the private copy
  socket_not_asked,        // another socket's modified copy is not looked for
  flush_all_drops,         // wbinvd empties without writing back
  flush_all_stops_early,   // wbinvd leaves the last set
  write_back_keeps_dirty,  // clwb does not reach memory
  byte_enables_ignored,    // a partial no-snoop write writes the whole line
  owner_downgrade_lost,    // a modified owner that was read goes on writing
};

#ifdef IOASIM_DEFECTS
inline Defect built_in = Defect::none;
inline bool has(Defect defect) { return built_in == defect; }
#else
constexpr bool has(Defect) { return false; }
#endif

}  // namespace ioasim::cache
