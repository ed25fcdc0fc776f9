// One line that holds a variable of the CPU and a part of a device's buffer: both write their own
// bytes, and then the line goes back to memory. Whose bytes are left?
#pragma once

#include <string>
#include <string_view>

#include "scenarios/dma_driver.hpp"

namespace ioasim::scenarios {

struct FalseSharingCell {
  std::string_view cpu;     // "writes-first", "writes-last", or "reads" and never writes
  bool no_snoop;            // of the device's write
  std::string_view repair;  // "none", "clflush-before" or "clflush-after" the device's write,
                            // "padding": the variable has a line of its own

  // What becomes of the device's bytes: "kept"; "stale" if the CPU reads older
  // ones while memory has them; "lost" if memory has them no more.
  // `past`: what the device asks to go past the caches does.
  std::string_view expected(bool past) const;
};

struct FalseSharingResult {
  bool snooped = false;  // the device's write looked at the caches
  bool cpu_bytes_kept = false;
  std::string_view device_bytes{};  // as expected()
  std::string missing = "-";        // the operation that the oracle names for a stale read
};

FalseSharingResult try_false_sharing(World& world, DmaDriver& driver, const FalseSharingCell& cell);

}  // namespace ioasim::scenarios
