// What stands behind an open /dev/iommu: its I/O address spaces and the devices bound to it.
//
// The decisions that RFC v2 leaves open:
// * enforce-snoop "auto" is decided when the first device attaches (on if its unit can) and is
//   frozen then, with the page table.
// * MAP_DMA before an attach pins and accounts at once and fills the table at the first attach;
//   Params::map_without_device refuses it instead.
// * A page table lives from the first attach until its IOASID is freed.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "kernel/iommu_ops.hpp"
#include "kernel/iova_map.hpp"
#include "kernel/lock.hpp"
#include "kernel/runtime.hpp"
#include "kernel/user_memory.hpp"
#include "uapi/iommu.hpp"

namespace ioasim::kernel {

struct VfioDevice;

enum class SnoopPolicy : std::uint8_t { off, on, automatic };

// An IOASID: one I/O page table that the kernel manages for the user.
struct IoAddressSpace {
  uapi::ioasid_t id = -1;
  unsigned address_bits = 0;
  SnoopPolicy policy = SnoopPolicy::automatic;
  std::unique_ptr<Domain> domain;  // null until the first attach
  IovaMap mappings;
  std::set<const VfioDevice*> attached;
};

class IommuContext {
 public:
  IommuContext(const Runtime& runtime, IommuDriver& driver)
      : runtime_{runtime}, driver_{driver}, lock_{runtime.params.lock_retry} {}

  // Requests of the file, with the lock held.
  int allocate(std::uint32_t flags, std::uint32_t type, std::uint32_t address_bits);
  int free(cpu::Instructions& cpu, uapi::ioasid_t id);
  int map(cpu::Instructions& cpu, uapi::ioasid_t id, UserMemory& memory,
          const uapi::vfio_iommu_type1_dma_map& request);
  // `bytes` becomes the number of bytes that were unmapped.
  int unmap(cpu::Instructions& cpu, uapi::ioasid_t id, Range<Iova> range, std::uint64_t& bytes);

  // Requests of a device's file, with the lock held.
  int bind(VfioDevice& device, std::uint64_t cookie);
  void unbind(VfioDevice& device);
  int attach(cpu::Instructions& cpu, VfioDevice& device, uapi::ioasid_t id);
  int detach(cpu::Instructions& cpu, VfioDevice& device);

  // The file is closed: address spaces go now, or when their last device does.
  void close(cpu::Instructions& cpu);

  const VfioDevice* find_device(std::uint64_t cookie) const;
  IommuDriver& driver() const { return driver_; }
  Lock& lock() { return lock_; }

 private:
  IoAddressSpace* find(uapi::ioasid_t id);
  int create_domain(cpu::Instructions& cpu, IoAddressSpace& space, const VfioDevice& device);
  static int map_runs(cpu::Instructions& cpu, IoAddressSpace& space, const Mapping& mapping);
  // Takes the mappings out of the table and unpins them, once no device can use them.
  int unmap_all(cpu::Instructions& cpu, IoAddressSpace& space,
                const std::vector<IovaMap::Entry>& mappings);
  int destroy(cpu::Instructions& cpu, IoAddressSpace& space);

  const Runtime& runtime_;
  IommuDriver& driver_;
  Lock lock_;
  std::map<uapi::ioasid_t, IoAddressSpace> spaces_;
  std::map<std::uint64_t, VfioDevice*> devices_;  // by cookie
  uapi::ioasid_t next_ = 0;
  bool closed_ = false;
};

// Addresses that a mapping may not use: writes there are interrupts (VT-d 3.14).
inline constexpr Range<Iova> interrupt_range{Iova{0xfee0'0000}, 0x10'0000};

}  // namespace ioasim::kernel
