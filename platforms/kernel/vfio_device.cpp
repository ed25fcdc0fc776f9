#include "kernel/vfio_device.hpp"

#include "base/check.hpp"
#include "kernel/iommu_file.hpp"
#include "kernel/process.hpp"

namespace ioasim::kernel {
namespace {

// vfio-pci: the index of a region is in the upper bits of its offset in the device file.
constexpr unsigned region_shift = 40;
constexpr std::uint64_t config_bytes = 4096;

constexpr std::uint32_t region_of(std::uint64_t offset) {
  return static_cast<std::uint32_t>(offset >> region_shift);
}
constexpr std::uint64_t offset_in_region(std::uint64_t offset) {
  return offset & ((1ull << region_shift) - 1);
}
constexpr bool naturally_aligned(std::uint64_t offset, std::uint64_t bytes) {
  return (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) && offset % bytes == 0;
}

}  // namespace

int EventFile::wait(Caller caller, Picoseconds timeout) {
  if (vector == 0 || core != caller.cpu.number()) return -EINVAL;
  return caller.cpu.wait_for_interrupt(vector, timeout) ? 1 : 0;
}

int VfioFile::ioctl(Caller caller, std::uint32_t request, void* arg) {
  switch (request) {
    case uapi::VFIO_DEVICE_BIND_IOMMU_FD:
      return bind(caller, arg);
    case uapi::VFIO_DEVICE_ATTACH_IOASID:
      return attach(caller, arg);
    case uapi::VFIO_DEVICE_DETACH_IOASID:
      return detach(caller, arg);
    case uapi::VFIO_DEVICE_GET_INFO:
      return bound_ ? device_info(arg) : -ENODEV;
    case uapi::VFIO_DEVICE_GET_REGION_INFO:
      return bound_ ? region_info(arg) : -ENODEV;
    case uapi::VFIO_DEVICE_SET_IRQS:
      return bound_ ? set_irqs(caller, arg) : -ENODEV;
    default:
      return -ENOTTY;
  }
}

// The device's DMA is blocked since boot, or since the last detach, so that registers may be
// opened at once (RFC v2 1.3). Bus mastering, which user-space drivers switch on first thing,
// comes with it.
int VfioFile::bind(Caller caller, const void* arg) {
  uapi::vfio_device_iommu_bind_data request{};
  if (const int error = copy_in(arg, request); error != 0) return error;
  if (request.flags != 0 || request.reserved != 0) return -EINVAL;
  const auto* iommu = dynamic_cast<IommuFile*>(caller.process.file(request.iommu_fd));
  if (iommu == nullptr) return -EINVAL;
  const auto context = iommu->context();
  Guard guard{context->lock(), caller.cpu};
  if (device_.context) return -EBUSY;
  if (const int error = context->bind(device_, request.dev_cookie); error != 0) return error;
  device_.context = context;
  pci_.set_bus_master(caller.cpu, device_.function, true);
  bound_ = true;
  return 0;
}

// What attaching and detaching check alike: bound, and to this file descriptor.
int VfioFile::check_attachment(Caller caller,
                               const uapi::vfio_device_attach_ioasid& request) const {
  if (request.ioasid < 0 || !bound_) return -EINVAL;
  const auto* iommu = dynamic_cast<IommuFile*>(caller.process.file(request.iommu_fd));
  return iommu == nullptr || iommu->context() != device_.context ? -EINVAL : 0;
}

int VfioFile::attach(Caller caller, const void* arg) {
  uapi::vfio_device_attach_ioasid request{};
  if (const int error = copy_in(arg, request); error != 0) return error;
  if ((request.flags & ~uapi::IOASID_ATTACH_VPASID) != 0) return -EINVAL;
  if (request.flags != 0 && request.argsz < sizeof(uapi::vfio_device_attach_ioasid_vpasid)) {
    return -EINVAL;
  }
  if (const int error = check_attachment(caller, request); error != 0) return error;
  // Whether a device has PASIDs is its driver's knowledge (RFC v2 1.4); none of ours has.
  if (request.flags != 0) return -EOPNOTSUPP;
  Guard guard{device_.context->lock(), caller.cpu};
  return device_.context->attach(caller.cpu, device_, request.ioasid);
}

int VfioFile::detach(Caller caller, const void* arg) {
  uapi::vfio_device_attach_ioasid request{};
  if (const int error = copy_in(arg, request); error != 0) return error;
  if (request.flags != 0) return -EINVAL;
  if (const int error = check_attachment(caller, request); error != 0) return error;
  Guard guard{device_.context->lock(), caller.cpu};
  if (device_.space == nullptr || device_.space->id != request.ioasid) return -EINVAL;
  return device_.context->detach(caller.cpu, device_);
}

int VfioFile::device_info(void* arg) const {
  uapi::vfio_device_info info{};
  if (const int error = copy_in(arg, info); error != 0) return error;
  info.flags = uapi::VFIO_DEVICE_FLAGS_PCI;
  info.num_regions = uapi::VFIO_PCI_NUM_REGIONS;
  info.num_irqs = uapi::VFIO_PCI_NUM_IRQS;
  return copy_out(info, arg);
}

int VfioFile::region_info(void* arg) const {
  uapi::vfio_region_info info{};
  if (const int error = copy_in(arg, info); error != 0) return error;
  if (info.index >= uapi::VFIO_PCI_NUM_REGIONS) return -EINVAL;
  info.flags = 0;
  info.cap_offset = 0;
  info.size = 0;
  info.offset = std::uint64_t{info.index} << region_shift;
  if (info.index == uapi::VFIO_PCI_CONFIG_REGION_INDEX) info.size = config_bytes;
  if (info.index == uapi::VFIO_PCI_BAR0_REGION_INDEX) info.size = device_.function.bar0.bytes;
  if (info.size > 0) {
    info.flags = uapi::VFIO_REGION_INFO_FLAG_READ | uapi::VFIO_REGION_INFO_FLAG_WRITE;
    if (info.index == uapi::VFIO_PCI_BAR0_REGION_INDEX) {
      info.flags |= uapi::VFIO_REGION_INFO_FLAG_MMAP;
    }
  }
  return copy_out(info, arg);
}

// One interrupt, as a message to the core that asks for it.
int VfioFile::set_irqs(Caller caller, const void* arg) const {
  constexpr auto trigger = uapi::VFIO_IRQ_SET_ACTION_TRIGGER;
  uapi::vfio_irq_set request{};
  if (const int error = copy_in(arg, request); error != 0) return error;
  if (request.index != uapi::VFIO_PCI_MSI_IRQ_INDEX || request.start != 0) return -EINVAL;
  if (request.flags == (trigger | uapi::VFIO_IRQ_SET_DATA_NONE) && request.count == 0) {
    pci_.disable_msi(caller.cpu, device_.function);
    return 0;
  }
  std::int32_t fd = -1;
  if (request.flags != (trigger | uapi::VFIO_IRQ_SET_DATA_EVENTFD) || request.count != 1 ||
      request.argsz < sizeof request + sizeof fd) {
    return -EINVAL;
  }
  std::memcpy(&fd, static_cast<const std::byte*>(arg) + sizeof request, sizeof fd);
  if (fd == -1) {
    pci_.disable_msi(caller.cpu, device_.function);
    return 0;
  }
  auto* event = dynamic_cast<EventFile*>(caller.process.file(fd));
  if (event == nullptr) return -EINVAL;
  if (device_.vector == 0) return -ENOSPC;
  event->vector = device_.vector;
  event->core = caller.cpu.number();
  const bool done = pci_.set_msi(caller.cpu, device_.function, event->core, event->vector);
  return done ? 0 : -EINVAL;
}

int VfioFile::bar_address(std::uint64_t offset, unsigned bytes, Hpa& address) const {
  if (!bound_) return -ENODEV;
  if (region_of(offset) != uapi::VFIO_PCI_BAR0_REGION_INDEX) return -EINVAL;
  if (!naturally_aligned(offset, bytes)) return -EINVAL;
  address = device_.function.bar0.base + offset;
  return device_.function.bar0.contains(Range<Hpa>{address, bytes}) ? 0 : -EINVAL;
}

int VfioFile::mapped_read(cpu::Instructions& cpu, std::uint64_t offset, unsigned bytes,
                          std::uint64_t& value) {
  Hpa address;
  const int error = bar_address(offset, bytes, address);
  if (error == 0) value = cpu.read_uncached(address, bytes);
  return error;
}

int VfioFile::mapped_write(cpu::Instructions& cpu, std::uint64_t offset, unsigned bytes,
                           std::uint64_t value) {
  Hpa address;
  const int error = bar_address(offset, bytes, address);
  if (error == 0) cpu.write_uncached(address, value, bytes);
  return error;
}

int VfioFile::read(Caller caller, std::span<std::byte> into, std::uint64_t offset) {
  if (!bound_) return -ENODEV;
  const auto bytes = static_cast<unsigned>(into.size());
  std::uint64_t value = 0;
  if (region_of(offset) == uapi::VFIO_PCI_CONFIG_REGION_INDEX) {
    const auto at = offset_in_region(offset);
    if (bytes > 4 || !naturally_aligned(at, bytes) || at >= config_bytes) return -EINVAL;
    value = pci_.read(caller.cpu, device_.function.id, static_cast<unsigned>(at), bytes);
  } else if (const int error = mapped_read(caller.cpu, offset, bytes, value); error != 0) {
    return error;
  }
  std::memcpy(into.data(), &value, bytes);
  return static_cast<int>(bytes);
}

// What a user may change of configuration space; the rest is the kernel's, and writes to it are
// dropped, as vfio-pci does. No Snoop and Relaxed Ordering are the user's to enable.
std::uint32_t VfioFile::writable_config_bits(unsigned offset, unsigned bytes) const {
  using namespace pci_register;
  std::uint32_t bits = 0;
  const auto allow = [&](unsigned at, unsigned mask) {
    for (unsigned byte = 0; byte < 2; ++byte, ++at, mask >>= 8) {
      if (at >= offset && at < offset + bytes) bits |= (mask & 0xff) << 8 * (at - offset);
    }
  };
  allow(command, command_memory | command_master | command_intx_disable);
  if (device_.function.express != 0) {
    allow(device_.function.express + express_device_control,
          control_no_snoop | control_relaxed_ordering);
  }
  return bits;
}

int VfioFile::write(Caller caller, std::span<const std::byte> from, std::uint64_t offset) {
  if (!bound_) return -ENODEV;
  const auto bytes = static_cast<unsigned>(from.size());
  std::uint64_t value = 0;
  if (bytes == 0 || bytes > sizeof value) return -EINVAL;
  std::memcpy(&value, from.data(), bytes);
  if (region_of(offset) != uapi::VFIO_PCI_CONFIG_REGION_INDEX) {
    const int error = mapped_write(caller.cpu, offset, bytes, value);
    return error != 0 ? error : static_cast<int>(bytes);
  }
  const auto at = static_cast<unsigned>(offset_in_region(offset));
  if (bytes > 4 || !naturally_aligned(at, bytes) || at >= config_bytes) return -EINVAL;
  const auto bits = writable_config_bits(at, bytes);
  if (bits != 0) {
    const auto id = device_.function.id;
    const auto kept = pci_.read(caller.cpu, id, at, bytes) & ~bits;
    pci_.write(caller.cpu, id, at, kept | (static_cast<std::uint32_t>(value) & bits), bytes);
  }
  return static_cast<int>(bytes);
}

// Access goes first, then DMA, then the security context (RFC v2 1.3 in the order that leaves no
// window).
void VfioFile::release(Caller caller) {
  if (!bound_) return;
  bound_ = false;
  const auto context = device_.context;
  Guard guard{context->lock(), caller.cpu};
  pci_.set_bus_master(caller.cpu, device_.function, false);
  pci_.disable_msi(caller.cpu, device_.function);
  if (device_.space != nullptr) context->detach(caller.cpu, device_);
  context->unbind(device_);
  device_.context.reset();
}

}  // namespace ioasim::kernel
