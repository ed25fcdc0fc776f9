// A page of one memory type, which a device uses at the same time by No Snoop requests: what a
// driver must do so that both see the same, for each pair of MTRR and PAT type.
//
// The driver is loaded into the kernel: it sets a variable MTRR over the page and the PAT, with
// the caches off and empty meanwhile (SDM vol. 3, 12.11.8), and reaches the page by a mapping that
// selects the PAT entry.
#pragma once

#include "scenarios/dma_driver.hpp"
#include "scenarios/memory_type_table.hpp"

namespace ioasim::scenarios {

class MemoryTypeExperiment {
 public:
  MemoryTypeExperiment(World& world, DmaDriver& driver);

  // Of the page, from now on.
  void set_mtrr(cpu::MemoryType type);
  MemoryTypeResult try_type(cpu::MemoryType pat, bool non_temporal);
  // A line that is modified by way of a write-back mapping is read by an uncached one of PAT. The
  // MTRR says WB.
  struct Alias {
    bool fresh = false;      // the newest value was read
    bool explained = false;  // the oracle says that too; else, that one memory type was missing
  };
  Alias try_alias();

 private:
  static constexpr std::uint64_t bytes = sizeof(std::uint64_t);

  void reset(cpu::Instructions& cpu, cpu::PatIndex pat);
  void store(cpu::Instructions& cpu, cpu::PatIndex pat, bool non_temporal, std::uint64_t value);
  bool cached(cpu::Instructions& cpu, cpu::PatIndex pat);
  bool seen_while_streaming(cpu::PatIndex pat, bool non_temporal);
  bool seen_after_fence(cpu::PatIndex pat, bool non_temporal);
  bool sees_dma(cpu::PatIndex pat);

  World& world_;
  kernel::Thread& user_;
  DmaDriver& driver_;
  Buffer page_;             // of the type
  Buffer other_;            // write-back, the other end of copies
  Hpa line_;                // of the page
  std::uint64_t last_ = 0;  // every value is a new one
};

}  // namespace ioasim::scenarios
