// A set-associative array of 64-bit keys with true-LRU replacement: the one lookup structure of
// IOTLB, structure caches and CPU caches. Whoever uses it keeps the contents in arrays of its own,
// indexed by slot.
//
// Layout: fingerprints and recency ranks of a set sit in one or two lines of the host, so that a
// lookup touches them and, on a match, one key.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/byte_lanes.hpp"
#include "base/check.hpp"

namespace ioasim {

class TagArray {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot none = ~Slot{0};
  static constexpr std::uint32_t every_way = ~std::uint32_t{0};

  // `sets` is a power of two, `ways` at most 32.
  TagArray(std::uint32_t sets, std::uint32_t ways)
      : set_mask_{sets - 1},
        set_bits_{static_cast<unsigned>(std::countr_zero(sets))},
        ways_{ways},
        groups_{(ways + byte_lanes - 1) / byte_lanes},
        meta_(std::size_t{sets} * groups_ * 2),
        keys_(std::size_t{sets} * ways, no_key) {
    CHECK(std::has_single_bit(sets) && ways >= 1 && ways <= 2 * byte_lanes);
    for (std::uint32_t set = 0; set < sets; ++set) {
      for (std::uint32_t lane = 0; lane < groups_ * byte_lanes; ++lane) {
        rank(set, lane) = static_cast<std::uint8_t>(lane < ways ? lane : padding_rank);
      }
    }
  }

  std::uint32_t slots() const { return static_cast<std::uint32_t>(keys_.size()); }
  std::uint32_t sets() const { return static_cast<std::uint32_t>(set_mask_ + 1); }
  std::uint32_t ways() const { return ways_; }

  // The set is chosen by the key's low bits.
  Slot find(std::uint64_t key) const {
    const auto set = set_of(key);
    const auto wanted = fingerprint(key);
    for (std::uint32_t group = 0; group < groups_; ++group) {
      auto match = lanes_equal(prints(set, group), wanted);
      for (; match != 0; match &= match - 1) {
        const auto way = group * byte_lanes + static_cast<std::uint32_t>(std::countr_zero(match));
        if (way < ways_ && keys_[set * ways_ + way] == key) return set * ways_ + way;
      }
    }
    return none;
  }

  bool valid(Slot slot) const { return keys_[slot] != no_key; }
  std::uint64_t key(Slot slot) const { return keys_[slot]; }

  // Makes the slot the most recently used of its set.
  void touch(Slot slot) {
    const auto set = slot / ways_;
    auto& mine = rank(set, slot % ways_);
    const auto old = mine;
    if (old == 0) return;
    for (std::uint32_t group = 0; group < groups_; ++group) {
      lanes_raise_below(ranks(set, group), old);
    }
    mine = 0;
  }

  // The slot that `key` should take: the least recently used among the allowed ways, where an
  // empty slot counts as used longest ago.
  Slot victim(std::uint64_t key, std::uint32_t allowed = every_way) const {
    const auto set = set_of(key);
    if (allowed == every_way) return set * ways_ + way_of_rank(set, ways_ - 1);
    std::uint32_t oldest = none;
    for (auto left = allowed & every_way >> (32 - ways_); left != 0; left &= left - 1) {
      const auto way = static_cast<std::uint32_t>(std::countr_zero(left));
      if (oldest == none || rank(set, way) > rank(set, oldest)) oldest = way;
    }
    CHECK(oldest != none);
    return set * ways_ + oldest;
  }

  // Puts `key` into `slot`, whose former key is gone, as the most recently used.
  void fill(Slot slot, std::uint64_t key) {
    DCHECK(slot / ways_ == set_of(key) && key != no_key);
    const auto set = slot / ways_;
    const auto way = slot % ways_;
    keys_[slot] = key;
    prints(set, way / byte_lanes)[way % byte_lanes] = fingerprint(key);
    touch(slot);
  }

