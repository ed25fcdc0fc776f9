// States of a line in one core's caches, and the protocols that decide how copies are shared.
//
//   MESI   a modified line that another reads is written back; memory answers for shared lines
//   MESIF  the same, but the copy that was handed out last (Forward) answers for shared lines
//   MOESI  a modified line that another reads stays with its owner (Owned), who answers for it;
//          memory stays old until the owner gives it up
#pragma once

#include <array>
#include <cstdint>

#include "base/fields.hpp"

namespace ioasim::cache {

enum class State : std::uint8_t { invalid, shared, forward, owned, exclusive, modified };

enum class Protocol : std::uint8_t { mesi, mesif, moesi };

constexpr auto enum_names(Protocol) {
  return std::array{Named{Protocol::mesi, "MESI"}, Named{Protocol::mesif, "MESIF"},
                    Named{Protocol::moesi, "MOESI"}};
}

constexpr bool writable(State state) { return state >= State::exclusive; }
constexpr bool dirty(State state) { return state == State::owned || state == State::modified; }

// What a dirty copy becomes when somebody else reads the line.
constexpr State after_read_of_dirty(Protocol protocol) {
  return protocol == Protocol::moesi ? State::owned : State::shared;
}

// What a copy becomes once memory has its data and it may be kept (CLWB, WBNOINVD).
constexpr State after_write_back(State state) {
  switch (state) {
    case State::modified:
      return State::exclusive;
    case State::owned:
      return State::shared;
    default:
      return state;
  }
}

}  // namespace ioasim::cache
