// /dev/iommu as RFC v2 (9 July 2021) proposes it.
//
// v2 fixes names, order of the requests (base + 0 to base + 5 here) and meaning; it leaves type
// character, base and structs open. Those are the ones of the code that followed it (RFC of
// 19 September 2021: type ';', base 100, the structs below), which shares v2's order. Where that
// code is narrower than v2, the difference is marked as a choice of ours.
//
// Not here: user-managed tables, nesting, cache invalidation, faults and dirty tracking.
#pragma once

#include <cstddef>
#include <cstdint>

#include "uapi/ioctl.hpp"
#include "uapi/vfio.hpp"

// NOLINTBEGIN(readability-identifier-naming): names of the ABI.
namespace ioasim::uapi {

inline constexpr char IOMMU_TYPE = ';';
inline constexpr std::uint32_t IOMMU_BASE = 100;

inline constexpr std::uint32_t IOMMU_CHECK_EXTENSION = io(IOMMU_TYPE, IOMMU_BASE + 0);
inline constexpr std::uint32_t IOMMU_DEVICE_GET_INFO = io(IOMMU_TYPE, IOMMU_BASE + 1);
inline constexpr std::uint32_t IOMMU_IOASID_ALLOC = io(IOMMU_TYPE, IOMMU_BASE + 2);
inline constexpr std::uint32_t IOMMU_IOASID_FREE = io(IOMMU_TYPE, IOMMU_BASE + 3);
inline constexpr std::uint32_t IOMMU_MAP_DMA = io(IOMMU_TYPE, IOMMU_BASE + 4);
inline constexpr std::uint32_t IOMMU_UNMAP_DMA = io(IOMMU_TYPE, IOMMU_BASE + 5);
static_assert(IOMMU_CHECK_EXTENSION == 0x3b64);
static_assert(IOMMU_UNMAP_DMA == 0x3b69);

// Extensions, an argument by value. v2 names all eight; the code fixes the first two values, the
// others are choices of ours.
inline constexpr std::uint32_t EXT_MAP_TYPE1V2 = 1;
inline constexpr std::uint32_t EXT_DMA_NO_SNOOP = 2;
inline constexpr std::uint32_t EXT_MAP_NEWTYPE = 3;
inline constexpr std::uint32_t EXT_IOASID_NESTING = 4;
inline constexpr std::uint32_t EXT_USER_PAGE_TABLE = 5;
inline constexpr std::uint32_t EXT_USER_PASID_TABLE = 6;
inline constexpr std::uint32_t EXT_MULTIDEV_GROUP = 7;
inline constexpr std::uint32_t EXT_DIRTY_TRACKING = 8;

// What the IOMMU can do for the device that was bound with this cookie.
struct iommu_device_info {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::uint64_t dev_cookie;
  std::uint64_t pgsize_bitmap;
  std::uint32_t addr_width;
  std::uint32_t cap_offset;  // of the capability chain, from the start of this struct
};
inline constexpr std::uint32_t IOMMU_DEVICE_INFO_ENFORCE_SNOOP = 1u << 0;
inline constexpr std::uint32_t IOMMU_DEVICE_INFO_PGSIZES = 1u << 1;
inline constexpr std::uint32_t IOMMU_DEVICE_INFO_ADDR_WIDTH = 1u << 2;
inline constexpr std::uint32_t IOMMU_DEVICE_INFO_CAPS = 1u << 3;
static_assert(sizeof(iommu_device_info) == 32);
static_assert(offsetof(iommu_device_info, dev_cookie) == 8);
static_assert(offsetof(iommu_device_info, pgsize_bitmap) == 16);
static_assert(offsetof(iommu_device_info, addr_width) == 24);
static_assert(offsetof(iommu_device_info, cap_offset) == 28);

// The chain holds the permitted IOVA ranges; the layout is type1's (a choice of ours).
inline constexpr std::uint16_t IOMMU_DEVICE_INFO_CAP_IOVA_RANGE =
    VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;

struct iommu_ioasid_alloc {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::uint32_t type;
  std::uint32_t addr_width;
};
// v2 (section 1.5) makes enforcement of snooping three-valued: on, off, auto. Bit 0 means "on" in
// the code, which takes nothing else. Ours: no bit is off, which is how the code's flag reads
// when clear, and bit 1 is auto. Both bits at once are an error.
inline constexpr std::uint32_t IOMMU_IOASID_ENFORCE_SNOOP = 1u << 0;
inline constexpr std::uint32_t IOMMU_IOASID_ENFORCE_SNOOP_AUTO = 1u << 1;
inline constexpr std::uint32_t IOMMU_IOASID_TYPE_KERNEL_TYPE1V2 = 1;
static_assert(sizeof(iommu_ioasid_alloc) == 16);
static_assert(offsetof(iommu_ioasid_alloc, type) == 8);
static_assert(offsetof(iommu_ioasid_alloc, addr_width) == 12);

// IOMMU_IOASID_FREE takes a pointer to one of these; IOMMU_IOASID_ALLOC returns one.
using ioasid_t = std::int32_t;
inline constexpr ioasid_t IOASID_MAX = 0x7fffffff;

// Mapping and unmapping: this head, then type1's payload.
struct iommu_ioasid_dma_op {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::int32_t ioasid;
  std::uint32_t padding;
};
static_assert(sizeof(iommu_ioasid_dma_op) == 16);
static_assert(offsetof(iommu_ioasid_dma_op, ioasid) == 8);

// Head and payload together, which the code writes as a flexible array of bytes.
struct iommu_map_dma {
  iommu_ioasid_dma_op op;
  vfio_iommu_type1_dma_map map;
};
static_assert(sizeof(iommu_map_dma) == 48);
static_assert(offsetof(iommu_map_dma, map) == 16);

struct iommu_unmap_dma {
  iommu_ioasid_dma_op op;
  vfio_iommu_type1_dma_unmap unmap;
};
static_assert(sizeof(iommu_unmap_dma) == 40);
static_assert(offsetof(iommu_unmap_dma, unmap) == 16);

}  // namespace ioasim::uapi
// NOLINTEND(readability-identifier-naming)
