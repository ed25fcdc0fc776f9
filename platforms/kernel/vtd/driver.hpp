// The VT-d driver: the units that firmware describes, and which devices each serves.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "kernel/iommu_ops.hpp"
#include "kernel/pci.hpp"
#include "kernel/vtd/domain.hpp"
#include "kernel/vtd/unit.hpp"

namespace ioasim::kernel::vtd {

class Driver final : public IommuDriver {
 public:
  Driver(const Runtime& runtime, const std::vector<cpu::RemappingUnit>& units);

  // Probes and enables every unit, with the DMA of every function behind it blocked. A unit that
  // fails serves nobody.
  void boot(cpu::Instructions& cpu, const std::vector<PciFunction>& functions,
            std::uint8_t fault_vector);
  unsigned handle_faults(cpu::Instructions& cpu);

  std::optional<Capabilities> capable(RequesterId device) const override;
  std::unique_ptr<Domain> domain_alloc_paging(cpu::Instructions& cpu, RequesterId device,
                                              unsigned address_bits) override;
  int attach_dev(cpu::Instructions& cpu, Domain& domain, RequesterId device) override;
  int block_dev(cpu::Instructions& cpu, RequesterId device) override;

 private:
  struct Device {
    Unit* unit;
    SecondStageDomain* domain = nullptr;  // null: blocked
  };

  Unit* unit_of(const PciFunction& function) const;
  const Unit* working_unit(RequesterId device) const;

  const Runtime& runtime_;
  std::vector<std::unique_ptr<Unit>> units_;
  std::map<RequesterId, Device> devices_;
  std::uint32_t domains_ = 0;
};

}  // namespace ioasim::kernel::vtd