  // Empties the slot, which becomes the first to be filled again.
  void clear(Slot slot) {
    const auto set = slot / ways_;
    auto& mine = rank(set, slot % ways_);
    const auto old = mine;
    for (std::uint32_t group = 0; group < groups_; ++group) {
      lanes_lower_between(ranks(set, group), old, padding_rank);
    }
    mine = static_cast<std::uint8_t>(ways_ - 1);
    keys_[slot] = no_key;
  }

 private:
  static constexpr std::uint64_t no_key = ~std::uint64_t{0};
  static constexpr std::uint8_t padding_rank = 127;

  struct alignas(byte_lanes) Lanes {
    std::uint8_t byte[byte_lanes]{};
  };

  std::uint32_t set_of(std::uint64_t key) const {
    return static_cast<std::uint32_t>(key & set_mask_);
  }
  std::uint8_t fingerprint(std::uint64_t key) const {
    return static_cast<std::uint8_t>((key >> set_bits_) * 0x9e3779b97f4a7c15ull >> 56);
  }
  // Per set: the fingerprints of each group, then the ranks of each group.
  const std::uint8_t* prints(std::uint32_t set, std::uint32_t group) const {
    return meta_[std::size_t{set} * groups_ * 2 + group].byte;
  }
  std::uint8_t* prints(std::uint32_t set, std::uint32_t group) {
    return meta_[std::size_t{set} * groups_ * 2 + group].byte;
  }
  const std::uint8_t* ranks(std::uint32_t set, std::uint32_t group) const {
    return prints(set, groups_ + group);
  }
  std::uint8_t* ranks(std::uint32_t set, std::uint32_t group) {
    return prints(set, groups_ + group);
  }
  std::uint8_t rank(std::uint32_t set, std::uint32_t way) const {
    return ranks(set, way / byte_lanes)[way % byte_lanes];
  }
  // Ranks are 0 to ways - 1, each once.
  std::uint32_t way_of_rank(std::uint32_t set, std::uint32_t wanted) const {
    for (std::uint32_t group = 0;; ++group) {
      const auto match = lanes_equal(ranks(set, group), static_cast<std::uint8_t>(wanted));
      if (match == 0) continue;
      return group * byte_lanes + static_cast<std::uint32_t>(std::countr_zero(match));
    }
  }
  std::uint8_t& rank(std::uint32_t set, std::uint32_t way) {
    return ranks(set, way / byte_lanes)[way % byte_lanes];
  }

  std::uint64_t set_mask_;
  unsigned set_bits_;
  std::uint32_t ways_;
  std::uint32_t groups_;
  std::vector<Lanes> meta_;
  std::vector<std::uint64_t> keys_;
};

// A TagArray with one value a slot.
template <class Value>
class AssociativeCache {
 public:
  AssociativeCache(std::uint32_t entries, std::uint32_t ways)
      : tags_{entries / ways, ways}, values_(entries) {}

  // The value, now the most recently used of its set; null if the key is absent.
  Value* find(std::uint64_t key) {
    const auto slot = tags_.find(key);
    if (slot == TagArray::none) return nullptr;
    tags_.touch(slot);
    return &values_[slot];
  }

  // Enters or replaces; may displace the least recently used of the set.
  void insert(std::uint64_t key, const Value& value) {
    auto slot = tags_.find(key);
    if (slot == TagArray::none) {
      slot = tags_.victim(key);
      tags_.fill(slot, key);
    } else {
      tags_.touch(slot);
    }
    values_[slot] = value;
  }

  // Removes each entry for which `matches(value)` holds; returns how many.
  template <class Predicate>
  std::uint32_t erase_if(Predicate matches) {
    std::uint32_t erased = 0;
    for (TagArray::Slot slot = 0; slot < tags_.slots(); ++slot) {
      if (tags_.valid(slot) && matches(values_[slot])) tags_.clear(slot), ++erased;
    }
    return erased;
  }

 private:
  TagArray tags_;
  std::vector<Value> values_;
};

}  // namespace ioasim
