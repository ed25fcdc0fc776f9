// Accesses that bring no line into a core: those of devices and walkers, and uncached and
// write-through ones of cores.
#include "cache/coherence.hpp"
#include "cache/defects.hpp"

namespace ioasim::cache {
namespace {

using trace::Place;

}  // namespace

Outcome Coherence::device_read(unsigned socket, const Piece& piece) {
  Outcome outcome;
  LineBuffer data;
  const bool here = look(socket, piece.line, data, outcome);
  ++(outcome.hit ? stats_.llc_hits : stats_.llc_misses);
  if (here || look_elsewhere(socket, piece.line, data, outcome)) {
    std::memcpy(piece.data.data(), data.data() + piece.offset, piece.data.size());
  } else {
    backing_.read_memory(piece.line, piece.offset, piece.data);
    outcome.memory = true;
  }
  return outcome;
}

// A socket that can answer for the line shows it, without any change of state.
bool Coherence::look(unsigned socket, std::uint64_t line, LineBuffer& data, Outcome& outcome) {
  LastLevel& shared = *sockets_[socket];
  const Slot slot = shared.find(line);
  if (slot != none) shared.lines().touch(slot);
  const Entry* entry = slot != none ? &shared.lines().state(slot) : shared.filtered(line);
  if (entry == nullptr) return false;
  outcome.hit = slot != none;
  if (entry->owner != nobody) {
    outcome.snooped = true;
    ++stats_.snoops;
    outcome.dirty = cores_[entry->owner]->peek(line, data);
    outcome.place = Place::core;
    outcome.number = entry->owner;
    if (outcome.dirty || slot == none) return true;
  }
  if (slot == none) return false;
  outcome.place = Place::llc;
  outcome.number = socket;
  copy_line(data, shared.lines().data(slot));
  outcome.dirty |= entry->dirty;
  return true;
}

bool Coherence::look_elsewhere(unsigned socket, std::uint64_t line, LineBuffer& data,
                               Outcome& outcome) {
  if (has(Defect::socket_not_asked)) return false;
  for (unsigned other = 0; other < sockets_.size(); ++other) {
    const Entry* entry = other == socket ? nullptr : sockets_[other]->entry(line);
    if (entry == nullptr) continue;
    if (!entry->unique && !entry->forward && !entry->dirty && entry->owner == nobody) continue;
    Outcome inner;
    if (!look(other, line, data, inner)) continue;
    outcome.sockets |= socket_bit(other);
    if (inner.snooped) outcome.deep |= socket_bit(other);
    outcome.dirty |= inner.dirty;
    outcome.place = inner.place;
    outcome.number = inner.number;
    return true;
  }
  return false;
}

// ItoM for a whole line, read-for-ownership and merge for a part.
Outcome Coherence::device_write(unsigned socket, const Piece& piece, std::uint32_t ways) {
  LastLevel& shared = *sockets_[socket];
  Outcome outcome;
  Gathered found;
  Slot slot = shared.find(piece.line);
  const Entry* entry = slot != none ? &shared.lines().state(slot) : shared.filtered(piece.line);
  const bool unique = entry != nullptr && entry->unique;
  outcome.hit = slot != none;
  ++(outcome.hit ? stats_.llc_hits : stats_.llc_misses);
  if (outcome.hit) ++stats_.device_write_hits;
  if (entry != nullptr && entry->holders != 0) {
    take_from_cores(socket, piece.line, ~0u, found, outcome);
  }
  if (!unique) {
    outcome.asked_home = ways != 0 && (!outcome.hit || sockets_.size() > 1);
    if (sockets_.size() > 1) take_elsewhere(socket, piece.line, found, outcome);
  }
  outcome.dirty = found.dirty;
  if (ways == 0) {
    take_socket(socket, piece.line, found);
    write_merged(piece, found);
    return outcome;
  }
  if (slot != none) {
    shared.lines().touch(slot);
    if (found.dirty && !has(Defect::merge_dropped)) {
      copy_line(shared.lines().data(slot), found.data);
      note_move(piece.line, found, Place::llc, socket);
    }
  } else {
    if (entry != nullptr) shared.filter_clear(piece.line);
    slot = allocate(socket, piece.line, has(Defect::ddio_way_leak) ? TagArray::every_way : ways);
    if (found.have) {
      copy_line(shared.lines().data(slot), found.data);
      if (found.dirty) note_move(piece.line, found, Place::llc, socket);
    } else if (!piece.whole()) {
      backing_.read_memory(piece.line, 0, shared.lines().data(slot));
      outcome.memory = true;
    }
  }
  std::memcpy(shared.lines().data(slot).data() + piece.offset, piece.data.data(),
              piece.data.size());
  shared.lines().state(slot) = Entry{.dirty = true};
  outcome.place = Place::llc;
  outcome.number = socket;
  return outcome;
}

// To memory; modified bytes that were found around a part go with it.
void Coherence::write_merged(const Piece& piece, Gathered& found) {
  if (found.dirty && !piece.whole()) {
    if (!has(Defect::merge_dropped)) write_back(piece.line, found.data, found.from, found.number);
  }
  backing_.write_memory(piece.line, piece.offset, piece.data);
}

// ---- cores ----

Outcome Coherence::read_uncached(unsigned core, const Piece& piece) {
  Outcome outcome = flush(topology_.socket_of(core), piece.line, false);
  backing_.read_memory(piece.line, piece.offset, piece.data);
  outcome.memory = true;
  return outcome;
}

Outcome Coherence::write_uncached(unsigned core, const Piece& piece) {
  const Outcome outcome = flush(topology_.socket_of(core), piece.line, false);
  backing_.write_memory(piece.line, piece.offset, piece.data);
  return outcome;
}

Outcome Coherence::read_without_fill(unsigned core, const Piece& piece) {
  return device_read(topology_.socket_of(core), piece);
}

Outcome Coherence::write_through(unsigned core, const Piece& piece) {
  const unsigned socket = topology_.socket_of(core);
  LastLevel& shared = *sockets_[socket];
  Outcome outcome;
  Gathered found;
  if (Entry* entry = shared.entry(piece.line); entry != nullptr) {
    const bool unique = entry->unique;
    take_from_cores(socket, piece.line, core, found, outcome);
    if (!unique) take_elsewhere(socket, piece.line, found, outcome);
    entry->unique = true;
    if (const Slot slot = shared.find(piece.line); slot != none) {
      outcome.hit = true;
      if (found.dirty) copy_line(shared.lines().data(slot), found.data);
    } else if (entry->holders == 0) {
      shared.filter_clear(piece.line);
    }
  } else {
    take_elsewhere(socket, piece.line, found, outcome);
  }
  if (found.dirty) write_back(piece.line, found.data, found.from, found.number);
  poke(piece);
  return outcome;
}

// ---- the back door ----

void Coherence::peek(const Piece& piece) {
  LineBuffer data;
  bool found = false;
  for (unsigned socket = 0; socket < sockets_.size() && !found; ++socket) {
    const Entry* entry = sockets_[socket]->entry(piece.line);
    if (entry == nullptr) continue;
    const Slot slot = sockets_[socket]->find(piece.line);
    if (entry->owner != nobody) found = cores_[entry->owner]->peek(piece.line, data);
    if (!found && slot != none && (entry->dirty || entry->unique)) {
      copy_line(data, sockets_[socket]->lines().data(slot));
      found = true;
    }
  }
  if (found) {
    std::memcpy(piece.data.data(), data.data() + piece.offset, piece.data.size());
  } else {
    backing_.read_memory(piece.line, piece.offset, piece.data);
  }
}

void Coherence::poke(const Piece& piece) {
  backing_.write_memory(piece.line, piece.offset, piece.data);
  for (auto& core : cores_) core->poke(piece.line, piece.offset, piece.data);
  for (auto& socket : sockets_) {
    if (const Slot slot = socket->find(piece.line); slot != none) {
      std::memcpy(socket->lines().data(slot).data() + piece.offset, piece.data.data(),
                  piece.data.size());
    }
  }
}

}  // namespace ioasim::cache
