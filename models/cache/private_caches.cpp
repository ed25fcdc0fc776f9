#include "cache/private_caches.hpp"

#include <array>

#include "base/check.hpp"

namespace ioasim::cache {
namespace {

constexpr bool writable(Mesi state) { return state >= Mesi::exclusive; }

}  // namespace

PrivateCaches::PrivateCaches(const Params& params)
    : l1_{params.l1d.capacity, params.l1d.ways}, l2_{params.l2.capacity, params.l2.ways} {}

Level PrivateCaches::access(std::uint64_t line, bool write) {
  if (const Slot l1 = l1_.find(line); l1 != l1_.none) {
    if (!write || writable(l1_.state(l1))) {
      l1_.touch(l1);
      if (write) l1_.state(l1) = Mesi::modified;
      ++stats_.l1_hits;
      return Level::l1;
    }
  } else if (const Slot l2 = l2_.find(line);
             l2 != l2_.none && (!write || writable(l2_.state(l2)))) {
    l2_.touch(l2);
    raise_to_l1(line, l2);
    if (write) l1_.state(l1_.find(line)) = Mesi::modified;
    ++stats_.l2_hits;
    return Level::l2;
  }
  ++stats_.misses;
  return Level::beyond;
}

Line PrivateCaches::data(std::uint64_t line) {
  const Slot l1 = l1_.find(line);
  CHECK(l1 != l1_.none);
  return l1_.data(l1);
}

// Level 1 takes over level 2's copy; dirty data stay marked in level 2.
void PrivateCaches::raise_to_l1(std::uint64_t line, Slot l2) {
  const Slot l1 = l1_.victim(line);
  if (l1_.valid(l1)) spill_l1(l1);
  const Mesi state = l2_.state(l2) == Mesi::modified ? Mesi::exclusive : l2_.state(l2);
  l1_.fill(l1, line, state);
  copy_line(l1_.data(l1), l2_.data(l2));
}

void PrivateCaches::spill_l1(Slot l1) {
  if (l1_.state(l1) == Mesi::modified) {
    const Slot l2 = l2_.find(l1_.line(l1));
    CHECK(l2 != l2_.none);  // inclusion
    copy_line(l2_.data(l2), l1_.data(l1));
    l2_.state(l2) = Mesi::modified;
  }
  l1_.clear(l1);
}

std::optional<PrivateCaches::Victim> PrivateCaches::fill(std::uint64_t line, Mesi state,
                                                         ConstLine data) {
  std::optional<Victim> victim;
  Slot l2 = l2_.find(line);
  if (l2 == l2_.none) {
    l2 = l2_.victim(line);
    if (l2_.valid(l2)) {
      victim.emplace();
      victim->line = l2_.line(l2);
      victim->dirty = invalidate(victim->line, victim->data);
      l2 = l2_.victim(line);
    }
  } else if (const Slot l1 = l1_.find(line); l1 != l1_.none) {
    l1_.clear(l1);
  }
  l2_.fill(l2, line, state == Mesi::modified ? Mesi::exclusive : state);
  copy_line(l2_.data(l2), data);
  raise_to_l1(line, l2);
  if (state == Mesi::modified) l1_.state(l1_.find(line)) = Mesi::modified;
  return victim;
}

Mesi PrivateCaches::state(std::uint64_t line) const {
  const Slot l2 = l2_.find(line);
  if (l2 == l2_.none) return Mesi::invalid;
  const Slot l1 = l1_.find(line);
  return l1 == l1_.none ? l2_.state(l2) : std::max(l1_.state(l1), l2_.state(l2));
}

bool PrivateCaches::newest(std::uint64_t line, Line into) const {
  const Slot l2 = l2_.find(line);
  if (l2 == l2_.none) return false;
  const Slot l1 = l1_.find(line);
  if (l1 != l1_.none && l1_.state(l1) == Mesi::modified) {
    copy_line(into, l1_.data(l1));
    return true;
  }
  if (l2_.state(l2) != Mesi::modified) return false;
  copy_line(into, l2_.data(l2));
  return true;
}

bool PrivateCaches::peek(std::uint64_t line, Line newest_data) const {
  return newest(line, newest_data);
}

bool PrivateCaches::invalidate(std::uint64_t line, Line newest_data) {
  const bool dirty = newest(line, newest_data);
  if (const Slot l1 = l1_.find(line); l1 != l1_.none) l1_.clear(l1);
  if (const Slot l2 = l2_.find(line); l2 != l2_.none) l2_.clear(l2);
  return dirty;
}

bool PrivateCaches::share(std::uint64_t line, Line newest_data) {
  const bool dirty = newest(line, newest_data);
  if (const Slot l1 = l1_.find(line); l1 != l1_.none) l1_.state(l1) = Mesi::shared;
  if (const Slot l2 = l2_.find(line); l2 != l2_.none) {
    l2_.state(l2) = Mesi::shared;
    if (dirty) copy_line(l2_.data(l2), newest_data);
  }
  return dirty;
}

void PrivateCaches::poke(std::uint64_t line, std::uint64_t offset,
                         std::span<const std::byte> bytes) {
  for (LineArray<Mesi>* level : {&l1_, &l2_}) {
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
