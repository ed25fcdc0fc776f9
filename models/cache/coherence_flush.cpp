// Flushes of one line in the whole domain, and of one line in a flush of whole caches.
#include <bit>

#include "base/check.hpp"
#include "cache/coherence.hpp"
#include "cache/defects.hpp"

namespace ioasim::cache {
namespace {

using trace::Flush;
using trace::Place;

}  // namespace

Outcome Coherence::flush(unsigned socket, std::uint64_t line, bool keep) {
  Outcome outcome;
  outcome.hit = sockets_[socket]->find(line) != none;
  for (unsigned n = 0; n < sockets_.size(); ++n) {
    const Entry* entry = sockets_[n]->entry(line);
    if (entry == nullptr) continue;
    const bool deep = keep ? entry->owner != nobody : entry->holders != 0;
    if (n == socket) {
      outcome.snooped = deep;
    } else {
      outcome.sockets |= socket_bit(n);
      if (deep) outcome.deep |= socket_bit(n);
    }
    if (keep || has(Defect::flush_misses_level)) {
      outcome.dirty |= clean_socket(n, line);
      continue;
    }
    Gathered found;
    Outcome unused;
    ++stats_.lines_flushed;
    take_from_cores(n, line, ~0u, found, unused);
    take_socket(n, line, found);
    if (found.dirty) write_back(line, found.data, found.from, found.number);
    outcome.dirty |= found.dirty;
  }
  return outcome;
}

// Memory gets what the socket holds modified; every copy stays. Returns whether there was some.
bool Coherence::clean_socket(unsigned socket, std::uint64_t line) {
  LastLevel& shared = *sockets_[socket];
  Entry& entry = *shared.entry(line);
  const Slot slot = shared.find(line);
  LineBuffer data;
  bool was_dirty = false;
  if (has(Defect::write_back_keeps_dirty)) return false;
  if (entry.owner != nobody) {
    const unsigned owner = entry.owner;
    backing_.snoops(socket);
    was_dirty = cores_[owner]->clean(line, data);
    ++stats_.snoops;
    if (cores_[owner]->state(line) == State::shared) entry.owner = nobody;
    if (was_dirty) {
      write_back(line, data, Place::core, owner);
      if (slot != none) copy_line(shared.lines().data(slot), data);
    }
  }
  if (entry.dirty && !was_dirty) {
    write_back(line, shared.lines().data(slot), Place::llc, socket);
    was_dirty = true;
  }
  entry.dirty = false;
  return was_dirty;
}

bool Coherence::modified(unsigned socket, std::uint64_t line) {
  const Entry* entry = sockets_[socket]->entry(line);
  if (entry == nullptr) return false;
  return entry->dirty || (entry->owner != nobody && dirty(cores_[entry->owner]->state(line)));
}

// ---- one line of wbinvd, wbnoinvd, invd ----

// Modified data go to the shared level if it has the line, and reach memory when that is flushed.
Coherence::FlushLine Coherence::flush_private(unsigned core, std::uint32_t slot,
                                              Flush instruction) {
  PrivateCaches& own = *cores_[core];
  const auto line = own.line_at(slot);
  if (!line) return FlushLine::absent;
  const unsigned socket = topology_.socket_of(core);
  LastLevel& shared = *sockets_[socket];
  Entry& entry = *shared.entry(*line);
  const Slot below = shared.find(*line);
  LineBuffer data;
  const bool keep = instruction == Flush::wbnoinvd;
  const bool was_dirty = keep ? own.clean(*line, data) : own.invalidate(*line, data);
  if (!keep) {
    entry.holders &= ~bit(core);
    ++stats_.lines_flushed;
  }
  if (entry.owner == core && (!keep || own.state(*line) == State::shared)) entry.owner = nobody;
  const Hpa address{*line * line_bytes};
  bool written = false;
  if (was_dirty && instruction == Flush::invd) {
    TRACE(bus_, backing_.now(), trace::LineLost{address, Place::core, core});
  } else if (was_dirty && below != none) {
    copy_line(shared.lines().data(below), data);
    entry.dirty = true;
    note_move(*line, {.data = {}, .from = Place::core, .number = core}, Place::llc, socket);
  } else if (was_dirty && !has(Defect::flush_all_drops)) {
    write_back(*line, data, Place::core, core);
    written = true;
  }
  if (below == none && entry.holders == 0) shared.filter_clear(*line);
  if (written) return FlushLine::written;
  return keep ? FlushLine::kept : FlushLine::clean;
}

Coherence::FlushLine Coherence::flush_shared(unsigned core, std::uint32_t slot, Flush instruction) {
  const unsigned socket = topology_.socket_of(core);
  LastLevel& shared = *sockets_[socket];
  auto& lines = shared.lines();
  if (!lines.valid(slot)) return FlushLine::absent;
  const auto line = lines.line(slot);
  Entry& entry = lines.state(slot);
  const bool reaches_cores = shared.inclusive() && params_.flush.back_invalidate;
  if (instruction == Flush::wbnoinvd) {
    if (reaches_cores) return clean_socket(socket, line) ? FlushLine::written : FlushLine::kept;
    if (!entry.dirty) return FlushLine::kept;
    write_back(line, lines.data(slot), Place::llc, socket);
    entry.dirty = false;
    return FlushLine::written;
  }
  const bool lose = instruction == Flush::invd;
  const bool stays = shared.inclusive() && !reaches_cores && entry.holders != 0;
  if (stays && lose) return FlushLine::kept;
  Gathered found;
  if (reaches_cores && entry.holders != 0) {
    Outcome unused;
    stats_.back_invalidations.n += static_cast<std::uint64_t>(std::popcount(entry.holders));
    take_from_cores(socket, line, ~0u, found, unused);
  }
  const bool was_dirty = entry.dirty || found.dirty;
  if (was_dirty && lose) {
    TRACE(bus_, backing_.now(),
          trace::LineLost{Hpa{line * line_bytes}, found.dirty ? Place::core : Place::llc,
                          found.dirty ? found.number : socket});
  } else if (found.dirty) {
    write_back(line, found.data, found.from, found.number);
  } else if (entry.dirty && !has(Defect::flush_all_drops)) {
    write_back(line, lines.data(slot), Place::llc, socket);
  }
  const auto done = was_dirty && !lose ? FlushLine::written
                    : stays            ? FlushLine::kept
                                       : FlushLine::clean;
  if (stays) {
    entry.dirty = false;
    return done;
  }
  ++stats_.lines_flushed;
  Entry tracked = entry;
  lines.clear(slot);
  if (tracked.holders == 0) return done;
  tracked.dirty = false;
  track(socket, line, tracked);
  return done;
}

}  // namespace ioasim::cache
