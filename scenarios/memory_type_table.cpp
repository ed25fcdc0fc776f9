#include "scenarios/memory_type_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ioasim::scenarios {

using cpu::MemoryType;

MemoryType expected_type(MemoryType mtrr, MemoryType pat) {
  using enum MemoryType;
  constexpr auto UC = uncached, WC = write_combining, WT = write_through, WP = write_protected,
                 WB = write_back;
  constexpr MemoryType table[5][6] = {
      // PAT: UC, UC-, WC, WT, WP, WB
      {UC, UC, WC, UC, UC, UC},  // MTRR: UC
      {UC, WC, WC, UC, UC, WC},  // WC
      {UC, UC, WC, WT, WP, WT},  // WT
      {UC, WC, WC, WT, WP, WP},  // WP
      {UC, UC, WC, WT, WP, WB},  // WB
  };
  const auto row = std::find(mtrr_types.begin(), mtrr_types.end(), mtrr) - mtrr_types.begin();
  const auto column = std::find(pat_types.begin(), pat_types.end(), pat) - pat_types.begin();
  return table[row][column];
}

// UC alone is coherent without anything; WC with a fence; of WT and WP what the CPU writes, not
// what it reads; of WB neither. Non-temporal stores are as to WC, unless the type is UC or WP.
PageBehaviour expected_behaviour(MemoryType effective, bool non_temporal) {
  using enum MemoryType;
  const bool cacheable = effective >= write_through;
  const bool overruled = effective == uncached || effective == write_protected;
  const bool combined = effective == write_combining || (non_temporal && !overruled);
  return {.seen_at_once = overruled || (effective == write_through && !combined),
          .seen_after_fence = combined || effective != write_back,
          .dma_seen = !cacheable,
          .allocates = cacheable,
          .keeps = cacheable && effective != write_protected && !combined};
}

void add_memory_type_columns(Report& report) {
  report.column("mtrr", "", "type that the MTRR gives the page");
  report.column("pat", "", "type that the PAT gives the mapping");
  report.column("effective", "", "type of the access (SDM vol. 3, table 12-7)");
  report.column("operation", "", "store, or non-temporal store");
  report.column("seen_at_once", "", "no-snoop DMA sees the store, without fence or flush");
  report.column("seen_after_fence", "", "with sfence, without flush");
  report.column("dma_seen", "", "a load sees a no-snoop DMA write, without flush");
  report.column("allocates", "", "a load brings the line into the caches");
  report.column("keeps", "", "a store to a line that is cached leaves it there");
  report.column("store", "ns", "time of the store instruction");
  report.column("load", "ns", "time of a load of a line that is in no cache");
}

void add_memory_type_row(Report& report, MemoryType mtrr, MemoryType pat, bool non_temporal,
                         const MemoryTypeResult& result) {
  const auto* operation = non_temporal ? "non-temporal" : "store";
  const auto& page = result.page;
  report.row(fmt::format("{} x {}, {}", to_text(mtrr), to_text(pat), operation),
             {{"mtrr", to_text(mtrr)},
              {"pat", to_text(pat)},
              {"effective", to_text(cpu::effective(mtrr, pat))},
              {"operation", operation},
              {"seen_at_once", page.seen_at_once},
              {"seen_after_fence", page.seen_after_fence},
              {"dma_seen", page.dma_seen},
              {"allocates", page.allocates},
              {"keeps", page.keeps},
              {"store", result.store},
              {"load", result.load}});
}

}  // namespace ioasim::scenarios
