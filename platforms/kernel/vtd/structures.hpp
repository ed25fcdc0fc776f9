// The structures that lead from a requester id to its page table: root table, scalable-mode
// context tables, PASID directories and tables (VT-d 3.4, 9.2 to 9.6). Built by cached stores;
// each modified line is flushed if the unit does not snoop its reads of them.
//
// A device that has been added has a present context entry and a PASID table whose entries are
// not present: its DMA is blocked, and each request is recorded as a fault.
#pragma once

#include <map>

#include "kernel/runtime.hpp"

namespace ioasim::kernel::vtd {

class Structures {
 public:
  // `coherent`: ECAP.C of the unit.
  Structures(const Runtime& runtime, bool coherent) : runtime_{runtime}, coherent_{coherent} {}

  int create_root(cpu::Instructions& cpu);
  Hpa root() const { return root_; }
  int add_device(cpu::Instructions& cpu, RequesterId device);

  struct SecondStageEntry {
    Hpa table;
    unsigned levels = 4;
    DomainId domain;
    bool walk_snoop = false;
  };
  // The entry of PASID 0, which requests without PASID use; it must not be present.
  void set_second_stage(cpu::Instructions& cpu, RequesterId device, const SecondStageEntry& to);
  // The two halves of its removal; caches are invalidated in between (VT-d 6.5.3.3).
  void clear_present(cpu::Instructions& cpu, RequesterId device);
  void clear_rest(cpu::Instructions& cpu, RequesterId device);

 private:
  Hpa pasid_entry(RequesterId device) const;
  // Makes stores to these bytes visible to the unit.
  void publish(cpu::Instructions& cpu, Range<Hpa> bytes) const;
  std::optional<Hpa> new_table(cpu::Instructions& cpu) const;

  const Runtime& runtime_;
  bool coherent_;
  Hpa root_;
  std::map<RequesterId, Hpa> pasid_tables_;
};

}  // namespace ioasim::kernel::vtd
