// A second-stage page table (VT-d 3.7, 9.8): 3 to 5 levels, 4 KiB pages and the large pages that
// hardware has, in memory, by cached loads and stores.
//
// If walks of it are not snooped, each modified line is flushed. Entries of a run are written a
// line at a time. A large page goes only where no table hangs, so that a table never disappears
// from under a walk except in unmap(), which hands it over to be freed after the invalidation.
#pragma once

#include "kernel/iommu_ops.hpp"
#include "kernel/runtime.hpp"

namespace ioasim::kernel::vtd {

class SecondStage {
 public:
  struct Format {
    unsigned levels = 4;
    bool coherent = true;   // every unit that walks it snoops
    unsigned leaf_max = 1;  // highest level that may hold a leaf: 1, 2 (2 MiB) or 3 (1 GiB)
    bool snoop = false;     // SNP in each leaf
  };

  SecondStage(const Runtime& runtime, Format format) : runtime_{runtime}, format_{format} {}

  // Takes the top table. -ENOMEM.
  int create(cpu::Instructions& cpu);
  Hpa root() const { return root_; }
  const Format& format() const { return format_; }

  // Before the first map.
  void force_snoop() { format_.snoop = true; }
  void limit_leaves(unsigned leaf_max) { format_.leaf_max = std::min(format_.leaf_max, leaf_max); }
  // A unit that does not snoop its walks comes: flushes what there is, and all that follows.
  void stop_relying_on_snoops(cpu::Instructions& cpu);

  // -ENOMEM. Iova, memory and length are whole pages, and nothing is mapped there.
  int map(cpu::Instructions& cpu, Iova iova, Range<Hpa> memory, Protection protection);
  // Clears the entries; lines to flush and tables to free are left to the caller.
  void unmap(cpu::Instructions& cpu, Range<Iova> range, Gather& gather);

  // All tables, the top one last. The structure must not be used afterwards.
  void collect_tables(cpu::Instructions& cpu, std::vector<Hpa>& tables) const;

 private:
  struct Run {
    Iova iova;
    Hpa memory;
    std::uint64_t bytes;
    std::uint64_t bits;
  };

  int map_level(cpu::Instructions& cpu, Hpa table, unsigned level, const Run& run);
  std::optional<Hpa> descend(cpu::Instructions& cpu, Hpa entry, std::uint64_t word);
  void store_leaves(cpu::Instructions& cpu, Hpa table, unsigned level, const Run& run);
  void unmap_level(cpu::Instructions& cpu, Hpa table, unsigned level, Range<Iova> range,
                   Gather& gather);
  void collect(cpu::Instructions& cpu, Hpa table, unsigned level, std::vector<Hpa>& tables) const;
  void flush(cpu::Instructions& cpu, Range<Hpa> bytes) const;

  const Runtime& runtime_;
  Format format_;
  Hpa root_;
};

}  // namespace ioasim::kernel::vtd
