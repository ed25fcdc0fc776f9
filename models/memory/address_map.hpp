// Who answers to an address.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/check.hpp"

namespace ioasim::memory {

class AddressMap {
 public:
  // Ranges do not overlap.
  void add(Range<Hpa> range, unsigned port) {
    for (const auto& other : entries_) CHECK(!other.range.overlaps(range));
    entries_.push_back({range, port});
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.range.base < b.range.base; });
  }

  // The port that answers to all of `range`, if one does.
  std::optional<unsigned> find(Range<Hpa> range) const {
    for (const auto& entry : entries_) {
      if (entry.range.contains(range)) return entry.port;
    }
    return std::nullopt;
  }

 private:
  struct Entry {
    Range<Hpa> range;
    unsigned port;
  };
  std::vector<Entry> entries_;
};

}  // namespace ioasim::memory
