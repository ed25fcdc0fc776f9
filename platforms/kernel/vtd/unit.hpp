// One remapping unit: what it can do, how it is switched on, and the sequences of invalidations
// that software owes it.
//
// Models:         scalable mode with second-stage tables, queued invalidation.
// Does not model: legacy mode, first stage, register-based invalidation, device TLBs, page
//                 requests, interrupt remapping.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cpu/firmware.hpp"
#include "kernel/iommu_ops.hpp"
#include "kernel/runtime.hpp"
#include "kernel/vtd/queue.hpp"
#include "kernel/vtd/structures.hpp"

namespace ioasim::kernel::vtd {

class Unit {
 public:
  struct Features {
    bool coherent = false;              // ECAP.C
    bool walk_coherent = false;         // ECAP.SMPWCS
    bool snoop_control = false;         // ECAP.SC
    unsigned address_bits = 0;          // least of CAP.MGAW and the widest table of CAP.SAGAW
    std::uint8_t table_widths = 0;      // CAP.SAGAW
    unsigned leaf_max = 1;              // CAP.SSLPS, as in SecondStage::Format
    std::uint32_t domains = 0;          // CAP.ND
    bool page_selective = false;        // CAP.PSI
    unsigned address_mask_max = 0;      // CAP.MAMV
    descriptor::Drain drain;            // CAP.DRD, CAP.DWD
    bool caching_mode = false;          // CAP.CM
    bool write_buffer_flush = false;    // CAP.RWBF
    bool root_set_invalidates = false;  // CAP.ESRTPS
    unsigned fault_offset = 0;          // bytes
    unsigned fault_records = 0;
  };

  Unit(const Runtime& runtime, const cpu::RemappingUnit& description, unsigned number);

  // Reads the capabilities, switches off what firmware left on, and prepares the queue and the
  // root table. Why the unit cannot be used is also in the log.
  int probe(cpu::Instructions& cpu);
  // Blocks the device's DMA from the start of translation. After probe(), before enable().
  int add_device(cpu::Instructions& cpu, RequesterId device);
  // Root table, invalidations, fault event to this core's APIC, translation.
  int enable(cpu::Instructions& cpu, std::uint8_t fault_vector);

  bool usable() const { return usable_; }
  const Features& features() const { return features_; }
  const Registers& registers() const { return registers_; }
  unsigned number() const { return number_; }
  bool serves(RequesterId root_port) const;
  bool serves_the_rest() const { return description_.scope.empty(); }

  std::optional<DomainId> allocate_domain();
  void free_domain(DomainId domain);

  int attach(cpu::Instructions& cpu, RequesterId device, const Structures::SecondStageEntry& entry);
  // The two halves of a detach: the entry goes, then what the unit has cached of it. An error of
  // the second means that the domain id must not be used again.
  void clear_present(cpu::Instructions& cpu, RequesterId device) {
    structures_->clear_present(cpu, device);
  }
  int finish_detach(cpu::Instructions& cpu, RequesterId device, DomainId domain);

  // The range of pages that were unmapped. `leaf_only`: no table is about to be freed.
  int invalidate_range(cpu::Instructions& cpu, DomainId domain, Iova first, Iova last,
                       bool leaf_only, Queue::Phases phases);
  int flush_write_buffer(cpu::Instructions& cpu);

 private:
  int read_features(cpu::Instructions& cpu);
  int quiesce(cpu::Instructions& cpu);
  // Sets or clears one bit of GCMD and waits until GSTS shows `expected` of it. -ETIMEDOUT.
  int command(cpu::Instructions& cpu, std::uint32_t bit, bool on, bool expected);
  int invalidate_all(cpu::Instructions& cpu);
  int submit(cpu::Instructions& cpu, const Descriptor& descriptor);
  int refuse(int error, const char* why);

  const Runtime& runtime_;
  cpu::RemappingUnit description_;
  unsigned number_;
  Registers registers_;
  Features features_;
  Queue queue_;
  std::optional<Structures> structures_;  // once ECAP is known
  Lock command_lock_;
  bool usable_ = false;
  std::vector<bool> domains_;
};

}  // namespace ioasim::kernel::vtd
