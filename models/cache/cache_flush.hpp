// Flushes of whole caches (wbinvd, wbnoinvd, invd) as processes in time.
//
// A flush goes through the sets of the core's level 2, then through those of its socket's shared
// level, all slices side by side. A set takes the time to look at its tags, in the pipeline that
// lookups of others go through too; a modified line needs room in the socket's write buffer, and
// bandwidth of DRAM; a line that has a request under way, or is locked, is waited for.
//
// Each set is flushed at its own time, whoever looks: before anybody else's access takes effect,
// the sets whose time has come are flushed first. So there is no event for each set, and no
// difference.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/task.hpp"
#include "trace/events.hpp"

namespace ioasim::cache {

class HomeAgent;

class CacheFlushes {
 public:
  explicit CacheFlushes(HomeAgent& home) : home_{home} {}

  bool active() const { return !under_way_.empty(); }
  // Carries every flush on to now.
  void catch_up();
  // Returns when all is done, and what was written is in memory.
  sim::Task<> run(unsigned core, trace::Flush instruction);

 private:
  enum class Part : std::uint8_t { own, shared, done };
  struct Flush {
    unsigned core;
    unsigned socket;
    trace::Flush instruction;
    Part part = Part::own;
    std::uint32_t index = 0;  // slot of level 2; then set of the shared level's slices
    unsigned slice = 0;
    bool in_pipeline = false;
    Picoseconds row{};        // when the scan of this set, in all slices, began
    Picoseconds row_end{};    // and when it will have ended in those that were scanned
    Picoseconds next{};       // when the next set of a slice is due
    Picoseconds written{};    // all that was written is in memory
    bool blocked = false;     // by a request whose end is not known
    unsigned blocked_in = 0;  // slice of that
    std::uint64_t lines = 0;
    std::uint64_t lines_written = 0;
  };

  void step(Flush& flush, Picoseconds now);
  bool step_own(Flush& flush);
  bool step_shared(Flush& flush, Picoseconds now);
  bool flush_slot(Flush& flush, std::uint32_t slot, std::uint64_t line);
  Picoseconds soonest_end(const Flush& flush) const;

  HomeAgent& home_;
  std::vector<Flush*> under_way_;
};

}  // namespace ioasim::cache
