// One level of cache: tags, states and data of lines.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/address.hpp"
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

  LineArray(Bytes capacity, unsigned ways)
      : tags_{static_cast<std::uint32_t>(capacity.count / line_bytes / ways), ways},
        states_(tags_.slots()),
        data_{std::make_unique_for_overwrite<std::byte[]>(capacity.count)} {}

  Slot find(std::uint64_t line) const { return tags_.find(line); }
  void touch(Slot slot) { tags_.touch(slot); }
  // The slot that a new line would take; what it holds must be dealt with first.
  Slot victim(std::uint64_t line, std::uint32_t allowed = TagArray::every_way) const {
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

 private:
  TagArray tags_;
  std::vector<State> states_;
  std::unique_ptr<std::byte[]> data_;
};

}  // namespace ioasim::cache
