// The shared level of one socket: the last-level cache, and beside each of its tags the directory
// entry of the line. If the cache is not inclusive, a snoop filter has the entries of lines that
// only private caches hold; a line has its entry in one of the two.
#pragma once

#include <vector>

#include "cache/line_array.hpp"
#include "cache/params.hpp"

namespace ioasim::cache {

// What a socket knows of a line that it holds.
struct Entry {
  static constexpr std::uint8_t nobody = 0xff;

  std::uint64_t holders = 0;    // cores that hold it
  std::uint8_t owner = nobody;  // the core among them that answers: Exclusive, Modified, Owned,
                                // or Forward
  bool dirty = false;           // the last level's data are newer than memory's
  bool unique = true;           // no other socket holds it
  bool forward = false;         // this socket answers for the clean line (MESIF)
};

class LastLevel {
 public:
  using Slot = LineArray<Entry>::Slot;
  static constexpr Slot none = LineArray<Entry>::none;

  LastLevel(const Params& params, std::uint64_t seed)
      : inclusive_{params.llc.inclusive},
        lines_{params.llc.capacity, params.llc.ways, params.llc.slices, params.llc.replacement,
               seed},
        filter_{static_cast<std::uint32_t>(
                    inclusive_ ? 1 : params.filter.covers.count / line_bytes / params.filter.ways),
                inclusive_ ? 1 : params.filter.ways},
        filtered_(filter_.slots()) {}

  bool inclusive() const { return inclusive_; }

  // The line's slot in the last level, if it is there.
  Slot find(std::uint64_t line) const { return lines_.find(line); }
  // Its entry there, or in the filter; null if this socket does not hold the line.
  Entry* entry(std::uint64_t line) {
    if (const Slot slot = lines_.find(line); slot != none) return &lines_.state(slot);
    return filtered(line);
  }
  Entry* filtered(std::uint64_t line) {
    if (inclusive_) return nullptr;
    const auto slot = filter_.find(line);
    return slot == none ? nullptr : &filtered_[slot];
  }

  // The last level's lines.
  LineArray<Entry>& lines() { return lines_; }
  const LineArray<Entry>& lines() const { return lines_; }

  // The filter's entry that a new line would displace: its line, if the slot is taken.
  Slot filter_victim(std::uint64_t line) { return filter_.victim(line); }
  bool filter_valid(Slot slot) const { return filter_.valid(slot); }
  std::uint64_t filter_line(Slot slot) const { return filter_.key(slot); }
  Entry& filter_entry(Slot slot) { return filtered_[slot]; }
  Entry& filter_fill(Slot slot, std::uint64_t line, const Entry& entry) {
    filter_.fill(slot, line);
    return filtered_[slot] = entry;
  }
  void filter_touch(std::uint64_t line) {
    if (const auto slot = filter_.find(line); slot != none) filter_.touch(slot);
  }
  void filter_clear(std::uint64_t line) {
    if (const auto slot = filter_.find(line); slot != none) filter_.clear(slot);
  }

 private:
  bool inclusive_;
  LineArray<Entry> lines_;
  TagArray filter_;
  std::vector<Entry> filtered_;
};

}  // namespace ioasim::cache
