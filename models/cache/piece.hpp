// The part of an access that falls into one line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/address.hpp"

namespace ioasim::cache {

struct Piece {
  std::uint64_t line;
  std::uint64_t offset;  // in the line
  std::span<std::byte> data;

  Hpa address() const { return Hpa{line * line_bytes + offset}; }
  bool whole() const { return data.size() == line_bytes; }
};

// Calls visit(piece) for each line that the bytes touch, in order.
template <class Visit>
void for_each_piece(Hpa address, std::span<std::byte> data, Visit visit) {
  for (std::uint64_t from = 0; from < data.size();) {
    const auto offset = (address + from).value % line_bytes;
    const auto bytes = std::min(line_bytes - offset, data.size() - from);
    visit(Piece{(address + from).line(), offset, data.subspan(from, bytes)});
    from += bytes;
  }
}

}  // namespace ioasim::cache
