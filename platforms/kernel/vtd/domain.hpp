// One second-stage page table and the units that translate through it.
#pragma once

#include <vector>

#include "kernel/iommu_ops.hpp"
#include "kernel/vtd/second_stage.hpp"
#include "kernel/vtd/unit.hpp"

namespace ioasim::kernel::vtd {

class SecondStageDomain final : public Domain {
 public:
  SecondStageDomain(const Runtime& runtime, std::uint32_t number, SecondStage::Format format,
                    const Unit::Features& first);

  int create(cpu::Instructions& cpu) { return table_.create(cpu); }

  std::uint32_t number() const override { return number_; }
  bool enforce_cache_coherency() override;
  int map_pages(cpu::Instructions& cpu, Iova iova, Range<Hpa> memory,
                Protection protection) override;
  int iotlb_sync_map(cpu::Instructions& cpu, Range<Iova> range) override;
  void unmap_pages(cpu::Instructions& cpu, Range<Iova> range, Gather& gather) override;
  int iotlb_sync(cpu::Instructions& cpu, Gather& gather) override;
  void release(cpu::Instructions& cpu) override;

  int attach(cpu::Instructions& cpu, Unit& unit, RequesterId device);
  int detach(cpu::Instructions& cpu, Unit& unit, RequesterId device);

 private:
  // A unit that has devices in this domain, and the domain id they share there.
  struct Attachment {
    Unit* unit;
    DomainId id;
    unsigned devices;
  };

  bool suits(const Unit::Features& features) const;
  Attachment* find(const Unit& unit);

  const Runtime& runtime_;
  std::uint32_t number_;
  SecondStage table_;
  bool can_force_snoop_;  // every unit met so far has ECAP.SC
  bool ever_mapped_ = false;
  bool stale_ = false;  // a unit did not confirm a detach, so it may walk the table for ever
  std::vector<Attachment> attachments_;
};

}  // namespace ioasim::kernel::vtd
