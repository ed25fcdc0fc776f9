#include "kernel/pci.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"

namespace ioasim::kernel {
namespace {

using namespace pci_register;

constexpr unsigned vendor_id = 0x00;
constexpr unsigned device_id = 0x02;
constexpr unsigned status = 0x06;
constexpr unsigned status_capabilities = 1u << 4;
constexpr unsigned header_type = 0x0e;
constexpr unsigned header_multifunction = 0x80;
constexpr unsigned bar0 = 0x10;
constexpr unsigned secondary_bus = 0x19;
constexpr unsigned capabilities_pointer = 0x34;

constexpr unsigned capability_msi = 0x05;
constexpr unsigned capability_express = 0x10;

constexpr unsigned express_flags = 0x02;  // 7:4 port type
constexpr unsigned type_root_port = 4;
constexpr unsigned type_downstream_port = 6;

constexpr unsigned msi_control = 0x02;
constexpr unsigned msi_enable = 1u << 0;
constexpr unsigned msi_multiple_enable = 7u << 4;
constexpr unsigned msi_wide = 1u << 7;
constexpr unsigned msi_address = 0x04;

constexpr unsigned buses_max = 256;

}  // namespace

std::uint32_t Pci::read(cpu::Instructions& cpu, RequesterId id, unsigned offset,
                        unsigned bytes) const {
  const Hpa at = address(id, offset);
  if (!ecam_.contains(Range<Hpa>{at, bytes})) return ~0u;
  return static_cast<std::uint32_t>(cpu.read_uncached(at, bytes));
}

void Pci::write(cpu::Instructions& cpu, RequesterId id, unsigned offset, std::uint32_t value,
                unsigned bytes) const {
  const Hpa at = address(id, offset);
  if (ecam_.contains(Range<Hpa>{at, bytes})) cpu.write_uncached(at, value, bytes);
}

void Pci::enumerate(cpu::Instructions& cpu) {
  functions_.clear();
  scan_bus(cpu, 0, std::nullopt, 32);
}

// A link has one device; only bus 0 and the inside of a switch have more.
void Pci::scan_bus(cpu::Instructions& cpu, unsigned bus, std::optional<RequesterId> root_port,
                   unsigned devices) {
  for (unsigned device = 0; device < devices; ++device) {
    const auto first = RequesterId::of(bus, device, 0);
    if (!scan_function(cpu, first, root_port)) continue;
    if ((read(cpu, first, header_type, 1) & header_multifunction) == 0) continue;
    for (unsigned function = 1; function < 8; ++function) {
      scan_function(cpu, RequesterId::of(bus, device, function), root_port);
    }
  }
}

bool Pci::scan_function(cpu::Instructions& cpu, RequesterId id,
                        std::optional<RequesterId> root_port) {
  const auto vendor = read(cpu, id, vendor_id, 2) & 0xffff;
  if (vendor == 0xffff) return false;
  PciFunction function;
  function.id = id;
  function.vendor = static_cast<std::uint16_t>(vendor);
  function.device = static_cast<std::uint16_t>(read(cpu, id, device_id, 2));
  function.bridge = (read(cpu, id, header_type, 1) & 0x7f) == 1;
  function.root_port = root_port.value_or(id);
  read_capabilities(cpu, function);
  if (!function.bridge) function.bar0 = size_bar0(cpu, id);
  functions_.push_back(function);

  if (!function.bridge || functions_.size() > buses_max * 8) return true;
  const unsigned secondary = read(cpu, id, secondary_bus, 1);
  if (secondary <= id.bus() || secondary >= buses_max) return true;  // firmware left it closed
  const auto type = read(cpu, id, function.express + express_flags, 2) >> 4 & 0xf;
  const bool link =
      function.express != 0 && (type == type_root_port || type == type_downstream_port);
  scan_bus(cpu, secondary, function.root_port, link ? 1 : 32);
  return true;
}

void Pci::read_capabilities(cpu::Instructions& cpu, PciFunction& function) const {
  if ((read(cpu, function.id, status, 2) & status_capabilities) == 0) return;
  unsigned at = read(cpu, function.id, capabilities_pointer, 1) & 0xfc;
  for (unsigned seen = 0; at >= 0x40 && seen < 48; ++seen) {  // a list that loops ends too
    const unsigned head = read(cpu, function.id, at, 2);
    if ((head & 0xff) == capability_express) function.express = static_cast<std::uint16_t>(at);
    if ((head & 0xff) == capability_msi) function.msi = static_cast<std::uint16_t>(at);
    at = head >> 8 & 0xfc;
  }
}

// PCI 3.0 6.2.5.1: the size is what an all-ones write leaves at zero. Memory decode is off
// meanwhile, and firmware's address is put back.
Range<Hpa> Pci::size_bar0(cpu::Instructions& cpu, RequesterId id) const {
  const auto original = read(cpu, id, bar0, 4);
  const bool io = (original & 1) != 0;
  const bool wide = (original >> 1 & 3) == 2;
  if (io) return {};
  const auto was = read(cpu, id, command, 2);
  write(cpu, id, command, was & ~command_memory, 2);
  write(cpu, id, bar0, ~0u, 4);
  const auto mask = read(cpu, id, bar0, 4) & ~0xfu;
  write(cpu, id, bar0, original, 4);
  write(cpu, id, command, was, 2);
  if (mask == 0) return {};
  std::uint64_t base = original & ~0xfu;
  if (wide) base |= std::uint64_t{read(cpu, id, bar0 + 4, 4)} << 32;
  if (base == 0) return {};
  return {Hpa{base}, std::uint64_t{1} << std::countr_zero(mask)};
}

const PciFunction* Pci::find(RequesterId id) const {
  const auto at = std::find_if(functions_.begin(), functions_.end(),
                               [id](const PciFunction& function) { return function.id == id; });
  return at == functions_.end() ? nullptr : &*at;
}

bool Pci::singleton(const PciFunction& function) const {
  const auto shares = [id = function.id](const PciFunction& other) {
    return other.id.bus() == id.bus() && (id.bus() != 0 || other.id.device() == id.device());
  };
  return std::count_if(functions_.begin(), functions_.end(), shares) == 1;
}

void Pci::set_bus_master(cpu::Instructions& cpu, const PciFunction& function, bool on) const {
  auto value = read(cpu, function.id, command, 2) | command_memory;
  value = on ? value | command_master : value & ~command_master;
  write(cpu, function.id, command, value, 2);
}

bool Pci::set_no_snoop(cpu::Instructions& cpu, const PciFunction& function, bool on) const {
  if (function.express == 0) return false;
  const unsigned at = function.express + express_device_control;
  const auto value = read(cpu, function.id, at, 2);
  write(cpu, function.id, at, on ? value | control_no_snoop : value & ~control_no_snoop, 2);
  return (read(cpu, function.id, at, 2) & control_no_snoop) != 0;
}

// PCI 3.0 6.8.1. Physical destination mode, fixed delivery, edge (SDM vol. 3 11.11).
bool Pci::set_msi(cpu::Instructions& cpu, const PciFunction& function, unsigned apic,
                  std::uint8_t vector) const {
  if (function.msi == 0) return false;
  const unsigned at = function.msi;
  const auto control = read(cpu, function.id, at + msi_control, 2);
  const bool wide = (control & msi_wide) != 0;
  write(cpu, function.id, at + msi_address, 0xfee0'0000u | apic << 12, 4);
  if (wide) write(cpu, function.id, at + msi_address + 4, 0, 4);
  write(cpu, function.id, at + (wide ? 0x0c : 0x08), vector, 2);
  write(cpu, function.id, at + msi_control, (control & ~msi_multiple_enable) | msi_enable, 2);
  return true;
}

void Pci::disable_msi(cpu::Instructions& cpu, const PciFunction& function) const {
  if (function.msi == 0) return;
  const unsigned at = function.msi + msi_control;
  write(cpu, function.id, at, read(cpu, function.id, at, 2) & ~msi_enable, 2);
}

}  // namespace ioasim::kernel
