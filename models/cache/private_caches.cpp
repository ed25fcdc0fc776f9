#include "cache/private_caches.hpp"

#include "base/check.hpp"
#include "cache/defects.hpp"

namespace ioasim::cache {

PrivateCaches::PrivateCaches(const Params& params, std::uint64_t seed)
    : l1_{params.l1d.capacity, params.l1d.ways, 1, params.l1d.replacement, seed},
      l2_{params.l2.capacity, params.l2.ways, 1, params.l2.replacement, seed} {}

PrivateCaches::Access PrivateCaches::access(std::uint64_t line, bool write) {
  if (const Slot l1 = l1_.find(line); l1 != l1_.none) {
    State& state = l1_.state(l1);
    if (!write || writable(state)) {
      l1_.touch(l1);
      if (write) state = State::modified;
      ++stats_.l1_hits;
      return {Level::l1, l1_.data(l1).data()};
    }
  } else if (const Slot l2 = l2_.find(line);
             l2 != l2_.none && (!write || writable(l2_.state(l2)))) {
    l2_.touch(l2);
    const Slot raised = raise_to_l1(line, l2);
    if (write) l1_.state(raised) = State::modified;
    ++stats_.l2_hits;
    return {Level::l2, l1_.data(raised).data()};
  }
  ++stats_.misses;
  return {};
}

PrivateCaches::Slot PrivateCaches::raise_to_l1(std::uint64_t line, Slot l2) {
  const Slot l1 = l1_.victim(line);
  if (l1_.valid(l1)) spill_l1(l1);
  l1_.fill(l1, line, writable(l2_.state(l2)) ? State::exclusive : State::shared);
  copy_line(l1_.data(l1), l2_.data(l2));
  return l1;
}

void PrivateCaches::spill_l1(Slot l1) {
  if (l1_.state(l1) == State::modified) {
    const Slot l2 = l2_.find(l1_.line(l1));
    CHECK(l2 != l2_.none);  // inclusion
    copy_line(l2_.data(l2), l1_.data(l1));
    l2_.state(l2) = State::modified;
  }
  l1_.clear(l1);
}

std::optional<PrivateCaches::Victim> PrivateCaches::fill(std::uint64_t line, State granted,
                                                         ConstLine data) {
  std::optional<Victim> victim;
  Slot l2 = l2_.find(line);
  if (l2 == l2_.none) {
    l2 = l2_.victim(line);
    if (l2_.valid(l2)) {
      victim.emplace();
      victim->line = l2_.line(l2);
      victim->dirty = invalidate(victim->line, victim->data);
    }
    l2_.fill(l2, line, granted);
    copy_line(l2_.data(l2), data);
  } else {
    l2_.touch(l2);
    l2_.state(l2) = granted;
  }
  Slot l1 = l1_.find(line);
  if (l1 == l1_.none) {
    l1 = raise_to_l1(line, l2);
  } else {
    l1_.touch(l1);
  }
  l1_.state(l1) = granted == State::modified ? State::modified
                  : writable(granted)        ? State::exclusive
                                             : State::shared;
  return victim;
}

Line PrivateCaches::data(std::uint64_t line) {
  const Slot l1 = l1_.find(line);
  CHECK(l1 != l1_.none);
  return l1_.data(l1);
}

State PrivateCaches::state(std::uint64_t line) const {
  const Slot l2 = l2_.find(line);
  if (l2 == l2_.none) return State::invalid;
  const Slot l1 = l1_.find(line);
  if (l1 != l1_.none && l1_.state(l1) == State::modified) return State::modified;
  return l2_.state(l2);
}

bool PrivateCaches::peek(std::uint64_t line, Line newest) const {
  const Slot l2 = l2_.find(line);
  if (l2 == l2_.none) return false;
  const Slot l1 = l1_.find(line);
  const bool in_l1 = l1 != l1_.none && l1_.state(l1) == State::modified;
  copy_line(newest, in_l1 ? l1_.data(l1) : l2_.data(l2));
  return in_l1 || dirty(l2_.state(l2));
}

bool PrivateCaches::invalidate(std::uint64_t line, Line newest) {
  const bool was_dirty = peek(line, newest);
  if (const Slot l1 = l1_.find(line); l1 != l1_.none) l1_.clear(l1);
  if (const Slot l2 = l2_.find(line); l2 != l2_.none) l2_.clear(l2);
  return was_dirty;
}

bool PrivateCaches::share(std::uint64_t line, Line newest, State dirty_becomes) {
  const bool was_dirty = peek(line, newest);
  const Slot l2 = l2_.find(line);
  if (l2 == l2_.none || has(Defect::owner_downgrade_lost)) return was_dirty;
  l2_.state(l2) = was_dirty ? dirty_becomes : State::shared;
  copy_line(l2_.data(l2), newest);
  if (const Slot l1 = l1_.find(line); l1 != l1_.none) l1_.state(l1) = State::shared;
  return was_dirty;
}

bool PrivateCaches::clean(std::uint64_t line, Line newest) {
  const bool was_dirty = peek(line, newest);
  if (!was_dirty) return false;
  const State kept = after_write_back(state(line));
  const Slot l2 = l2_.find(line);
  l2_.state(l2) = kept;
  copy_line(l2_.data(l2), newest);
  if (const Slot l1 = l1_.find(line); l1 != l1_.none) {
    l1_.state(l1) = writable(kept) ? State::exclusive : State::shared;
  }
  return true;
}

void PrivateCaches::poke(std::uint64_t line, std::uint64_t offset,
                         std::span<const std::byte> bytes) {
  for (Array* level : {&l1_, &l2_}) {
    if (const Slot slot = level->find(line); slot != level->none) {
      std::memcpy(level->data(slot).data() + offset, bytes.data(), bytes.size());
    }
  }
}

std::optional<std::uint64_t> PrivateCaches::line_at(std::uint32_t slot) const {
  if (!l2_.valid(slot)) return std::nullopt;
  return l2_.line(slot);
}

}  // namespace ioasim::cache
