#include "kernel/vtd/driver.hpp"

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"
#include "kernel/vtd/faults.hpp"
#include "kernel/vtd/formats.hpp"

namespace ioasim::kernel::vtd {

Driver::Driver(const Runtime& runtime, const std::vector<cpu::RemappingUnit>& units)
    : runtime_{runtime} {
  for (const auto& unit : units) {
    const auto number = static_cast<unsigned>(units_.size());
    units_.push_back(std::make_unique<Unit>(runtime, unit, number));
  }
}

// A unit without scope serves what no other unit names (DMAR: INCLUDE_PCI_ALL).
Unit* Driver::unit_of(const PciFunction& function) const {
  for (const auto& unit : units_) {
    if (unit->serves(function.root_port)) return unit.get();
  }
  for (const auto& unit : units_) {
    if (unit->serves_the_rest()) return unit.get();
  }
  return nullptr;
}

void Driver::boot(cpu::Instructions& cpu, const std::vector<PciFunction>& functions,
                  std::uint8_t fault_vector) {
  for (const auto& unit : units_) {
    if (unit->probe(cpu) != 0) continue;
    for (const auto& function : functions) {
      if (function.bridge || unit_of(function) != unit.get() || !unit->usable()) continue;
      if (unit->add_device(cpu, function.id) == 0) devices_[function.id] = {unit.get()};
    }
    if (unit->usable()) unit->enable(cpu, fault_vector);
  }
}

unsigned Driver::handle_faults(cpu::Instructions& cpu) {
  unsigned handled = 0;
  for (const auto& unit : units_) {
    if (unit->usable()) handled += vtd::handle_faults(cpu, runtime_, *unit);
  }
  return handled;
}

const Unit* Driver::working_unit(RequesterId device) const {
  const auto at = devices_.find(device);
  return at == devices_.end() || !at->second.unit->usable() ? nullptr : at->second.unit;
}

std::optional<IommuDriver::Capabilities> Driver::capable(RequesterId device) const {
  const Unit* unit = working_unit(device);
  if (unit == nullptr) return std::nullopt;
  const auto& features = unit->features();
  const unsigned leaf_max = runtime_.params.superpages ? features.leaf_max : 1;
  Capabilities capabilities{.enforce_cache_coherency = features.snoop_control,
                            .address_bits = features.address_bits,
                            .page_sizes = 0};
  for (unsigned level = 1; level <= leaf_max; ++level) {
    capabilities.page_sizes |= paging::span(level);
  }
  return capabilities;
}

std::unique_ptr<Domain> Driver::domain_alloc_paging(cpu::Instructions& cpu, RequesterId device,
                                                    unsigned address_bits) {
  const Unit* unit = working_unit(device);
  if (unit == nullptr || address_bits > unit->features().address_bits) return nullptr;
  const auto& features = unit->features();
  // The lowest table that is wide enough.
  unsigned levels = 3;
  while ((features.table_widths & 1u << (levels - 2)) == 0 ||
         12 + paging::index_bits * levels < address_bits) {
    ++levels;
  }
  CHECK(levels <= 5);
  SecondStage::Format format{.levels = levels, .coherent = features.walk_coherent};
  format.leaf_max = runtime_.params.superpages ? features.leaf_max : 1;
  auto domain = std::make_unique<SecondStageDomain>(runtime_, ++domains_, format, features);
  if (domain->create(cpu) != 0) return nullptr;
  return domain;
}

int Driver::attach_dev(cpu::Instructions& cpu, Domain& domain, RequesterId device) {
  const auto at = devices_.find(device);
  if (at == devices_.end() || !at->second.unit->usable()) return -ENODEV;
  auto& [unit, current] = at->second;
  CHECK(current == nullptr);
  // One driver, hence one kind of domain.
  auto& table = static_cast<SecondStageDomain&>(domain);
  const int error = table.attach(cpu, *unit, device);
  if (error == 0) current = &table;
  return error;
}

int Driver::block_dev(cpu::Instructions& cpu, RequesterId device) {
  const auto at = devices_.find(device);
  if (at == devices_.end()) return -ENODEV;
  auto& [unit, current] = at->second;
  if (current == nullptr) return 0;
  SecondStageDomain* domain = current;
  current = nullptr;
  return domain->detach(cpu, *unit, device);
}

}  // namespace ioasim::kernel::vtd
