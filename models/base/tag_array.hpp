// A set-associative array of 64-bit keys: the one lookup structure of IOTLB, structure caches and
// CPU caches. Whoever uses it keeps the contents in arrays of its own, indexed by slot.
//
// Replacement is true LRU, kept here, or a policy of replacement.hpp. The array may be divided into
// slices, each with its sets (slice_hash.hpp).
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
#include "base/replacement.hpp"
#include "base/slice_hash.hpp"

namespace ioasim {

class TagArray {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot none = ~Slot{0};
  static constexpr std::uint32_t every_way = ~std::uint32_t{0};

  // Sets of a slice: a power of two. Slices: 1 to 64. Ways: 1 to 32.
  struct Shape {
    std::uint32_t sets_per_slice;
    std::uint32_t slices;
    std::uint32_t ways;
  };

  TagArray(std::uint32_t sets, std::uint32_t ways, Replacement replacement = Replacement::lru,
           std::uint64_t seed = 1)
      : TagArray{Shape{sets, 1, ways}, replacement, seed} {}

  // `seed` is what Replacement::random draws from.
  explicit TagArray(const Shape& shape, Replacement replacement = Replacement::lru,
                    std::uint64_t seed = 1)
      : set_mask_{shape.sets_per_slice - 1},
        set_bits_{static_cast<unsigned>(std::countr_zero(shape.sets_per_slice))},
        ways_{shape.ways},
        width_{(shape.ways + byte_lanes - 1) / byte_lanes * byte_lanes},
        sliced_{shape.slices != 1},
        lru_{replacement == Replacement::lru},
        plain_{lru_ && !sliced_},
        slice_hash_{shape.slices, set_bits_},
        meta_(std::size_t{sets()} * width_ * 2 / byte_lanes),
        keys_(std::size_t{sets()} * shape.ways, no_key),
        others_{replacement, sets(), shape.ways, seed} {
    CHECK(std::has_single_bit(shape.sets_per_slice) && ways_ >= 1 && ways_ <= 2 * byte_lanes);
    CHECK(std::uint64_t{shape.sets_per_slice} * shape.slices * ways_ < none);
    for (std::uint32_t set = 0; set < sets(); ++set) {
      for (std::uint32_t lane = 0; lane < width_; ++lane) {
        ranks_of(set)[lane] = static_cast<std::uint8_t>(lane < ways_ ? lane : padding_rank);
      }
    }
  }

  std::uint32_t slots() const { return static_cast<std::uint32_t>(keys_.size()); }
  std::uint32_t sets() const { return sets_per_slice() * slices(); }
  std::uint32_t sets_per_slice() const { return static_cast<std::uint32_t>(set_mask_ + 1); }
  std::uint32_t slices() const { return slice_hash_.slices(); }
  std::uint32_t ways() const { return ways_; }

  // Set i of slice s has the slots from (s * sets_per_slice() + i) * ways() on; i is the low bits
  // of the key.
  unsigned slice_of(std::uint64_t key) const { return sliced_ ? set_of(key) >> set_bits_ : 0; }

  Slot find(std::uint64_t key) const {
    if (sliced_) return find_sliced(key);
    return find_in(index_of(key), key);
  }

  // find() and, if the key is there, touch(). A hit in level 1 is little more than this.
  [[gnu::always_inline]] Slot use(std::uint64_t key) {
    const auto set = sliced_ ? set_of(key) : index_of(key);
    const auto slot = find_in(set, key);
    if (slot == none) return none;
    const auto way = slot - set * ways_;
    if (lru_) {
      make_newest(set, way);
    } else {
      others_.used(set, way);
    }
    return slot;
  }

  bool valid(Slot slot) const { return keys_[slot] != no_key; }
  std::uint64_t key(Slot slot) const { return keys_[slot]; }

  // The slot's key was used. Makes it the most recently used of its set.
  void touch(Slot slot) {
    const auto set = slot / ways_;
    const auto way = slot % ways_;
    if (!lru_) return others_.used(set, way);
    make_newest(set, way);
  }

  // The slot that `key` should take: an empty one of the allowed ways if there is any, else the one
  // that the policy chooses. To ask twice gives the same answer; only RRIP changes by being asked.
  Slot victim(std::uint64_t key, std::uint32_t allowed = every_way) {
    if (!plain_) return victim_otherwise(key, allowed);
    const auto set = index_of(key);
    return set * ways_ + oldest_of(set, allowed);
  }

  // Puts `key` into `slot`, whose former key is gone; as the most recently used.
  void fill(Slot slot, std::uint64_t key) {
    DCHECK(slot / ways_ == set_of(key) && key != no_key);
    const auto set = slot / ways_;
    const auto way = slot % ways_;
    keys_[slot] = key;
    prints_of(set)[way] = fingerprint(key);
    if (!lru_) return others_.filled(set, way);
    make_newest(set, way);
  }

  // Empties the slot. Under LRU it becomes the first to be filled again.
  void clear(Slot slot) {
    const auto set = slot / ways_;
    const auto way = slot % ways_;
    keys_[slot] = no_key;
    if (!lru_) return others_.cleared(set, way);
    make_oldest(set, way);
  }

