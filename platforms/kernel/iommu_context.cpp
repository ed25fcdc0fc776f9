#include "kernel/iommu_context.hpp"

#include <cerrno>

#include "base/check.hpp"
#include "kernel/vfio_device.hpp"

namespace ioasim::kernel {
namespace {

constexpr bool aligned(std::uint64_t value) { return value % page_bytes == 0; }

// The checks that type1 makes of a range: whole pages, not empty, no wrap-around.
bool is_range(std::uint64_t base, std::uint64_t bytes) {
  return bytes != 0 && aligned(base) && aligned(bytes) && base + (bytes - 1) >= base;
}

}  // namespace

IoAddressSpace* IommuContext::find(uapi::ioasid_t id) {
  const auto at = spaces_.find(id);
  return at == spaces_.end() ? nullptr : &at->second;
}

int IommuContext::allocate(std::uint32_t flags, std::uint32_t type, std::uint32_t address_bits) {
  constexpr auto on = uapi::IOMMU_IOASID_ENFORCE_SNOOP;
  constexpr auto automatic = uapi::IOMMU_IOASID_ENFORCE_SNOOP_AUTO;
  if ((flags & ~(on | automatic)) != 0 || flags == (on | automatic)) return -EINVAL;
  // Only tables that the kernel manages can be a root, and there is no nesting.
  if (type != uapi::IOMMU_IOASID_TYPE_KERNEL_TYPE1V2) return -EINVAL;
  if (address_bits == 0 || address_bits > 64) return -EINVAL;
  if (flags == 0 && !runtime_.params.dma_no_snoop) return -EOPNOTSUPP;
  if (next_ == uapi::IOASID_MAX) return -ENOSPC;
  const auto id = next_++;
  auto& space = spaces_[id];
  space.id = id;
  space.address_bits = address_bits;
  space.policy = flags == on          ? SnoopPolicy::on
                 : flags == automatic ? SnoopPolicy::automatic
                                      : SnoopPolicy::off;
  return id;
}

int IommuContext::free(cpu::Instructions& cpu, uapi::ioasid_t id) {
  IoAddressSpace* space = find(id);
  if (space == nullptr) return -EINVAL;
  if (!space->attached.empty()) return -EBUSY;
  return destroy(cpu, *space);
}

int IommuContext::destroy(cpu::Instructions& cpu, IoAddressSpace& space) {
  const int result = unmap_all(cpu, space, space.mappings.all());
  if (space.domain) space.domain->release(cpu);
  spaces_.erase(space.id);
  return result;
}

int IommuContext::map(cpu::Instructions& cpu, uapi::ioasid_t id, UserMemory& memory,
                      const uapi::vfio_iommu_type1_dma_map& request) {
  constexpr auto access = uapi::VFIO_DMA_MAP_FLAG_READ | uapi::VFIO_DMA_MAP_FLAG_WRITE;
  IoAddressSpace* space = find(id);
  if (space == nullptr) return -EINVAL;
  if (space->attached.empty() && !runtime_.params.map_without_device) return -EINVAL;
  if ((request.flags & ~access) != 0 || (request.flags & access) == 0) return -EINVAL;
  if (!is_range(request.iova, request.size) || !is_range(request.vaddr, request.size)) {
    return -EINVAL;
  }
  const auto last = request.iova + (request.size - 1);
  if (space->address_bits < 64 && last >> space->address_bits != 0) return -EINVAL;
  const Range<Iova> range{Iova{request.iova}, request.size};
  if (range.overlaps(interrupt_range)) return -EINVAL;
  cpu.execute(runtime_.params.interval_lookup);
  if (space->mappings.overlaps(range)) return -EEXIST;
  if (space->mappings.size() >= runtime_.params.mappings_max) return -ENOSPC;

  const auto pinned = memory.pin(cpu, {Hva{request.vaddr}, request.size});
  if (!pinned) return pinned.error();
  Mapping mapping{.iova = range,
                  .user = Hva{request.vaddr},
                  .protection = {(request.flags & uapi::VFIO_DMA_MAP_FLAG_READ) != 0,
                                 (request.flags & uapi::VFIO_DMA_MAP_FLAG_WRITE) != 0},
                  .owner = &memory,
                  .memory = *pinned};
  const int result = space->domain ? map_runs(cpu, *space, mapping) : 0;
  if (result != 0) {
    memory.unpin(cpu, range.bytes);
    return result;
  }
  space->mappings.add(std::move(mapping));
  return 0;
}

int IommuContext::map_runs(cpu::Instructions& cpu, IoAddressSpace& space, const Mapping& mapping) {
  int result = 0;
  Iova at = mapping.iova.base;
  for (const auto& run : mapping.memory) {
    result = space.domain->map_pages(cpu, at, run, mapping.protection);
    at += run.bytes;
    if (result != 0) break;
  }
  if (result == 0) result = space.domain->iotlb_sync_map(cpu, mapping.iova);
  if (result == 0) return 0;
  Gather gather;
  space.domain->unmap_pages(cpu, {mapping.iova.base, at - mapping.iova.base}, gather);
  space.domain->iotlb_sync(cpu, gather);
  return result;
}

int IommuContext::unmap(cpu::Instructions& cpu, uapi::ioasid_t id, Range<Iova> range,
                        std::uint64_t& bytes) {
  bytes = 0;
  IoAddressSpace* space = find(id);
  if (space == nullptr) return -EINVAL;
  if (space->attached.empty() && !runtime_.params.map_without_device) return -EINVAL;
  if (!is_range(range.base.value, range.bytes)) return -EINVAL;
  cpu.execute(runtime_.params.interval_lookup);
  const auto mappings = space->mappings.within(range);
  for (const auto& mapping : mappings) {
    if (!range.contains(mapping->iova)) return -EINVAL;
  }
  const int result = unmap_all(cpu, *space, mappings);
  if (result != 0) return result;
  for (const auto& mapping : mappings) bytes += mapping->iova.bytes;
  return 0;
}

// A page is unpinned only when no device can reach it any more; if the hardware does not confirm
// that, the page stays pinned and accounted.
int IommuContext::unmap_all(cpu::Instructions& cpu, IoAddressSpace& space,
                            const std::vector<IovaMap::Entry>& mappings) {
  if (mappings.empty()) return 0;
  int result = 0;
  if (space.domain) {
    Gather gather;
    for (const auto& mapping : mappings) space.domain->unmap_pages(cpu, mapping->iova, gather);
    result = space.domain->iotlb_sync(cpu, gather);
  }
  for (const auto& mapping : mappings) {
    space.mappings.remove(*mapping);
    if (result == 0) mapping->owner->unpin(cpu, mapping->iova.bytes);
  }
  return result;
}

int IommuContext::bind(VfioDevice& device, std::uint64_t cookie) {
  if (closed_) return -EINVAL;
  if (devices_.contains(cookie)) return -EBUSY;
  devices_[cookie] = &device;
  return 0;
}

void IommuContext::unbind(VfioDevice& device) {
  std::erase_if(devices_, [&](const auto& entry) { return entry.second == &device; });
}

const VfioDevice* IommuContext::find_device(std::uint64_t cookie) const {
  const auto at = devices_.find(cookie);
  return at == devices_.end() ? nullptr : at->second;
}

int IommuContext::attach(cpu::Instructions& cpu, VfioDevice& device, uapi::ioasid_t id) {
  IoAddressSpace* space = find(id);
  if (space == nullptr || device.space == space) return -EINVAL;
  if (device.space != nullptr) return -EBUSY;
  const auto capabilities = driver_.capable(device.function.id);
  if (!capabilities || capabilities->address_bits < space->address_bits) return -EINVAL;

  const bool fresh = space->domain == nullptr;
  int error = fresh ? create_domain(cpu, *space, device) : 0;
  if (error == 0) error = driver_.attach_dev(cpu, *space->domain, device.function.id);
  if (error != 0) {
    if (fresh && space->domain) {
      space->domain->release(cpu);
      space->domain.reset();  // so that the policy is still open
    }
    return error;
  }
  space->attached.insert(&device);
  device.space = space;
  return 0;
}

// The format is that of the first device; enforcement comes before the first mapping, because
// second-stage tables hold it in each leaf.
int IommuContext::create_domain(cpu::Instructions& cpu, IoAddressSpace& space,
                                const VfioDevice& device) {
  const auto id = device.function.id;
  const bool able = driver_.capable(id)->enforce_cache_coherency;
  const bool must = space.policy == SnoopPolicy::on || !runtime_.params.dma_no_snoop;
  if (must && !able) return -EINVAL;
  space.domain = driver_.domain_alloc_paging(cpu, id, space.address_bits);
  if (!space.domain) return -ENOMEM;
  const bool enforce = must || (space.policy == SnoopPolicy::automatic && able);
  if (enforce) CHECK(space.domain->enforce_cache_coherency());
  for (const auto& mapping : space.mappings.all()) {
    if (const int error = map_runs(cpu, space, *mapping); error != 0) return error;
  }
  return 0;
}

int IommuContext::detach(cpu::Instructions& cpu, VfioDevice& device) {
  if (device.space == nullptr) return -EINVAL;
  IoAddressSpace& space = *device.space;
  const int error = driver_.block_dev(cpu, device.function.id);
  space.attached.erase(&device);
  device.space = nullptr;
  if (closed_ && space.attached.empty()) destroy(cpu, space);
  return error;
}

void IommuContext::close(cpu::Instructions& cpu) {
  closed_ = true;
  for (auto at = spaces_.begin(); at != spaces_.end();) {
    auto& space = (at++)->second;
    if (space.attached.empty()) destroy(cpu, space);
  }
}

}  // namespace ioasim::kernel
