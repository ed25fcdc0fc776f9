#include "scenarios/cache_flush_experiment.hpp"

#include <algorithm>

#include "scenarios/counters.hpp"
#include "scenarios/lines.hpp"

namespace ioasim::scenarios {
namespace {

// When the flushes of whole caches began and ended, and what they wrote.
class FlushRecorder final : public trace::Listener {
 public:
  explicit FlushRecorder(World& world) : world_{world} { world.listen(*this); }
  ~FlushRecorder() override { world_.unlisten(*this); }

  void on(Picoseconds at, const trace::Event& event) override {
    const auto* flushed = std::get_if<trace::CachesFlushed>(&event);
    if (flushed == nullptr) return;
    begin = std::min(begin, at - flushed->duration);
    end = std::max(end, at);
    lines_written += flushed->written_back;
  }

  Picoseconds begin = forever;
  Picoseconds end{};
  std::uint64_t lines_written = 0;

 private:
  World& world_;
};

constexpr std::uint64_t think_ps_max = 40'000;

std::uint64_t lines_of_neighbour(const cache::Params& params) {
  return std::min(2 * params.l2.capacity.count, params.llc.capacity.count / 4) / line_bytes;
}

}  // namespace

// What it shares with the user's thread.
struct CacheFlushExperiment::Neighbour {
  enum class Phase { warming, before, during, after } phase = Phase::warming;
  Picoseconds sum[2]{};
  std::int64_t loads[2]{};

  Picoseconds mean(unsigned n) const { return loads[n] == 0 ? Picoseconds{} : sum[n] / loads[n]; }
};

CacheFlushExperiment::CacheFlushExperiment(World& world, std::uint64_t stored)
    : world_{world},
      random_{world.random("neighbour")},
      dirty_{memory_of(world, stored)},
      shared_lines_{lines_of_neighbour(world.machine().description().cache)} {
  shared_ = memory_of(world, shared_lines_ * line_bytes);
}

CacheFlushResult CacheFlushExperiment::measure(const CacheFlushCase& what) {
  auto& user = world_.user();
  flush_caches(user);
  const Counters filled{world_};
  store_lines(user, dirty_, what.stored, ++value_);
  Neighbour neighbour;
  using Phase = Neighbour::Phase;
  if (what.neighbour) {
    world_.start_on(*what.neighbour, [&](kernel::Thread& thread) { work(thread, neighbour); });
    while (neighbour.phase != Phase::before || neighbour.loads[0] < 512) {
      user.cpu().execute(1_us);
    }
  }
  CacheFlushResult result{.dirty_lines = what.stored / line_bytes - filled.since("llc.writebacks")};
  const Counters flushed{world_};
  const FlushRecorder recorder{world_};
  neighbour.phase = Phase::during;
  flush_together(what);
  neighbour.phase = Phase::after;
  if (what.neighbour) world_.join(*what.neighbour);
  result.lines_written = recorder.lines_written;
  result.writebacks = flushed.since("llc.writebacks");
  result.duration = recorder.end - recorder.begin;
  result.before = neighbour.mean(0);
  result.during = neighbour.mean(1);
  result.lost = neighbour.sum[1] - result.before * neighbour.loads[1];
  result.refills = flushed.since("llc.llc_misses");
  return result;
}

void CacheFlushExperiment::flush_together(const CacheFlushCase& what) {
  for (unsigned n = 1; n < what.cores; ++n) {
    world_.start_on(n, [&](kernel::Thread& thread) { flush_caches(thread, what.invalidate); });
  }
  flush_caches(world_.user(), what.invalidate);
  for (unsigned n = 1; n < what.cores; ++n) world_.join(n);
}

// Line after line, round and round, until the flush is over; then every line once. What it does
// between its loads takes it some time, never the same: else it could keep step with the flush.
void CacheFlushExperiment::work(kernel::Thread& thread, Neighbour& neighbour) {
  using Phase = Neighbour::Phase;
  load_all(thread);
  neighbour.phase = Phase::before;
  for (std::uint64_t n = 0; neighbour.phase != Phase::after; n = (n + 1) % shared_lines_) {
    const unsigned when = neighbour.phase == Phase::before ? 0 : 1;
    const auto begin = thread.cpu().now();
    thread.load<std::uint64_t>(shared_ + n * line_bytes);
    neighbour.sum[when] += thread.cpu().now() - begin;
    ++neighbour.loads[when];
    thread.cpu().execute(Picoseconds{static_cast<std::int64_t>(random_.between(0, think_ps_max))});
  }
  load_all(thread);
}

void CacheFlushExperiment::load_all(kernel::Thread& thread) const {
  for (std::uint64_t n = 0; n < shared_lines_; ++n) {
    thread.load<std::uint64_t>(shared_ + n * line_bytes);
  }
}

Picoseconds CacheFlushExperiment::bound(std::uint64_t dirty_lines, unsigned cores) const {
  const auto& machine = world_.machine().description();
  const auto& llc = machine.cache.llc;
  const auto line_time = transfer_time(line_bytes, machine.memory.channel_bandwidth);
  const auto writing = line_time * static_cast<std::int64_t>(dirty_lines / machine.memory.channels);
  return std::max(writing, machine.cache.flush.tag_scan * tags_of_slice(llc) * cores);
}

// Buffers for what memory takes while it writes one line; no refresh in between.
bool CacheFlushExperiment::writes_at_full_bandwidth() const {
  const auto& machine = world_.machine().description();
  const auto& memory = machine.memory;
  const auto line_time = transfer_time(line_bytes, memory.channel_bandwidth);
  const auto needed = memory.channels * ((memory.latency / line_time) + 1);
  return memory.refresh_interval == Picoseconds{} && machine.cache.home.write_buffers >= needed;
}

Picoseconds CacheFlushExperiment::own_scan() const {
  const auto& cache = world_.machine().description().cache;
  return cache.flush.tag_scan * static_cast<std::int64_t>(cache.l2.capacity.count / line_bytes);
}

}  // namespace ioasim::scenarios
