// Which socket's memory an address lies in.
//
// Models: one contiguous part a socket, as firmware reports without interleave over nodes.
#pragma once

#include <algorithm>

#include "base/address.hpp"
#include "base/check.hpp"

namespace ioasim::memory {

class Placement {
 public:
  // [0, end) falls into equal parts in the order of the sockets, rounded up to 2 MiB; the last
  // takes the rest and what lies above.
  Placement(Hpa end, unsigned sockets)
      : sockets_{sockets}, end_{end}, part_{round_up((end.value + sockets - 1) / sockets)} {
    CHECK(sockets >= 1 && end.value != 0);
  }

  unsigned sockets() const { return sockets_; }
  // What lies at a socket; empty if memory does not reach it.
  Range<Hpa> part(unsigned socket) const {
    const auto begin = std::min(part_ * socket, end_.value);
    const auto stop = socket + 1 == sockets_ ? end_.value : std::min(begin + part_, end_.value);
    return {Hpa{begin}, stop - begin};
  }
  unsigned socket_of(Hpa address) const {
    if (sockets_ == 1) return 0;
    return static_cast<unsigned>(std::min<std::uint64_t>(address.value / part_, sockets_ - 1));
  }

 private:
  static constexpr std::uint64_t grain = 2u << 20;

  static std::uint64_t round_up(std::uint64_t bytes) { return (bytes + grain - 1) / grain * grain; }

  unsigned sockets_;
  Hpa end_;
  std::uint64_t part_;
};

}  // namespace ioasim::memory
