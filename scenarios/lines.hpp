// What several experiments do to memory of the user's process, line by line or all at once.
#pragma once

#include "scenarios/simulation.hpp"

namespace ioasim::scenarios {

// New memory, with all its pages there. Throws Refused if the machine has not enough.
Hva memory_of(World& world, std::uint64_t bytes);

// `value` into every 8 bytes of [from, from + bytes), whole lines; they are visible then.
void store_lines(kernel::Thread& thread, Hva from, std::uint64_t bytes, std::uint64_t value);

// wbinvd, or wbnoinvd, in a driver.
void flush_caches(kernel::Thread& thread, bool invalidate = true);

// What a flush of whole caches goes through, slices side by side.
inline std::int64_t tags_of_slice(const cache::LlcParams& llc) {
  return static_cast<std::int64_t>(llc.capacity.count / line_bytes / llc.slices);
}

}  // namespace ioasim::scenarios
