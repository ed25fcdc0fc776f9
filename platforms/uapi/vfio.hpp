// VFIO: the device file, and the payloads of mapping that the I/O address-space generations took
// over from type1.
//
// Published (include/uapi/linux/vfio.h): type character, base, every struct and number below but
// those of binding and attaching. Those carry the numbers of the /dev/iommu RFC v2 (9 July 2021,
// section 2.2.2: base + 22, + 23, + 24) under the names that its review asked for (ioctls of the
// device file are VFIO_DEVICE_*, 9 July 2021), with the structs of the RFC's code (19 September
// 2021), which v2 describes only in words.
#pragma once

#include <cstddef>
#include <cstdint>

#include "uapi/ioctl.hpp"

// NOLINTBEGIN(readability-identifier-naming): names of the ABI.
namespace ioasim::uapi {

inline constexpr char VFIO_TYPE = ';';
inline constexpr std::uint32_t VFIO_BASE = 100;

inline constexpr std::uint32_t VFIO_DEVICE_GET_INFO = io(VFIO_TYPE, VFIO_BASE + 7);
inline constexpr std::uint32_t VFIO_DEVICE_GET_REGION_INFO = io(VFIO_TYPE, VFIO_BASE + 8);
inline constexpr std::uint32_t VFIO_DEVICE_SET_IRQS = io(VFIO_TYPE, VFIO_BASE + 10);
inline constexpr std::uint32_t VFIO_DEVICE_BIND_IOMMU_FD = io(VFIO_TYPE, VFIO_BASE + 22);
inline constexpr std::uint32_t VFIO_DEVICE_ATTACH_IOASID = io(VFIO_TYPE, VFIO_BASE + 23);
inline constexpr std::uint32_t VFIO_DEVICE_DETACH_IOASID = io(VFIO_TYPE, VFIO_BASE + 24);

static_assert(VFIO_DEVICE_GET_INFO == 0x3b6b);
static_assert(VFIO_DEVICE_BIND_IOMMU_FD == 0x3b7a);

struct vfio_device_info {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::uint32_t num_regions;
  std::uint32_t num_irqs;
};
inline constexpr std::uint32_t VFIO_DEVICE_FLAGS_PCI = 1u << 1;
static_assert(sizeof(vfio_device_info) == 16);

struct vfio_region_info {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::uint32_t index;
  std::uint32_t cap_offset;
  std::uint64_t size;
  std::uint64_t offset;  // of the region in the device file
};
inline constexpr std::uint32_t VFIO_REGION_INFO_FLAG_READ = 1u << 0;
inline constexpr std::uint32_t VFIO_REGION_INFO_FLAG_WRITE = 1u << 1;
inline constexpr std::uint32_t VFIO_REGION_INFO_FLAG_MMAP = 1u << 2;
static_assert(sizeof(vfio_region_info) == 32);
static_assert(offsetof(vfio_region_info, index) == 8);
static_assert(offsetof(vfio_region_info, size) == 16);
static_assert(offsetof(vfio_region_info, offset) == 24);

inline constexpr std::uint32_t VFIO_PCI_BAR0_REGION_INDEX = 0;
inline constexpr std::uint32_t VFIO_PCI_CONFIG_REGION_INDEX = 7;
inline constexpr std::uint32_t VFIO_PCI_NUM_REGIONS = 9;
inline constexpr std::uint32_t VFIO_PCI_MSI_IRQ_INDEX = 1;
inline constexpr std::uint32_t VFIO_PCI_NUM_IRQS = 5;

// Variable part: one s32 eventfd per interrupt with DATA_EVENTFD; -1 takes the trigger away.
struct vfio_irq_set {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::uint32_t index;
  std::uint32_t start;
  std::uint32_t count;
};
inline constexpr std::uint32_t VFIO_IRQ_SET_DATA_NONE = 1u << 0;
inline constexpr std::uint32_t VFIO_IRQ_SET_DATA_EVENTFD = 1u << 2;
inline constexpr std::uint32_t VFIO_IRQ_SET_ACTION_TRIGGER = 1u << 5;
static_assert(sizeof(vfio_irq_set) == 20);

// Type1's payloads.
struct vfio_iommu_type1_dma_map {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::uint64_t vaddr;
  std::uint64_t iova;
  std::uint64_t size;
};
inline constexpr std::uint32_t VFIO_DMA_MAP_FLAG_READ = 1u << 0;
inline constexpr std::uint32_t VFIO_DMA_MAP_FLAG_WRITE = 1u << 1;
inline constexpr std::uint32_t VFIO_DMA_MAP_FLAG_VADDR = 1u << 2;
static_assert(sizeof(vfio_iommu_type1_dma_map) == 32);
static_assert(offsetof(vfio_iommu_type1_dma_map, vaddr) == 8);
static_assert(offsetof(vfio_iommu_type1_dma_map, iova) == 16);
static_assert(offsetof(vfio_iommu_type1_dma_map, size) == 24);

struct vfio_iommu_type1_dma_unmap {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::uint64_t iova;
  std::uint64_t size;  // out: bytes that were unmapped
};
static_assert(sizeof(vfio_iommu_type1_dma_unmap) == 24);
static_assert(offsetof(vfio_iommu_type1_dma_unmap, iova) == 8);
static_assert(offsetof(vfio_iommu_type1_dma_unmap, size) == 16);

// A capability behind an info struct: its id, and where the next one is (0: none).
struct vfio_info_cap_header {
  std::uint16_t id;
  std::uint16_t version;
  std::uint32_t next;
};
struct vfio_iova_range {
  std::uint64_t start;
  std::uint64_t end;  // inclusive
};
// Followed by nr_iovas ranges.
struct vfio_iommu_type1_info_cap_iova_range {
  vfio_info_cap_header header;
  std::uint32_t nr_iovas;
  std::uint32_t reserved;
};
inline constexpr std::uint16_t VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;
static_assert(sizeof(vfio_info_cap_header) == 8);
static_assert(sizeof(vfio_iommu_type1_info_cap_iova_range) == 16);

// Binding: struct of the RFC's code. `dev_cookie` is the user's name for the device.
struct vfio_device_iommu_bind_data {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::int32_t iommu_fd;
  std::uint32_t reserved;
  std::uint64_t dev_cookie;
};
static_assert(sizeof(vfio_device_iommu_bind_data) == 24);
static_assert(offsetof(vfio_device_iommu_bind_data, iommu_fd) == 8);
static_assert(offsetof(vfio_device_iommu_bind_data, dev_cookie) == 16);

// Attaching and detaching: struct of the RFC's code.
struct vfio_device_attach_ioasid {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::int32_t iommu_fd;
  std::int32_t ioasid;
};
static_assert(sizeof(vfio_device_attach_ioasid) == 16);
static_assert(offsetof(vfio_device_attach_ioasid, iommu_fd) == 8);
static_assert(offsetof(vfio_device_attach_ioasid, ioasid) == 12);

// v2 names this flag, and says that a vPASID goes with it. Its bit, and the place of the vPASID
// behind the published struct, are choices of ours.
inline constexpr std::uint32_t IOASID_ATTACH_VPASID = 1u << 0;
struct vfio_device_attach_ioasid_vpasid {
  vfio_device_attach_ioasid attach;
  std::uint32_t vpasid;
  std::uint32_t reserved;
};
static_assert(sizeof(vfio_device_attach_ioasid_vpasid) == 24);
static_assert(offsetof(vfio_device_attach_ioasid_vpasid, vpasid) == 16);

}  // namespace ioasim::uapi
// NOLINTEND(readability-identifier-naming)
