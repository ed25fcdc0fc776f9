// One level of cache: tags, states and data of lines.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/address.hpp"
#include "base/check.hpp"
#include "base/quantity.hpp"
#include "base/tag_array.hpp"

namespace ioasim::cache {

// Bytes of one line.
using Line = std::span<std::byte, line_bytes>;
using ConstLine = std::span<const std::byte, line_bytes>;

inline void copy_line(Line to, ConstLine from) { std::memcpy(to.data(), from.data(), line_bytes); }

// `State` is what the level keeps beside tag and data. Lines are named by number
// (address / 64).
template <class State>
class LineArray {
 public:
  using Slot = TagArray::Slot;
  static constexpr Slot none = TagArray::none;

  // The slices are equal parts of the capacity, each of a power of two of sets (tag_array.hpp).
  // Bytes of lines stay untouched until they are written: the host gives a large array memory
  // only as it fills.
  LineArray(Bytes capacity, unsigned ways, unsigned slices = 1,
            Replacement replacement = Replacement::lru, std::uint64_t seed = 1)
      : tags_{shape_of(capacity, ways, slices), replacement, seed},
        states_(tags_.slots()),
        data_{std::make_unique_for_overwrite<std::byte[]>(capacity.count)} {
    CHECK(tags_.slots() * line_bytes == capacity.count);
  }

  Slot find(std::uint64_t line) const { return tags_.find(line); }
  void touch(Slot slot) { tags_.touch(slot); }
  [[gnu::always_inline]] Slot use(std::uint64_t line) { return tags_.use(line); }
  // The slot that a new line would take; what it holds must be dealt with first.
  Slot victim(std::uint64_t line, std::uint32_t allowed = TagArray::every_way) {
    return tags_.victim(line, allowed);
  }
  void fill(Slot slot, std::uint64_t line, const State& state) {
    tags_.fill(slot, line);
    states_[slot] = state;
  }
  void clear(Slot slot) { tags_.clear(slot); }

  bool valid(Slot slot) const { return tags_.valid(slot); }
  std::uint64_t line(Slot slot) const { return tags_.key(slot); }
  State& state(Slot slot) { return states_[slot]; }
  const State& state(Slot slot) const { return states_[slot]; }
  Line data(Slot slot) { return Line{data_.get() + std::size_t{slot} * line_bytes, line_bytes}; }

  std::uint32_t slots() const { return tags_.slots(); }
  std::uint32_t ways() const { return tags_.ways(); }
  // Set i of slice s has the slots from (s * sets_per_slice() + i) * ways() on.
  std::uint32_t slices() const { return tags_.slices(); }
  std::uint32_t sets_per_slice() const { return tags_.sets_per_slice(); }
  unsigned slice_of(std::uint64_t line) const { return tags_.slice_of(line); }

 private:
  static TagArray::Shape shape_of(Bytes capacity, unsigned ways, unsigned slices) {
    const auto sets = capacity.count / line_bytes / ways / slices;
    return {.sets_per_slice = static_cast<std::uint32_t>(sets), .slices = slices, .ways = ways};
  }

  TagArray tags_;
  std::vector<State> states_;
  std::unique_ptr<std::byte[]> data_;
};

}  // namespace ioasim::cache
