// A PCI function in the hands of VFIO, and an open file of it.
//
// Life of a device: DMA blocked from boot on; bound (registers open to the user, DMA still
// blocked); attached to an IOASID; blocked again at each detach; closed. It has one user at a
// time, and one IOASID.
#pragma once

#include <memory>
#include <string>

#include "kernel/file.hpp"
#include "kernel/iommu_context.hpp"
#include "kernel/pci.hpp"

namespace ioasim::kernel {

struct VfioDevice {
  PciFunction function;
  std::string name;                       // of its node
  std::uint8_t vector = 0;                // of its message-signalled interrupt; 0: none left
  bool exposed = false;                   // has a node
  std::shared_ptr<IommuContext> context;  // bound to it
  IoAddressSpace* space = nullptr;        // attached to it
};

// An event counter that an interrupt can trigger.
class EventFile final : public File {
 public:
  int wait(Caller caller, Picoseconds timeout) override;

  // The interrupt that triggers it, and the core that it goes to.
  std::uint8_t vector = 0;
  unsigned core = 0;
};

class VfioFile final : public File {
 public:
  VfioFile(const Pci& pci, VfioDevice& device) : pci_{pci}, device_{device} {}

  int ioctl(Caller caller, std::uint32_t request, void* arg) override;
  int read(Caller caller, std::span<std::byte> into, std::uint64_t offset) override;
  int write(Caller caller, std::span<const std::byte> from, std::uint64_t offset) override;
  int mapped_read(cpu::Instructions& cpu, std::uint64_t offset, unsigned bytes,
                  std::uint64_t& value) override;
  int mapped_write(cpu::Instructions& cpu, std::uint64_t offset, unsigned bytes,
                   std::uint64_t value) override;
  void release(Caller caller) override;

 private:
  int bind(Caller caller, const void* arg);
  int attach(Caller caller, const void* arg);
  int detach(Caller caller, const void* arg);
  int check_attachment(Caller caller, const uapi::vfio_device_attach_ioasid& request) const;
  int device_info(void* arg) const;
  int region_info(void* arg) const;
  int set_irqs(Caller caller, const void* arg) const;
  int bar_address(std::uint64_t offset, unsigned bytes, Hpa& address) const;
  std::uint32_t writable_config_bits(unsigned offset, unsigned bytes) const;

  const Pci& pci_;
  VfioDevice& device_;
  bool bound_ = false;  // through this file
};

}  // namespace ioasim::kernel