 private:
  static constexpr std::uint64_t no_key = ~std::uint64_t{0};
  static constexpr std::uint8_t padding_rank = 127;

  struct alignas(byte_lanes) Lanes {
    std::uint8_t byte[byte_lanes]{};
  };

  std::uint32_t index_of(std::uint64_t key) const {
    return static_cast<std::uint32_t>(key & set_mask_);
  }
  // An access looks for its key, finds a victim and fills: the hash is taken once.
  std::uint32_t set_of(std::uint64_t key) const {
    if (key != last_key_) {
      last_key_ = key;
      last_set_ = slice_hash_.of(key) << set_bits_ | index_of(key);
    }
    return last_set_;
  }
  std::uint8_t fingerprint(std::uint64_t key) const {
    return static_cast<std::uint8_t>((key >> set_bits_) * 0x9e3779b97f4a7c15ull >> 56);
  }
  // Per set: the fingerprints of all ways, then their ranks, both padded to whole lanes.
  const std::uint8_t* prints_of(std::uint32_t set) const {
    return meta_.data()->byte + std::size_t{set} * width_ * 2;
  }
  std::uint8_t* prints_of(std::uint32_t set) {
    return meta_.data()->byte + std::size_t{set} * width_ * 2;
  }
  std::uint8_t* ranks_of(std::uint32_t set) { return prints_of(set) + width_; }

  Slot find_in(std::uint32_t set, std::uint64_t key) const {
    const auto* prints = prints_of(set);
    const auto wanted = fingerprint(key);
    auto match = lanes_equal(prints, wanted);
    if (width_ != byte_lanes) match |= lanes_equal(prints + byte_lanes, wanted) << byte_lanes;
    for (; match != 0; match &= match - 1) {
      const auto way = static_cast<std::uint32_t>(std::countr_zero(match));
      if (way < ways_ && keys_[set * ways_ + way] == key) return set * ways_ + way;
    }
    return none;
  }
  // What plain arrays do without stays out of line: inlined, it would cost them a stack frame.
  [[gnu::noinline]] Slot find_sliced(std::uint64_t key) const { return find_in(set_of(key), key); }
  [[gnu::noinline]] Slot victim_otherwise(std::uint64_t key, std::uint32_t allowed) {
    const auto set = set_of(key);
    if (lru_) return set * ways_ + oldest_of(set, allowed);
    return set * ways_ + others_.victim(set, allowed & every_way >> (32 - ways_));
  }

  // ---- LRU: ranks are 0 (newest) to ways - 1, each once ----

  void make_newest(std::uint32_t set, std::uint32_t way) {
    auto* ranks = ranks_of(set);
    const auto old = ranks[way];
    for (std::uint32_t first = 0; first < width_; first += byte_lanes) {
      lanes_to_front(ranks + first, old);
    }
  }
  void make_oldest(std::uint32_t set, std::uint32_t way) {
    auto* ranks = ranks_of(set);
    const auto old = ranks[way];
    for (std::uint32_t first = 0; first < width_; first += byte_lanes) {
      lanes_lower_between(ranks + first, old, padding_rank);
    }
    ranks[way] = static_cast<std::uint8_t>(ways_ - 1);
  }
  std::uint32_t way_of_rank(std::uint32_t set, std::uint32_t wanted) const {
    const auto* ranks = prints_of(set) + width_;
    for (std::uint32_t first = 0;; first += byte_lanes) {
      const auto match = lanes_equal(ranks + first, static_cast<std::uint8_t>(wanted));
      if (match != 0) return first + static_cast<std::uint32_t>(std::countr_zero(match));
    }
  }

  std::uint32_t oldest_of(std::uint32_t set, std::uint32_t allowed) const {
    if (allowed == every_way) return way_of_rank(set, ways_ - 1);
    const auto* ranks = prints_of(set) + width_;
    std::uint32_t oldest = none;
    for (auto left = allowed & every_way >> (32 - ways_); left != 0; left &= left - 1) {
      const auto way = static_cast<std::uint32_t>(std::countr_zero(left));
      if (oldest == none || ranks[way] > ranks[oldest]) oldest = way;
    }
    CHECK(oldest != none);
    return oldest;
  }

  std::uint64_t set_mask_;
  unsigned set_bits_;
  std::uint32_t ways_;
  std::uint32_t width_;  // ways, rounded up to whole lanes
  bool sliced_;
  bool lru_;
  bool plain_;  // one slice under LRU
  SliceHash slice_hash_;
  mutable std::uint64_t last_key_ = no_key;
  mutable std::uint32_t last_set_ = 0;
  std::vector<Lanes> meta_;
  std::vector<std::uint64_t> keys_;
  ReplacementState others_;  // for the policies that are not LRU
};

// A TagArray with one value a slot.
template <class Value>
class AssociativeCache {
 public:
  AssociativeCache(std::uint32_t entries, std::uint32_t ways)
      : tags_{entries / ways, ways}, values_(entries) {}

  // The value, now the most recently used of its set; null if the key is absent.
  Value* find(std::uint64_t key) {
    const auto slot = tags_.use(key);
    return slot == TagArray::none ? nullptr : &values_[slot];
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
