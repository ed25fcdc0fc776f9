#include "scenarios/dma_driver.hpp"

#include <fmt/format.h>

#include "config/quantity.hpp"
#include "scenarios/refused.hpp"
#include "uapi/iommu.hpp"
#include "uapi/vfio.hpp"

namespace ioasim::scenarios {
namespace {

using namespace uapi;
namespace engine = devices::dma_register;

// Time between two looks at the status register.
constexpr Picoseconds poll_interval = 200_ns;

}  // namespace

DmaDriver::DmaDriver(World& world, std::string_view device)
    : name_{device},
      user_{world.user()},
      engine_{world.machine().device(device)},
      id_{world.machine().device_id(device)} {}

// The other constructor comes first, so that what is open is closed if a later call is refused.
DmaDriver::DmaDriver(World& world, std::string_view device, EnforceSnoop enforce)
    : DmaDriver{world, device} {
  const auto path = world.kernel().vfio_path(id_);
  device_ = granted("open " + path, user_.open(path));
  iommu_ = granted("open /dev/iommu", user_.open("/dev/iommu"));
  vfio_device_iommu_bind_data bind{
      .argsz = sizeof bind, .flags = 0, .iommu_fd = iommu_, .reserved = 0, .dev_cookie = 1};
  granted("VFIO_DEVICE_BIND_IOMMU_FD", user_.ioctl(device_, VFIO_DEVICE_BIND_IOMMU_FD, bind));
  iommu_device_info info{};
  info.argsz = sizeof info;
  info.dev_cookie = bind.dev_cookie;
  granted("IOMMU_DEVICE_GET_INFO", user_.ioctl(iommu_, IOMMU_DEVICE_GET_INFO, info));
  iommu_ioasid_alloc alloc{.argsz = sizeof alloc,
                           .flags = enforce == EnforceSnoop::on ? IOMMU_IOASID_ENFORCE_SNOOP
                                    : enforce == EnforceSnoop::automatic
                                        ? IOMMU_IOASID_ENFORCE_SNOOP_AUTO
                                        : 0,
                           .type = IOMMU_IOASID_TYPE_KERNEL_TYPE1V2,
                           .addr_width = info.addr_width};
  ioasid_ = granted("IOMMU_IOASID_ALLOC", user_.ioctl(iommu_, IOMMU_IOASID_ALLOC, alloc));
  vfio_device_attach_ioasid attach{
      .argsz = sizeof attach, .flags = 0, .iommu_fd = iommu_, .ioasid = ioasid_};
  granted("VFIO_DEVICE_ATTACH_IOASID", user_.ioctl(device_, VFIO_DEVICE_ATTACH_IOASID, attach));
  descriptor_ = map(page_bytes);
}

DmaDriver::~DmaDriver() {
  if (device_ >= 0) user_.close(device_);
  if (iommu_ >= 0) user_.close(iommu_);
}

int DmaDriver::granted(std::string_view call, int result) const {
  if (result < 0) throw Refused{fmt::format("{}: {}", name_, call), result};
  return result;
}

Buffer DmaDriver::map(std::uint64_t bytes) { return map(user_.allocate(bytes), bytes); }

Buffer DmaDriver::map(Hva memory, std::uint64_t bytes) {
  const auto size = (bytes + page_bytes - 1) / page_bytes * page_bytes;
  const Buffer buffer{memory, next_, size};
  next_ += size;
  iommu_map_dma request{
      .op = {.argsz = sizeof request, .flags = 0, .ioasid = ioasid_, .padding = 0},
      .map = {.argsz = sizeof request.map,
              .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
              .vaddr = buffer.address.value,
              .iova = buffer.iova.value,
              .size = size}};
  granted(fmt::format("IOMMU_MAP_DMA of {}", config::Text<Bytes>::print({size})),
          user_.ioctl(iommu_, IOMMU_MAP_DMA, request));
  return buffer;
}

int DmaDriver::unmap(const Buffer& buffer) {
  iommu_unmap_dma request{
      .op = {.argsz = sizeof request, .flags = 0, .ioasid = ioasid_, .padding = 0},
      .unmap = {.argsz = sizeof request.unmap,
                .flags = 0,
                .iova = buffer.iova.value,
                .size = buffer.bytes}};
  return user_.ioctl(iommu_, IOMMU_UNMAP_DMA, request);
}

void DmaDriver::start(Iova source, Iova target, std::uint64_t bytes, std::uint32_t flags,
                      bool repeat) {
  using Descriptor = devices::DmaDescriptor;
  const Descriptor descriptor{.source = source.value,
                              .target = target.value,
                              .bytes = static_cast<std::uint32_t>(bytes),
                              .flags = flags | (repeat ? Descriptor::cyclic : 0)};
  user_.store(descriptor_.address, std::as_bytes(std::span{&descriptor, 1}));
  user_.mfence();
  start_at(descriptor_.iova);
}

void DmaDriver::start_at(Iova descriptor) {
  user_.mmio_write(device_, engine::descriptor, descriptor.value);
  user_.mmio_write(device_, engine::doorbell, std::uint32_t{1});
}

bool DmaDriver::finish() {
  using Status = devices::DmaEngine::Status;
  for (;;) {
    std::uint32_t status = 0;
    if (user_.mmio_read(device_, engine::status, status) < 0) return false;
    if (status == static_cast<std::uint32_t>(Status::halted)) return false;
    if (status != static_cast<std::uint32_t>(Status::running)) return true;
    user_.cpu().execute(poll_interval);
  }
}

bool DmaDriver::try_copy(Iova source, Iova target, std::uint64_t bytes, std::uint32_t flags) {
  start(source, target, bytes, flags);
  return finish();
}

void DmaDriver::copy(Iova source, Iova target, std::uint64_t bytes, std::uint32_t flags) {
  if (!try_copy(source, target, bytes, flags)) throw Refused{name_ + ": the engine halted"};
}

namespace {

constexpr auto pattern(std::uint64_t i) { return static_cast<std::uint8_t>(i * 7 + 1); }

}  // namespace

void DmaDriver::fill(const Buffer& buffer, std::uint64_t bytes) {
  for (std::uint64_t i = 0; i < bytes; ++i) user_.store(buffer.address + i, pattern(i));
}

bool DmaDriver::filled(const Buffer& buffer, std::uint64_t bytes) {
  for (std::uint64_t i = 0; i < bytes; ++i) {
    if (user_.load<std::uint8_t>(buffer.address + i) != pattern(i)) return false;
  }
  return true;
}

void DmaDriver::stop() { user_.mmio_write(device_, engine::stop, std::uint32_t{1}); }

}  // namespace ioasim::scenarios
