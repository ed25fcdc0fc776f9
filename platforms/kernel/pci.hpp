// Finding PCI functions and driving their configuration registers, through ECAM.
//
// Models:         enumeration behind the buses that firmware numbered, BAR0, the PCI Express and
//                 MSI capabilities, isolation groups by bus.
// Does not model: bus numbering, resource assignment, MSI-X, SR-IOV, access control services.
#pragma once

#include <optional>
#include <vector>

#include "cpu/firmware.hpp"
#include "cpu/instructions.hpp"

namespace ioasim::kernel {

struct PciFunction {
  RequesterId id;
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  bool bridge = false;
  RequesterId root_port;      // above it, or itself
  Range<Hpa> bar0;            // 0 bytes if there is none
  std::uint16_t express = 0;  // offset of the capability; 0: none
  std::uint16_t msi = 0;
};

class Pci {
 public:
  explicit Pci(Range<Hpa> ecam) : ecam_{ecam} {}

  void enumerate(cpu::Instructions& cpu);
  const std::vector<PciFunction>& functions() const { return functions_; }
  const PciFunction* find(RequesterId id) const;
  // No other function shares its link, or its device on bus 0: it is alone in its isolation group.
  bool singleton(const PciFunction& function) const;

  // All ones where ECAM does not reach.
  std::uint32_t read(cpu::Instructions& cpu, RequesterId id, unsigned offset, unsigned bytes) const;
  void write(cpu::Instructions& cpu, RequesterId id, unsigned offset, std::uint32_t value,
             unsigned bytes) const;

  void set_bus_master(cpu::Instructions& cpu, const PciFunction& function, bool on) const;
  // PCIe 7.5.3.4: with the bit clear, the function never sets No Snoop. Returns what the bit
  // then reads, as a function may have it hardwired to 0.
  bool set_no_snoop(cpu::Instructions& cpu, const PciFunction& function, bool on) const;
  // False if the function has no MSI capability.
  bool set_msi(cpu::Instructions& cpu, const PciFunction& function, unsigned apic,
               std::uint8_t vector) const;
  void disable_msi(cpu::Instructions& cpu, const PciFunction& function) const;

 private:
  void scan_bus(cpu::Instructions& cpu, unsigned bus, std::optional<RequesterId> root_port,
                unsigned devices);
  bool scan_function(cpu::Instructions& cpu, RequesterId id, std::optional<RequesterId> root_port);
  void read_capabilities(cpu::Instructions& cpu, PciFunction& function) const;
  Range<Hpa> size_bar0(cpu::Instructions& cpu, RequesterId id) const;
  Hpa address(RequesterId id, unsigned offset) const {
    return ecam_.base + (std::uint64_t{id.value} << 12) + offset;
  }

  Range<Hpa> ecam_;
  std::vector<PciFunction> functions_;
};

// Registers that software outside this file also needs (PCI 3.0 chapter 6, PCIe 7.5.3).
namespace pci_register {
inline constexpr unsigned command = 0x04;
inline constexpr unsigned command_memory = 1u << 1;
inline constexpr unsigned command_master = 1u << 2;
inline constexpr unsigned command_intx_disable = 1u << 10;
inline constexpr unsigned express_device_control = 0x08;
inline constexpr unsigned control_relaxed_ordering = 1u << 4;
inline constexpr unsigned control_no_snoop = 1u << 11;
}  // namespace pci_register

}  // namespace ioasim::kernel
