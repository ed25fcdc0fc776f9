// Which socket's memory an address lies in.
//
// Models: one contiguous part a socket, as firmware reports without interleave over nodes.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/address.hpp"
#include "base/check.hpp"

namespace ioasim::memory {

class Placement {
 public:
  // The memory in `map`, which is in ascending order and not empty, falls into equal parts in the
  // order of the sockets, rounded up to 2 MiB; the last takes the rest and what lies above.
  Placement(std::span<const Range<Hpa>> map, unsigned sockets) : end_{map.back().end().value} {
    CHECK(sockets >= 1);
    std::uint64_t total = 0;
    for (const auto& range : map) total += range.bytes;
    const auto part = round_up((total + sockets - 1) / sockets);
    for (unsigned n = 0; n < sockets; ++n) begins_.push_back(after(map, part * n));
  }
  Placement(Hpa end, unsigned sockets)
      : Placement{std::vector{Range<Hpa>{Hpa{0}, end.value}}, sockets} {}

  unsigned sockets() const { return static_cast<unsigned>(begins_.size()); }
  // What lies at a socket, with the holes in it; empty if memory does not reach it.
  Range<Hpa> part(unsigned socket) const {
    const auto begin = begins_[socket];
    const auto stop = socket + 1 == begins_.size() ? end_ : begins_[socket + 1];
    return {Hpa{begin}, stop - begin};
  }
  unsigned socket_of(Hpa address) const {
    unsigned socket = 0;
    while (socket + 1 < begins_.size() && begins_[socket + 1] <= address.value) ++socket;
    return socket;
  }

 private:
  static constexpr std::uint64_t grain = 2u << 20;

  static std::uint64_t round_up(std::uint64_t bytes) { return (bytes + grain - 1) / grain * grain; }
  // Where so many bytes of memory lie below.
  std::uint64_t after(std::span<const Range<Hpa>> map, std::uint64_t bytes) const {
    for (const auto& range : map) {
      if (bytes < range.bytes) return range.base.value + bytes;
      bytes -= range.bytes;
    }
    return end_;
  }

  std::uint64_t end_;
  std::vector<std::uint64_t> begins_;  // of each socket's part
};

}  // namespace ioasim::memory
