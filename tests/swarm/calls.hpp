// The calls of /dev/iommu and VFIO with their arguments spelled out.
#pragma once

#include "kernel/process.hpp"
#include "uapi/iommu.hpp"
#include "uapi/vfio.hpp"

namespace ioasim::test {

// An I/O address space: where it is allocated, and its number there.
struct Ioasid {
  int fd = -1;
  int id = -1;
};

inline int map_dma(kernel::Thread& thread, Ioasid space, std::uint32_t flags, Hva memory, Iova iova,
                   std::uint64_t bytes) {
  uapi::iommu_map_dma request{
      .op = {.argsz = sizeof request, .flags = 0, .ioasid = space.id, .padding = 0},
      .map = {.argsz = sizeof request.map,
              .flags = flags,
              .vaddr = memory.value,
              .iova = iova.value,
              .size = bytes}};
  return thread.ioctl(space.fd, uapi::IOMMU_MAP_DMA, request);
}

// `bytes`: in, of the range; out, that were unmapped.
inline int unmap_dma(kernel::Thread& thread, Ioasid space, Iova iova, std::uint64_t& bytes) {
  uapi::iommu_unmap_dma request{
      .op = {.argsz = sizeof request, .flags = 0, .ioasid = space.id, .padding = 0},
      .unmap = {.argsz = sizeof request.unmap, .flags = 0, .iova = iova.value, .size = bytes}};
  const int result = thread.ioctl(space.fd, uapi::IOMMU_UNMAP_DMA, request);
  bytes = request.unmap.size;
  return result;
}

inline int allocate_ioasid(kernel::Thread& thread, int iommu, std::uint32_t flags,
                           unsigned address_bits) {
  uapi::iommu_ioasid_alloc request{.argsz = sizeof request,
                                   .flags = flags,
                                   .type = uapi::IOMMU_IOASID_TYPE_KERNEL_TYPE1V2,
                                   .addr_width = address_bits};
  return thread.ioctl(iommu, uapi::IOMMU_IOASID_ALLOC, request);
}

inline int free_ioasid(kernel::Thread& thread, Ioasid space) {
  std::int32_t id = space.id;
  return thread.ioctl(space.fd, uapi::IOMMU_IOASID_FREE, id);
}

inline int bind_device(kernel::Thread& thread, int device, int iommu, std::uint64_t cookie) {
  uapi::vfio_device_iommu_bind_data request{
      .argsz = sizeof request, .flags = 0, .iommu_fd = iommu, .reserved = 0, .dev_cookie = cookie};
  return thread.ioctl(device, uapi::VFIO_DEVICE_BIND_IOMMU_FD, request);
}

inline int attach_device(kernel::Thread& thread, int device, Ioasid space) {
  uapi::vfio_device_attach_ioasid request{
      .argsz = sizeof request, .flags = 0, .iommu_fd = space.fd, .ioasid = space.id};
  return thread.ioctl(device, uapi::VFIO_DEVICE_ATTACH_IOASID, request);
}

inline int detach_device(kernel::Thread& thread, int device, Ioasid space) {
  uapi::vfio_device_attach_ioasid request{
      .argsz = sizeof request, .flags = 0, .iommu_fd = space.fd, .ioasid = space.id};
  return thread.ioctl(device, uapi::VFIO_DEVICE_DETACH_IOASID, request);
}

// The width of the I/O virtual addresses of the device bound with that cookie, or -errno.
inline int address_width(kernel::Thread& thread, int iommu, std::uint64_t cookie) {
  uapi::iommu_device_info info{};
  info.argsz = sizeof info;
  info.dev_cookie = cookie;
  const int result = thread.ioctl(iommu, uapi::IOMMU_DEVICE_GET_INFO, info);
  return result < 0 ? result : static_cast<int>(info.addr_width);
}

// Interrupts of the device go to the eventfd.
inline int set_irq(kernel::Thread& thread, int device, int event) {
  struct {
    uapi::vfio_irq_set set;
    std::int32_t fd;
  } request{.set = {.argsz = sizeof request,
                    .flags = uapi::VFIO_IRQ_SET_ACTION_TRIGGER | uapi::VFIO_IRQ_SET_DATA_EVENTFD,
                    .index = uapi::VFIO_PCI_MSI_IRQ_INDEX,
                    .start = 0,
                    .count = 1},
            .fd = event};
  return thread.ioctl(device, uapi::VFIO_DEVICE_SET_IRQS, static_cast<void*>(&request));
}

}  // namespace ioasim::test
