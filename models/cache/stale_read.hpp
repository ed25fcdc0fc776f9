// A stale read as the oracle reports it: for people, a sentence that a driver's author can act on;
// for machines, a row of named values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "trace/events.hpp"

namespace ioasim::cache {

struct Party {
  trace::Agent agent = trace::Agent::debug;
  std::uint32_t who = 0;
  bool snooped = true;
  Picoseconds at{};
  bool operator==(const Party&) const = default;
};

// Where a value is to be found, or why it is nowhere.
struct Location {
  enum class Kind : std::uint8_t {
    memory,
    llc,              // of a socket
    core,             // in the private caches of a core
    write_combining,  // in a buffer of a core
    overwritten,      // nowhere: an older copy of the line was written back over it
    dropped,          // nowhere: invd
  };
  Kind kind = Kind::memory;
  std::uint32_t number = 0;  // core, or socket

  static Location of(trace::Place place, std::uint32_t number);
  bool operator==(const Location&) const = default;
};

// The operation that would have made the newest value arrive.
enum class Missing : std::uint8_t {
  flush_before_read,          // it is modified in a cache, and memory was read
  fence_after_flush,          // the flush has been executed and has not taken effect
  fence_after_store,          // it waits in a write-combining buffer
  invalidate_before_read,     // it went past the caches, and an older copy in a cache was read
  flush_before_device_write,  // it went past an older copy, which was written back later
  one_memory_type,            // as the others, of a core whose mapping is not write-back
  do_not_invd,                // it was modified in a cache
  nothing,                    // software is not to blame: hardware keeps these copies the same
};

// A reader that got an older value than the newest.
struct StaleRead {
  Party reader;
  Party writer;        // of the newest value; the start of time if nobody wrote
  Hpa address{};       // first byte that is stale: all but `bytes` is said of this one
  unsigned bytes = 0;  // stale bytes of this read in that line
  std::byte got{};
  std::byte newest{};
  Location source;  // of the stale copy
  Location place;   // of the newest value
  Missing missing = Missing::nothing;

  Picoseconds age() const { return reader.at - writer.at; }

  // Who read what, where and when; who had written the newer value, and how long before; where it
  // is, and what would have made it arrive.
  std::string text() const;

  using Value = std::variant<std::string, std::int64_t>;
  // The same for machines, always in this order: reader, reader_kind, writer, address, bytes, got,
  // newest, place, source, age_ps, time_ps, missing.
  std::vector<std::pair<std::string_view, Value>> row() const;
};

}  // namespace ioasim::cache
