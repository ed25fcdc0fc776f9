// Memory of a simulated host process: anonymous areas, filled page by page at the first touch by
// the user or by pinning, and the count of locked pages against RLIMIT_MEMLOCK.
//
// Pages stay where they are for as long as the process lives: there is no swap, no migration and
// no unmapping of an area.
#pragma once

#include <map>
#include <vector>

#include "base/result.hpp"
#include "kernel/lock.hpp"
#include "kernel/runtime.hpp"

namespace ioasim::kernel {

class UserMemory {
 public:
  UserMemory(const Runtime& runtime, std::uint64_t locked_pages_max)
      : runtime_{runtime}, lock_{runtime.params.lock_retry}, locked_max_{locked_pages_max} {}

  // A new area of whole pages, with a hole behind it. Takes no memory yet.
  Hva allocate(std::uint64_t bytes);

  // Where a byte is, after its page has come in. -EFAULT: in no area. -ENOMEM.
  Result<Hpa, int> translate(cpu::Instructions& cpu, Hva address);

  // Brings in, pins and accounts whole pages; returns them in runs that are contiguous in
  // memory. -EFAULT: in no area. -ENOMEM: over the limit, or no memory. Nothing is pinned then.
  // Each pin of a page counts, as type1 counts each container.
  Result<std::vector<Range<Hpa>>, int> pin(cpu::Instructions& cpu, Range<Hva> pages);
  void unpin(cpu::Instructions& cpu, std::uint64_t bytes);

  std::uint64_t locked_pages() const { return locked_; }

 private:
  struct Area {
    Range<Hva> range;
    std::vector<Hpa> frames;  // 0: not there yet
  };

  Area* find(Hva address);
  Result<Hpa, int> frame(cpu::Instructions& cpu, Area& area, Hva address);
  int fault_in(cpu::Instructions& cpu, Area& area, std::size_t page);

  const Runtime& runtime_;
  Lock lock_;  // of the areas, across the blocking parts of a fault
  std::map<Hva, Area> areas_;
  Hva next_{0x7f00'0000'0000};
  std::uint64_t locked_ = 0;
  std::uint64_t locked_max_;
};

}  // namespace ioasim::kernel
