#include "cache/coherence.hpp"

#include <bit>

#include "base/check.hpp"
#include "cache/defects.hpp"

namespace ioasim::cache {
namespace {

using trace::Place;

template <class Visit>
void for_each_core(std::uint64_t holders, Visit visit) {
  for (; holders != 0; holders &= holders - 1) {
    visit(static_cast<unsigned>(std::countr_zero(holders)));
  }
}

}  // namespace

Coherence::Coherence(const Params& params, const Topology& topology, Backing& backing,
                     trace::Bus& bus, std::uint64_t seed)
    : params_{params}, topology_{topology}, backing_{backing}, bus_{bus} {
  CHECK(topology.sockets >= 1 && topology.sockets <= 4 && topology.cores <= 64);
  for (unsigned n = 0; n < topology.sockets; ++n) {
    sockets_.push_back(std::make_unique<LastLevel>(params, seed));
  }
  for (unsigned n = 0; n < topology.cores; ++n) {
    cores_.push_back(std::make_unique<PrivateCaches>(params, seed));
  }
}

// ---- a core's miss ----

Outcome Coherence::fetch(unsigned core, std::uint64_t line, Want want) {
  const unsigned socket = topology_.socket_of(core);
  Outcome outcome;
  outcome.hit = sockets_[socket]->find(line) != none;
  ++(outcome.hit ? stats_.llc_hits : stats_.llc_misses);
  Gathered found;
  if (want == Want::read) {
    share_here(socket, line, core, found, outcome);
    const Entry* entry = sockets_[socket]->entry(line);
    bool alone = entry == nullptr || entry->unique;
    if (!found.have) alone = share_elsewhere(socket, line, found, outcome) && alone;
    if (!found.have) {
      backing_.read_memory(line, 0, found.data);
      outcome.memory = true;
    }
    grant_read(core, line, found, alone);
  } else {
    own_here(socket, line, core, found, outcome);
    if (!found.have) {
      backing_.read_memory(line, 0, found.data);
      outcome.memory = true;
    }
    grant_write(core, line, found, want);
  }
  outcome.dirty = found.dirty;
  return outcome;
}

// The reader's own socket: its owner answers, or the shared level does.
void Coherence::share_here(unsigned socket, std::uint64_t line, unsigned reader, Gathered& found,
                           Outcome& outcome) {
  LastLevel& shared = *sockets_[socket];
  const Entry* entry = shared.entry(line);
  if (entry == nullptr) return;
  const Slot slot = shared.find(line);
  if (slot != none) {
    shared.lines().touch(slot);
  } else {
    shared.filter_touch(line);
  }
  if (entry->owner != nobody && entry->owner != reader) {
    outcome.snooped = true;
    share_owner(socket, line, found);
  } else if (slot != none) {
    copy_line(found.data, shared.lines().data(slot));
    found.have = true;
  }
}

// The owner gives the line to a reader of its own socket, and keeps it.
void Coherence::share_owner(unsigned socket, std::uint64_t line, Gathered& found) {
  LastLevel& shared = *sockets_[socket];
  Entry& entry = *shared.entry(line);
  Slot slot = shared.find(line);
  const unsigned owner = entry.owner;
  backing_.snoops(socket);
  const bool was_dirty =
      cores_[owner]->share(line, found.data, after_read_of_dirty(params_.protocol));
  ++stats_.snoops;
  found.have = true;
  if (has(Defect::stale_forward) && slot != none) copy_line(found.data, shared.lines().data(slot));
  if (was_dirty && params_.protocol == Protocol::moesi) return;  // it goes on answering
  entry.owner = nobody;
  if (!was_dirty) return;
  found.from = Place::core;
  found.number = owner;
  if (slot == none) {  // the shared level takes it, as it would a line that left the core
    const Entry tracked = entry;
    shared.filter_clear(line);
    slot = allocate(socket, line, TagArray::every_way);
    shared.lines().state(slot) = tracked;
  }
  copy_line(shared.lines().data(slot), found.data);
  shared.lines().state(slot).dirty = true;
  note_move(line, found, Place::llc, socket);
}

// Every other socket that holds the line shares it. Returns whether none does.
bool Coherence::share_elsewhere(unsigned socket, std::uint64_t line, Gathered& found,
                                Outcome& outcome) {
  bool alone = true;
  if (has(Defect::socket_not_asked)) return alone;
  for (unsigned other = 0; other < sockets_.size(); ++other) {
    if (other == socket || sockets_[other]->entry(line) == nullptr) continue;
    alone = false;
    share_socket(other, line, found, outcome);
  }
  return alone;
}

// A socket shares the line with another one: modified data go to memory, unless the protocol
// leaves them with their owner.
void Coherence::share_socket(unsigned socket, std::uint64_t line, Gathered& found,
                             Outcome& outcome) {
  LastLevel& shared = *sockets_[socket];
  Entry& entry = *shared.entry(line);
  const Slot slot = shared.find(line);
  const bool moesi = params_.protocol == Protocol::moesi;
  bool answers = entry.unique || entry.forward || entry.dirty;
  bool was_dirty = false;
  if (entry.owner != nobody) {
    const unsigned owner = entry.owner;
    backing_.snoops(socket);
    was_dirty = cores_[owner]->share(line, found.data, after_read_of_dirty(params_.protocol));
    found.have = answers = true;
    outcome.deep |= socket_bit(socket);
    ++stats_.snoops;
    if (was_dirty && !moesi) {
      write_back(line, found.data, Place::core, owner);
      if (slot != none) copy_line(shared.lines().data(slot), found.data);
      entry.dirty = false;
    }
    if (!(was_dirty && moesi)) entry.owner = nobody;
  } else if (slot != none && answers) {
    copy_line(found.data, shared.lines().data(slot));
    found.have = true;
  }
  if (entry.dirty && !was_dirty && !moesi) {
    write_back(line, shared.lines().data(slot), Place::llc, socket);
    entry.dirty = false;
  }
  if (answers) outcome.sockets |= socket_bit(socket);
  entry.unique = false;
  entry.forward = false;
}

// The writer's socket gives up every other copy, and so does every other socket.
void Coherence::own_here(unsigned socket, std::uint64_t line, unsigned writer, Gathered& found,
                         Outcome& outcome) {
  LastLevel& shared = *sockets_[socket];
  Entry* entry = shared.entry(line);
  const bool unique = entry != nullptr && entry->unique;
  if (entry != nullptr) {
    take_from_cores(socket, line, writer, found, outcome);
    if (const Slot slot = shared.find(line); slot != none) {
      shared.lines().touch(slot);
      if (found.dirty) {
        copy_line(shared.lines().data(slot), found.data);
        note_move(line, found, Place::llc, socket);
        shared.lines().state(slot).dirty = true;
      } else {
        copy_line(found.data, shared.lines().data(slot));
        found.have = true;
      }
      found.dirty = shared.lines().state(slot).dirty;
      found.from = Place::llc;
      found.number = socket;
    }
    // An upgrade: the writer holds the data already.
    if (!found.have && cores_[writer]->state(line) != State::invalid) found.have = true;
  }
  if (unique) return;
  if (found.have) outcome.asked_home = sockets_.size() > 1;
  take_elsewhere(socket, line, found, outcome);
}

// Every core of the socket but one drops the line.
void Coherence::take_from_cores(unsigned socket, std::uint64_t line, unsigned except,
                                Gathered& found, Outcome& outcome) {
  Entry& entry = *sockets_[socket]->entry(line);
  auto others = except < topology_.cores ? entry.holders & ~bit(except) : entry.holders;
  if (has(Defect::lost_invalidation) && entry.owner == nobody) others &= others - 1;
  if (others != 0) backing_.snoops(socket);
  LineBuffer data;
  for_each_core(others, [&](unsigned core) {
    outcome.snooped = true;
    ++stats_.snoops;
    const bool was_dirty = cores_[core]->invalidate(line, data);
    if (!was_dirty && (found.have || core != entry.owner)) return;
    found.data = data;
    found.have = true;
    found.dirty = was_dirty;
    found.from = Place::core;
    found.number = core;
  });
  entry.holders &= ~others;
  if (entry.owner != nobody && (others & bit(entry.owner)) != 0) entry.owner = nobody;
}

void Coherence::take_elsewhere(unsigned socket, std::uint64_t line, Gathered& found,
                               Outcome& outcome) {
  if (has(Defect::socket_not_asked)) return;
  for (unsigned other = 0; other < sockets_.size(); ++other) {
    if (other == socket || sockets_[other]->entry(line) == nullptr) continue;
    Outcome inner;
    Gathered taken;
    take_from_cores(other, line, ~0u, taken, inner);
    take_socket(other, line, taken);
    outcome.sockets |= socket_bit(other);
    if (inner.snooped) outcome.deep |= socket_bit(other);
    if (taken.dirty || (taken.have && !found.have)) found = taken;
  }
}

// The shared level of a socket, whose cores have dropped the line, drops it too.
void Coherence::take_socket(unsigned socket, std::uint64_t line, Gathered& found) {
  LastLevel& shared = *sockets_[socket];
  const Slot slot = shared.find(line);
  if (slot != none && !found.dirty) {
    const Entry& entry = shared.lines().state(slot);
    if (entry.dirty || entry.unique || entry.forward) {
      copy_line(found.data, shared.lines().data(slot));
      found.have = true;
      found.dirty = entry.dirty;
      found.from = Place::llc;
      found.number = socket;
    }
  }
  remove(socket, line);
}

// ---- the requester gets the line ----

void Coherence::grant_read(unsigned core, std::uint64_t line, const Gathered& found, bool alone) {
  const unsigned socket = topology_.socket_of(core);
  LastLevel& shared = *sockets_[socket];
  const bool mesif = params_.protocol == Protocol::mesif;
  Entry entry{.unique = alone, .forward = mesif && !alone};
  if (const Entry* known = shared.entry(line)) {
    entry = {
        .holders = known->holders & ~bit(core), .unique = known->unique, .forward = known->forward};
  } else {
    enter(socket, line, entry, found);
  }
  State state = State::shared;
  if ((entry.holders == 0 && alone) || has(Defect::exclusive_while_shared)) {
    state = State::exclusive;
  } else if (mesif && shared.find(line) == none) {
    state = State::forward;
  }
  fill(core, line, state, found.data);
  Entry* known = shared.entry(line);
  if (known == nullptr) known = &enter(socket, line, entry, found);
  if (!has(Defect::sharer_forgotten) || known->holders == 0) known->holders |= bit(core);
  if (state != State::shared) known->owner = static_cast<std::uint8_t>(core);
}

void Coherence::grant_write(unsigned core, std::uint64_t line, const Gathered& found, Want want) {
  const unsigned socket = topology_.socket_of(core);
  LastLevel& shared = *sockets_[socket];
  const bool was_owned = cores_[core]->state(line) == State::owned;
  if (!shared.inclusive()) remove(socket, line);  // the core's copy is the only one
  if (shared.entry(line) == nullptr) {
    enter(socket, line, Entry{.dirty = found.dirty}, found);
  } else if (found.dirty && !(found.from == Place::llc && found.number == socket)) {
    const Slot slot = shared.find(line);
    copy_line(shared.lines().data(slot), found.data);
    shared.lines().state(slot).dirty = true;
    note_move(line, found, Place::llc, socket);
  }
  const bool pass_on = found.dirty && !shared.inclusive();
  if (pass_on) note_move(line, found, Place::core, core);
  const bool modified = want == Want::write || pass_on || was_owned;
  fill(core, line, modified ? State::modified : State::exclusive, found.data);
  Entry* known = shared.entry(line);
  if (known == nullptr) known = &enter(socket, line, Entry{}, found);
  *known = {.holders = bit(core),
            .owner = static_cast<std::uint8_t>(core),
            .dirty = known->dirty,
            .unique = true,
            .forward = false};
}

// A line that is new to the socket gets its entry: with its data in an inclusive shared level,
// else in the filter.
Entry& Coherence::enter(unsigned socket, std::uint64_t line, const Entry& entry,
                        const Gathered& found) {
  LastLevel& shared = *sockets_[socket];
  if (!shared.inclusive()) {
    Entry tracked = entry;
    tracked.dirty = false;
    return track(socket, line, tracked);
  }
  const Slot slot = allocate(socket, line, TagArray::every_way);
  copy_line(shared.lines().data(slot), found.data);
  if (entry.dirty) note_move(line, found, Place::llc, socket);
  return shared.lines().state(slot) = entry;
}

void Coherence::fill(unsigned core, std::uint64_t line, State state, ConstLine data) {
  if (const auto victim = cores_[core]->fill(line, state, data)) take_back(core, *victim);
}

// ---- memory, and what the checkers hear ----

void Coherence::write_back(std::uint64_t line, ConstLine data, Place from, std::uint32_t number) {
  ++stats_.writebacks;
  backing_.write_memory(line, 0, data);
  TRACE(bus_, backing_.now(),
        trace::LineMoved{Hpa{line * line_bytes}, from, number, Place::memory, 0});
}

void Coherence::note_move(std::uint64_t line, const Gathered& found, Place to,
                          std::uint32_t number) {
  TRACE(bus_, backing_.now(),
        trace::LineMoved{Hpa{line * line_bytes}, found.from, found.number, to, number});
}

// ---- the protocol's promises ----

std::string Coherence::breach(std::uint64_t line) {
  unsigned copies = 0;
  unsigned writers = 0;
  unsigned answering = 0;
  for (unsigned core = 0; core < cores_.size(); ++core) {
    const State state = cores_[core]->state(line);
    if (state == State::invalid) continue;
    ++copies;
    if (writable(state)) ++writers;
    if (state == State::owned || state == State::forward || writable(state)) ++answering;
    const Entry* entry = sockets_[topology_.socket_of(core)]->entry(line);
    if (entry == nullptr || (entry->holders & bit(core)) == 0) {
      return "a core holds a line that the directory does not know of";
    }
    if ((writable(state) || dirty(state)) && entry->owner != core) {
      return "a core may write a line that it is not the owner of";
    }
  }
  if (writers > 1) return "two cores may write the line";
  if (writers == 1 && copies > 1) return "a core may write a line that another holds";
  if (answering > 1) return "two cores answer for the line";
  unsigned unique = 0;
  unsigned sockets = 0;
  for (auto& socket : sockets_) {
    const Entry* entry = socket->entry(line);
    if (entry == nullptr) continue;
    ++sockets;
    if (entry->unique) ++unique;
  }
  if (unique > 0 && sockets > 1)
    return "a socket takes itself for the only one that holds the line";
  return {};
}

}  // namespace ioasim::cache
