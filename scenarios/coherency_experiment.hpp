// One cell of the coherency matrix: a device and a core share a line, one writes it, software does
// something about the caches or does not, the other reads.
#pragma once

#include <string>
#include <string_view>

#include "scenarios/dma_driver.hpp"
#include "scenarios/observers.hpp"

namespace ioasim::scenarios {

struct CoherencyCell {
  std::string_view device;
  bool enforced;            // by its I/O address space
  bool device_reads;        // the device reads what the core wrote; else the other way round
  std::string_view repair;  // "none", "clflush" or "wbinvd"
};

struct CoherencyResult {
  unsigned box = 0;        // of the matrix, 1 to 4
  bool snooped = false;    // the device's access looked at the caches
  bool stale = false;      // the reader got the old value
  bool explained = false;  // the oracle says so too
  Picoseconds latency{};   // of the device's request
};

// Throws Refused. With a device that asks for No Snoop on the shared line, if it can.
CoherencyResult try_coherency(World& world, const CoherencyCell& cell);

void add_coherency_columns(Report& report);
void add_coherency_row(Report& report, const std::string& name, const CoherencyCell& cell,
                       const CoherencyResult& result);

}  // namespace ioasim::scenarios
