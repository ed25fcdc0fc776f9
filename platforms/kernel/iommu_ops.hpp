// What an IOMMU driver offers to the rest of the kernel, split as Linux splits it (iommu_ops and
// iommu_domain_ops). Calls return 0 or a negative errno.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "cpu/instructions.hpp"

namespace ioasim::kernel {

struct Protection {
  bool read = false;
  bool write = false;
};

// What an unmap leaves to do (iommu_iotlb_gather): the addresses to invalidate, the lines to
// flush before that, and the table pages to free after it.
struct Gather {
  Iova first{~0ull};
  Iova last{0};
  std::vector<Hpa> lines;
  std::vector<Hpa> tables;
  std::uint64_t entries = 0;

  bool empty() const { return first > last; }
  void add(Range<Iova> range) {
    first = std::min(first, range.base);
    last = std::max(last, range.base + (range.bytes - 1));
  }
};

// One I/O page table (iommu_domain). The caller serialises the calls on one domain.
class Domain {
 public:
  virtual ~Domain() = default;

  // Counts the kernel's I/O page tables from 1; what trace events call `domain`.
  virtual std::uint32_t number() const = 0;

  // Every later mapping ignores the No Snoop attribute. False, and nothing changed, if a
  // unit cannot do that or a mapping exists already.
  virtual bool enforce_cache_coherency() = 0;

  // The range must not be mapped. On an error the caller unmaps the range.
  virtual int map_pages(cpu::Instructions& cpu, Iova iova, Range<Hpa> memory,
                        Protection protection) = 0;
  // After a series of maps: hardware that caches the absence of a mapping has forgotten it.
  virtual int iotlb_sync_map(cpu::Instructions& cpu, Range<Iova> range) = 0;

  // The range must hold whole mappings. Hardware may use them until iotlb_sync().
  virtual void unmap_pages(cpu::Instructions& cpu, Range<Iova> range, Gather& gather) = 0;
  virtual int iotlb_sync(cpu::Instructions& cpu, Gather& gather) = 0;

  // Gives the table's memory back. No device may be attached.
  virtual void release(cpu::Instructions& cpu) = 0;
};

class IommuDriver {
 public:
  virtual ~IommuDriver() = default;

  struct Capabilities {
    bool enforce_cache_coherency = false;
    unsigned address_bits = 0;
    std::uint64_t page_sizes = 0;  // one bit per size
  };

  // Nothing if no working unit serves the device.
  virtual std::optional<Capabilities> capable(RequesterId device) const = 0;

  // A table for addresses of this width, in a format that suits the device. Null if memory is
  // short or no unit serves it.
  virtual std::unique_ptr<Domain> domain_alloc_paging(cpu::Instructions& cpu, RequesterId device,
                                                      unsigned address_bits) = 0;

  // The device, whose DMA is blocked, translates through the domain on return. -EINVAL if the
  // format does not suit it.
  virtual int attach_dev(cpu::Instructions& cpu, Domain& domain, RequesterId device) = 0;
  // The blocking domain: the device's DMA is blocked on return.
  virtual int block_dev(cpu::Instructions& cpu, RequesterId device) = 0;
};

}  // namespace ioasim::kernel
