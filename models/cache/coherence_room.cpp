// Room in the shared level and its filter: what comes back from cores, and what gives way.
#include <bit>

#include "base/check.hpp"
#include "cache/coherence.hpp"
#include "cache/defects.hpp"

namespace ioasim::cache {
namespace {

using trace::Place;

}  // namespace

// A line that left a core's caches comes back to the shared level. One that is not inclusive
// takes in what only this core held, or held modified.
void Coherence::take_back(unsigned core, const PrivateCaches::Victim& victim) {
  const unsigned socket = topology_.socket_of(core);
  LastLevel& shared = *sockets_[socket];
  Entry* entry = shared.entry(victim.line);
  CHECK(entry != nullptr || has(Defect::sharer_forgotten) || has(Defect::back_invalidation_lost) ||
        has(Defect::filter_eviction_lost) || has(Defect::lost_invalidation));
  if (entry == nullptr) return;
  entry->holders &= ~bit(core);
  if (entry->owner == core) entry->owner = nobody;
  Slot slot = shared.find(victim.line);
  if (slot == none) {
    if (!victim.dirty && entry->holders != 0) return;
    const Entry tracked = *entry;
    shared.filter_clear(victim.line);
    slot = allocate(socket, victim.line, TagArray::every_way);
    shared.lines().state(slot) = tracked;
    copy_line(shared.lines().data(slot), victim.data);
  }
  if (!victim.dirty) return;
  copy_line(shared.lines().data(slot), victim.data);
  shared.lines().state(slot).dirty = true;
  note_move(victim.line, {.data = {}, .from = Place::core, .number = core}, Place::llc, socket);
}

// A slot for a line that is absent, in one of the allowed ways.
Coherence::Slot Coherence::allocate(unsigned socket, std::uint64_t line, std::uint32_t ways) {
  auto& lines = sockets_[socket]->lines();
  const Slot slot = lines.victim(line, ways);
  if (lines.valid(slot)) evict(socket, slot);
  lines.fill(slot, line, Entry{});
  return slot;
}

void Coherence::evict(unsigned socket, Slot slot) {
  LastLevel& shared = *sockets_[socket];
  auto& lines = shared.lines();
  ++stats_.evictions;
  const auto line = lines.line(slot);
  Entry entry = lines.state(slot);
  if (shared.inclusive() && entry.holders != 0 && !has(Defect::back_invalidation_lost)) {
    Gathered found;
    Outcome unused;
    stats_.back_invalidations.n += static_cast<std::uint64_t>(std::popcount(entry.holders));
    take_from_cores(socket, line, ~0u, found, unused);
    if (found.dirty) {
      copy_line(lines.data(slot), found.data);
      note_move(line, found, Place::llc, socket);
      entry.dirty = true;
    }
  }
  if (entry.dirty && !has(Defect::writeback_dropped)) {
    const Slot from = has(Defect::wrong_victim) ? slot ^ 1u : slot;
    write_back(line, lines.data(from), Place::llc, socket);
  }
  lines.clear(slot);
  if (shared.inclusive() || entry.holders == 0) return;
  entry.dirty = false;
  track(socket, line, entry);
}

// The filter takes up a line. What it drops for it is dropped by the cores.
Entry& Coherence::track(unsigned socket, std::uint64_t line, const Entry& entry) {
  LastLevel& shared = *sockets_[socket];
  const auto slot = shared.filter_victim(line);
  if (shared.filter_valid(slot)) {
    const auto old = shared.filter_line(slot);
    stats_.back_invalidations.n +=
        static_cast<std::uint64_t>(std::popcount(shared.filter_entry(slot).holders));
    Gathered found;
    Outcome unused;
    if (!has(Defect::filter_eviction_lost)) take_from_cores(socket, old, ~0u, found, unused);
    if (found.dirty) write_back(old, found.data, found.from, found.number);
    shared.filter_clear(old);
  }
  return shared.filter_fill(slot, line, entry);
}

void Coherence::remove(unsigned socket, std::uint64_t line) {
  LastLevel& shared = *sockets_[socket];
  if (const Slot slot = shared.find(line); slot != none) {
    shared.lines().clear(slot);
  } else if (!shared.inclusive()) {
    shared.filter_clear(line);
  }
}

}  // namespace ioasim::cache
