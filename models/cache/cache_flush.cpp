#include "cache/cache_flush.hpp"

#include <algorithm>
#include <utility>

#include "cache/defects.hpp"
#include "cache/home_agent.hpp"

namespace ioasim::cache {

sim::Task<> CacheFlushes::run(unsigned core, trace::Flush instruction) {
  auto& clock = home_.clock_;
  const auto begun = clock.now();
  catch_up();
  Flush flush{.core = core,
              .socket = home_.topology().socket_of(core),
              .instruction = instruction,
              .row = begun,
              .next = begun};
  under_way_.push_back(&flush);
  while (flush.part != Part::done) {
    if (flush.blocked) {
      co_await home_.slice(flush.socket, flush.blocked_in).settled.wait();
      flush.blocked = false;
      flush.next = std::max(flush.next, clock.now());
    } else {
      co_await sim::Until{clock, std::max(flush.next, soonest_end(flush))};
    }
    catch_up();
  }
  std::erase(under_way_, &flush);
  co_await sim::Until{clock, std::max(flush.next, flush.written)};
  TRACE(home_.bus_, clock.now(),
        trace::CachesFlushed{core, instruction, flush.lines, flush.lines_written,
                             clock.now() - begun});
}

void CacheFlushes::catch_up() {
  const auto now = home_.clock_.now();
  for (Flush* flush : under_way_) flush->blocked = false;  // perhaps; its line is asked again
  for (;;) {
    Flush* first = nullptr;
    for (Flush* flush : under_way_) {
      if (flush->part == Part::done || flush->blocked || flush->next > now) continue;
      if (first == nullptr || flush->next < first->next) first = flush;
    }
    if (first == nullptr) return;
    step(*first, now);
  }
}

void CacheFlushes::step(Flush& flush, Picoseconds now) {
  home_.clock_.progress();
  const bool finished = flush.part == Part::own ? step_own(flush) : step_shared(flush, now);
  if (!finished) return;
  flush.index = 0;
  flush.row = flush.row_end = flush.next;
  flush.part = flush.part == Part::own ? Part::shared : Part::done;
}

// One set of the core's level 2, or what is due of it. Returns whether it was the last.
bool CacheFlushes::step_own(Flush& flush) {
  PrivateCaches& own = home_.caches(flush.core);
  const auto end = (flush.index / own.ways() + 1) * own.ways();
  while (flush.index < end) {
    const auto line = own.line_at(flush.index);
    if (line && !flush_slot(flush, flush.index, *line)) return false;
    ++flush.index;
  }
  flush.next = std::max(flush.next, flush.row + home_.params_.flush.tag_scan * own.ways());
  flush.row = flush.next;
  return flush.index == own.slots();
}

// One set of one slice of the shared level, or what is due of it. Returns whether it was the last.
bool CacheFlushes::step_shared(Flush& flush, Picoseconds now) {
  auto& lines = home_.coherence_.shared(flush.socket).lines();
  const auto scan = home_.params_.flush.tag_scan * lines.ways();
  if (!flush.in_pipeline) {
    const auto start = home_.slice(flush.socket, flush.slice).pipeline.take(flush.next, scan);
    flush.in_pipeline = true;
    flush.row_end = std::max(flush.row_end, start + scan);
    flush.next = start;
  }
  // What has been flushed of the set already is passed over.
  const auto first = (flush.slice * lines.sets_per_slice() + flush.index) * lines.ways();
  for (auto slot = first; slot < first + lines.ways(); ++slot) {
    if (flush.next > now) return false;
    if (lines.valid(slot) && !flush_slot(flush, slot, lines.line(slot))) return false;
  }
  flush.in_pipeline = false;
  if (++flush.slice < lines.slices()) return false;
  flush.slice = 0;
  flush.next = std::max(flush.next, flush.row_end);
  flush.row = flush.next;
  const auto last = lines.sets_per_slice() - (has(Defect::flush_all_stops_early) ? 1 : 0);
  return ++flush.index >= last;
}

// Flushes the line of a slot, unless that must wait: until a time that is then the next, or, if
// the flush is blocked, for a request whose end is not known.
bool CacheFlushes::flush_slot(Flush& flush, std::uint32_t slot, std::uint64_t line) {
  HomeAgent::Access access = home_.begin_flush(flush.socket, line, flush.next);
  if (access.waits) {
    flush.blocked = true;
    flush.blocked_in = home_.coherence_.shared(flush.socket).lines().slice_of(line);
    return false;
  }
  if (access.looked_up > flush.next) {
    flush.next = access.looked_up;
    return false;
  }
  home_.current_ = &access;
  home_.time_ = access.looked_up;
  const auto result = flush.part == Part::own
                          ? home_.coherence_.flush_private(flush.core, slot, flush.instruction)
                          : home_.coherence_.flush_shared(flush.core, slot, flush.instruction);
  home_.current_ = nullptr;
  flush.written = std::max(flush.written, access.written);
  using Result = Coherence::FlushLine;
  if (result == Result::written) ++flush.lines_written;
  if (flush.instruction != trace::Flush::wbnoinvd && result != Result::kept) ++flush.lines;
  return true;
}

// If nothing but the scan of what is left takes time.
Picoseconds CacheFlushes::soonest_end(const Flush& flush) const {
  const auto& lines = home_.coherence_.shared(flush.socket).lines();
  const auto scan = home_.params_.flush.tag_scan;
  const auto row = scan * lines.ways();
  if (flush.part == Part::shared) return flush.row + row * (lines.sets_per_slice() - flush.index);
  const auto own = home_.coherence_.caches(flush.core).slots() - flush.index;
  return flush.row + scan * own + row * lines.sets_per_slice();
}

}  // namespace ioasim::cache
