// What memory types do, as tables: the effective type of each pair of MTRR and PAT type, and how a
// page of it behaves beside a device that does not snoop; and as rows.
#pragma once

#include <array>

#include "cpu/memory_types.hpp"
#include "scenarios/report.hpp"

namespace ioasim::scenarios {

inline constexpr std::array mtrr_types{
    cpu::MemoryType::uncached, cpu::MemoryType::write_combining, cpu::MemoryType::write_through,
    cpu::MemoryType::write_protected, cpu::MemoryType::write_back};
inline constexpr std::array pat_types{
    cpu::MemoryType::uncached,        cpu::MemoryType::uncached_minus,
    cpu::MemoryType::write_combining, cpu::MemoryType::write_through,
    cpu::MemoryType::write_protected, cpu::MemoryType::write_back};

cpu::MemoryType expected_type(cpu::MemoryType mtrr, cpu::MemoryType pat);

// How a page behaves.
struct PageBehaviour {
  bool seen_at_once = false;      // a no-snoop DMA sees a store, without fence or flush
  bool seen_after_fence = false;  // with sfence, without flush
  bool dma_seen = false;          // a load sees a no-snoop DMA write, without flush
  bool allocates = false;         // a load brings the line into the caches
  bool keeps = false;             // a store to a line that is there leaves it there

  bool operator==(const PageBehaviour&) const = default;
};
PageBehaviour expected_behaviour(cpu::MemoryType effective, bool non_temporal);

struct MemoryTypeResult {
  PageBehaviour page{};
  Picoseconds store{};  // time of the instruction
  Picoseconds load{};   // of a line that is in no cache
};

void add_memory_type_columns(Report& report);
void add_memory_type_row(Report& report, cpu::MemoryType mtrr, cpu::MemoryType pat,
                         bool non_temporal, const MemoryTypeResult& result);

}  // namespace ioasim::scenarios
