// Which key of a set gives place to a new one, where it is not the least recently used
// (tag_array.hpp): tree pseudo-LRU, random, and re-reference interval prediction.
//
// Every policy takes an empty way, the lowest of those allowed, before it displaces a key. Clearing
// a way forgets that it was held and nothing else.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.hpp"
#include "base/fields.hpp"

namespace ioasim {

enum class Replacement : std::uint8_t {
  lru,
  // A binary tree over the ways, one bit a node that points to the half used longer ago. A half
  // without an allowed way is passed over. Ways that are no power of two leave the last leaves out.
  tree_plru,
  // One of the allowed ways, all equally likely.
  random,
  // Static RRIP of two bits, hit priority (Jaleel et al., ISCA 2010, 3.1 and 3.2): each way
  // carries the distance to its next use, 0 to 3. A new key enters at 2, a hit makes it 0. The
  // victim is the first way at 3; while there is none, the allowed ways age by 1. Ageing is part of
  // the search, so a second search without use in between finds the same; it spares the ways that
  // are not allowed, so that those who share a cache by ways do not age each other.
  rrip
};

constexpr auto enum_names(Replacement) {
  return std::array{Named{Replacement::lru, "lru"}, Named{Replacement::tree_plru, "tree_plru"},
                    Named{Replacement::random, "random"}, Named{Replacement::rrip, "rrip"}};
}

// What the sets of an array remember under a policy other than lru.
class ReplacementState {
 public:
  // `policy` lru needs no state and no call.
  ReplacementState(Replacement policy, std::uint32_t sets, std::uint32_t ways, std::uint64_t seed)
      : policy_{policy}, ways_{ways}, seed_{seed}, sets_(policy == Replacement::lru ? 0 : sets) {
    CHECK(ways <= uses_.size());
    for (std::uint32_t way = 0; way < ways; ++way) uses_[way] = use_of(way);
  }

  void used(std::uint32_t set, std::uint32_t way) {
    const auto& use = uses_[way];
    sets_[set].word = (sets_[set].word & ~use.clears) | use.sets;
    sets_[set].low &= ~(1u << way);
  }

  void filled(std::uint32_t set, std::uint32_t way) {
    used(set, way);
    sets_[set].held |= 1u << way;
    if (policy_ == Replacement::random) ++sets_[set].word;
    if (policy_ == Replacement::rrip) sets_[set].word |= 1u << way;
  }

  void cleared(std::uint32_t set, std::uint32_t way) { sets_[set].held &= ~(1u << way); }

  // `allowed` names none that the array does not have.
  std::uint32_t victim(std::uint32_t set, std::uint32_t allowed) {
    CHECK(allowed != 0);
    auto& state = sets_[set];
    if (const auto empty = allowed & ~state.held; empty != 0) return lowest(empty);
    if (policy_ == Replacement::tree_plru) return follow(state, allowed);
    if (policy_ == Replacement::rrip) return farthest(state, allowed);
    return draw(set, allowed);
  }

 private:
  struct Set {
    std::uint32_t held = 0;  // the ways that hold a key
    // tree_plru: bit n is node n, the root is 1 and the children of n are 2n and 2n + 1; set, it
    // points to the upper half. random: fills so far. rrip: the upper bit of each way's distance.
    std::uint32_t word = 0;
    std::uint32_t low = 0;  // rrip: the lower bit of each way's distance
  };

  static std::uint32_t lowest(std::uint32_t ways) {
    return static_cast<std::uint32_t>(std::countr_zero(ways));
  }

  // What use of a way does to the word of its set: tree_plru turns the nodes above the way to their
  // other halves, rrip makes its distance 0.
  struct Use {
    std::uint32_t clears = 0;
    std::uint32_t sets = 0;
  };
  Use use_of(std::uint32_t way) const {
    if (policy_ == Replacement::random) return {};
    if (policy_ == Replacement::rrip) return {.clears = 1u << way};
    Use use;
    for (auto node = std::bit_ceil(ways_) + way; node > 1; node /= 2) {
      const auto parent = 1u << node / 2;
      use.clears |= parent;
      if (node % 2 == 0) use.sets |= parent;
    }
    return use;
  }

  std::uint32_t follow(const Set& set, std::uint32_t allowed) const {
    std::uint32_t node = 1;
    std::uint32_t first = 0;
    for (auto half = std::bit_ceil(ways_) / 2; half != 0; half /= 2) {
      const auto lower = (1u << half) - 1;
      bool up = (set.word >> node & 1u) != 0;
      if ((allowed >> (up ? first + half : first) & lower) == 0) up = !up;
      node = 2 * node + up;
      if (up) first += half;
    }
    return first;
  }

  static std::uint32_t farthest(Set& set, std::uint32_t allowed) {
    while ((set.word & set.low & allowed) == 0) {
      set.word ^= set.low & allowed;
      set.low ^= allowed;
    }
    return lowest(set.word & set.low & allowed);
  }

  // A hash of seed, set and fills of the set (SplitMix64: Steele et al., OOPSLA 2014), so that a
  // search changes nothing and no set's draws depend on another's traffic.
  std::uint32_t draw(std::uint32_t set, std::uint32_t allowed) const {
    const auto count = std::uint64_t{set} << 32 | sets_[set].word;
    auto hash = seed_ + (count + 1) * 0x9e3779b97f4a7c15ull;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebull;
    hash ^= hash >> 31;
    const auto choices = static_cast<std::uint64_t>(std::popcount(allowed));
    for (auto skipped = (hash >> 32) * choices >> 32; skipped != 0; --skipped) {
      allowed &= allowed - 1;
    }
    return lowest(allowed);
  }

  Replacement policy_;
  std::uint32_t ways_;
  std::uint64_t seed_;
  std::array<Use, 32> uses_{};
  std::vector<Set> sets_;
};

}  // namespace ioasim
