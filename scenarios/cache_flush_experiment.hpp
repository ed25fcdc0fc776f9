// One flush of whole caches: lines are made dirty, a neighbour works in the last level, one or more
// cores execute wbinvd or wbnoinvd, and the neighbour goes over its lines once more.
#pragma once

#include <optional>
#include <vector>

#include "scenarios/simulation.hpp"
#include "trace/bus.hpp"

namespace ioasim::scenarios {

struct CacheFlushCase {
  bool invalidate;                    // wbinvd; else wbnoinvd
  std::uint64_t stored;               // bytes, whole lines, by core 0 into empty caches
  unsigned cores = 1;                 // cores 0, 1, .. that flush at once
  std::optional<unsigned> neighbour;  // a core that does not flush
  bool far = false;                   // it is at another socket
};

struct CacheFlushResult {
  std::uint64_t dirty_lines = 0;    // not in memory when the flush began
  std::uint64_t lines_written = 0;  // as the instructions tell
  std::uint64_t writebacks = 0;     // as the caches do
  Picoseconds duration{};           // from the first core's begin to the last one's end
  Picoseconds before{};             // mean latency of the neighbour's loads before the flush
  Picoseconds during{};             // and of those that it began while the flush ran
  Picoseconds lost{};               // what these took longer, all together
  std::uint64_t refills = 0;        // of its loads from then on, those that found no line in the
                                    // last level
};

class CacheFlushExperiment {
 public:
  // `stored`: the most that a case stores.
  CacheFlushExperiment(World& world, std::uint64_t stored);

  CacheFlushResult measure(const CacheFlushCase& what);

  // What the slowest of writing and looking at tags takes.
  Picoseconds bound(std::uint64_t dirty_lines, unsigned cores) const;
  // Memory takes lines as fast as its channels can: nothing else holds it up.
  bool writes_at_full_bandwidth() const;
  // The executing core's own level 2 is looked at before.
  Picoseconds own_scan() const;

 private:
  struct Neighbour;

  void flush_together(const CacheFlushCase& what);
  void work(kernel::Thread& thread, Neighbour& neighbour);
  void load_all(kernel::Thread& thread) const;

  World& world_;
  Prng random_;
  Hva dirty_;
  Hva shared_;  // the neighbour's lines: more than its level 2 holds, less than the last level
  std::uint64_t shared_lines_;
  std::uint64_t value_ = 0;  // every flush begins with a new one
};

}  // namespace ioasim::scenarios
