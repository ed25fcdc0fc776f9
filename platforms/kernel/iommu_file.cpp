#include "kernel/iommu_file.hpp"

#include <array>

#include "kernel/process.hpp"
#include "kernel/vfio_device.hpp"

namespace ioasim::kernel {
namespace {

// The head of MAP_DMA and UNMAP_DMA, and the payload behind it.
template <class Operation, class Payload>
int copy_in_operation(const void* arg, Operation& operation, const Payload& payload) {
  if (const int error = copy_in(arg, operation); error != 0) return error;
  const auto& op = operation.op;
  if (op.flags != 0 || op.padding != 0 || op.ioasid < 0) return -EINVAL;
  return payload.argsz < sizeof payload ? -EINVAL : 0;
}

}  // namespace

// A number that it does not know is -EINVAL here; the device file says -ENOTTY.
int IommuFile::ioctl(Caller caller, std::uint32_t request, void* arg) {
  if (request == uapi::IOMMU_CHECK_EXTENSION) {
    return check_extension(reinterpret_cast<std::uintptr_t>(arg));
  }
  Guard guard{context_->lock(), caller.cpu};
  switch (request) {
    case uapi::IOMMU_DEVICE_GET_INFO:
      return device_info(arg);
    case uapi::IOMMU_IOASID_ALLOC:
      return allocate(arg);
    case uapi::IOMMU_IOASID_FREE:
      return free(caller, arg);
    case uapi::IOMMU_MAP_DMA:
      return map(caller, arg);
    case uapi::IOMMU_UNMAP_DMA:
      return unmap(caller, arg);
    default:
      return -EINVAL;
  }
}

void IommuFile::release(Caller caller) {
  Guard guard{context_->lock(), caller.cpu};
  context_->close(caller.cpu);
}

int IommuFile::check_extension(std::uintptr_t extension) const {
  if (extension == uapi::EXT_MAP_TYPE1V2) return 1;
  if (extension == uapi::EXT_DMA_NO_SNOOP) return runtime_.params.dma_no_snoop ? 1 : 0;
  return 0;
}

int IommuFile::device_info(void* arg) const {
  uapi::iommu_device_info info{};
  if (const int error = copy_in(arg, info); error != 0) return error;
  const VfioDevice* device = context_->find_device(info.dev_cookie);
  if (device == nullptr) return -EINVAL;
  const auto capabilities = context_->driver().capable(device->function.id);
  if (!capabilities) return -EINVAL;
  info.flags = uapi::IOMMU_DEVICE_INFO_PGSIZES | uapi::IOMMU_DEVICE_INFO_ADDR_WIDTH;
  if (capabilities->enforce_cache_coherency) info.flags |= uapi::IOMMU_DEVICE_INFO_ENFORCE_SNOOP;
  info.pgsize_bitmap = capabilities->page_sizes;
  info.addr_width = capabilities->address_bits;
  info.cap_offset = 0;

  struct {
    uapi::vfio_iommu_type1_info_cap_iova_range head;
    std::array<uapi::vfio_iova_range, 2> ranges;
  } const capability{
      .head = {.header = {.id = uapi::IOMMU_DEVICE_INFO_CAP_IOVA_RANGE, .version = 1, .next = 0},
               .nr_iovas = 2,
               .reserved = 0},
      .ranges = {{{0, interrupt_range.base.value - 1},
                  {interrupt_range.end().value, (1ull << capabilities->address_bits) - 1}}}};
  constexpr std::uint32_t needed = sizeof info + sizeof capability;
  if (info.argsz >= needed) {
    info.flags |= uapi::IOMMU_DEVICE_INFO_CAPS;
    info.cap_offset = sizeof info;
    copy_out(capability, static_cast<std::byte*>(arg) + sizeof info);
  } else {
    info.argsz = needed;  // tells the user what to come back with
  }
  return copy_out(info, arg);
}

int IommuFile::allocate(void* arg) const {
  uapi::iommu_ioasid_alloc request{};
  if (const int error = copy_in(arg, request); error != 0) return error;
  return context_->allocate(request.flags, request.type, request.addr_width);
}

int IommuFile::free(Caller caller, const void* arg) const {
  if (arg == nullptr) return -EFAULT;
  uapi::ioasid_t id = -1;
  std::memcpy(&id, arg, sizeof id);
  return id < 0 ? -EINVAL : context_->free(caller.cpu, id);
}

int IommuFile::map(Caller caller, const void* arg) const {
  uapi::iommu_map_dma request{};
  if (const int error = copy_in_operation(arg, request, request.map); error != 0) return error;
  return context_->map(caller.cpu, request.op.ioasid, caller.process.memory(), request.map);
}

int IommuFile::unmap(Caller caller, void* arg) const {
  uapi::iommu_unmap_dma request{};
  if (const int error = copy_in_operation(arg, request, request.unmap); error != 0) return error;
  if (request.unmap.flags != 0) return -EINVAL;
  const Range<Iova> range{Iova{request.unmap.iova}, request.unmap.size};
  const int result = context_->unmap(caller.cpu, request.op.ioasid, range, request.unmap.size);
  return result != 0 ? result : copy_out(request, arg);
}

}  // namespace ioasim::kernel
