// A booted kernel on the fake machine: vfio0 behind a unit that can do everything, vfio1 behind
// one that can neither force snooping nor snoop its own walks.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "kernel/kernel.hpp"
#include "uapi/iommu.hpp"
#include "uapi/vfio.hpp"
#include "unit/kernel/fake_machine.hpp"

namespace ioasim::kernel::test {

// Keeps what is emitted, by kind.
class Recorder final : public trace::Listener {
 public:
  void on(Picoseconds, const trace::Event& event) override {
    std::visit([this](const auto& e) { names.emplace_back(name(e)); }, event);
    if (const auto* software = std::get_if<trace::Software>(&event)) {
      results[std::string{software->what}] = software->result;
    }
  }

  std::vector<std::string> names;
  std::map<std::string, std::int64_t> results;  // last of each phase

 private:
  template <class Event>
  static std::string name(const Event& event) {
    if constexpr (std::is_same_v<Event, trace::Software>) {
      return std::string{event.what};
    } else {
      return std::string{Event::name};
    }
  }
};

class SystemTest : public testing::Test {
 public:
  void boot() {
    kernel = std::make_unique<Kernel>(params, cpu.firmware, trace);
    kernel->boot(cpu);
    user = std::make_unique<Thread>(kernel->spawn(), cpu);
  }

  static uapi::vfio_device_iommu_bind_data bind_request(int iommu, std::uint64_t cookie) {
    return {.argsz = sizeof(uapi::vfio_device_iommu_bind_data),
            .flags = 0,
            .iommu_fd = iommu,
            .reserved = 0,
            .dev_cookie = cookie};
  }
  static uapi::vfio_device_attach_ioasid attach_request(int iommu, int ioasid) {
    return {.argsz = sizeof(uapi::vfio_device_attach_ioasid),
            .flags = 0,
            .iommu_fd = iommu,
            .ioasid = ioasid};
  }
  static uapi::iommu_map_dma map_request(int ioasid, Hva user, std::uint64_t iova,
                                         std::uint64_t bytes) {
    return {
        .op = {.argsz = sizeof(uapi::iommu_map_dma), .flags = 0, .ioasid = ioasid, .padding = 0},
        .map = {.argsz = sizeof(uapi::vfio_iommu_type1_dma_map),
                .flags = uapi::VFIO_DMA_MAP_FLAG_READ | uapi::VFIO_DMA_MAP_FLAG_WRITE,
                .vaddr = user.value,
                .iova = iova,
                .size = bytes}};
  }
  static uapi::iommu_unmap_dma unmap_request(int ioasid, std::uint64_t iova, std::uint64_t bytes) {
    return {
        .op = {.argsz = sizeof(uapi::iommu_unmap_dma), .flags = 0, .ioasid = ioasid, .padding = 0},
        .unmap = {.argsz = sizeof(uapi::vfio_iommu_type1_dma_unmap),
                  .flags = 0,
                  .iova = iova,
                  .size = bytes}};
  }

  // Each returns what the ioctl does.
  int bind(int device, int iommu, std::uint64_t cookie = 1) {
    auto request = bind_request(iommu, cookie);
    return user->ioctl(device, uapi::VFIO_DEVICE_BIND_IOMMU_FD, request);
  }
  int attach(int device, int iommu, int ioasid) {
    auto request = attach_request(iommu, ioasid);
    return user->ioctl(device, uapi::VFIO_DEVICE_ATTACH_IOASID, request);
  }
  int detach(int device, int iommu, int ioasid) {
    auto request = attach_request(iommu, ioasid);
    return user->ioctl(device, uapi::VFIO_DEVICE_DETACH_IOASID, request);
  }
  int alloc(int iommu, std::uint32_t flags = uapi::IOMMU_IOASID_ENFORCE_SNOOP_AUTO,
            std::uint32_t width = 39) {
    uapi::iommu_ioasid_alloc request{.argsz = sizeof request,
                                     .flags = flags,
                                     .type = uapi::IOMMU_IOASID_TYPE_KERNEL_TYPE1V2,
                                     .addr_width = width};
    return user->ioctl(iommu, uapi::IOMMU_IOASID_ALLOC, request);
  }
  int free(int iommu, std::int32_t ioasid) {
    return user->ioctl(iommu, uapi::IOMMU_IOASID_FREE, ioasid);
  }
  int map(int iommu, int ioasid, Hva memory, std::uint64_t iova, std::uint64_t bytes) {
    auto request = map_request(ioasid, memory, iova, bytes);
    return user->ioctl(iommu, uapi::IOMMU_MAP_DMA, request);
  }
  int unmap(int iommu, int ioasid, std::uint64_t iova, std::uint64_t bytes,
            std::uint64_t* unmapped = nullptr) {
    auto request = unmap_request(ioasid, iova, bytes);
    const int result = user->ioctl(iommu, uapi::IOMMU_UNMAP_DMA, request);
    if (unmapped != nullptr) *unmapped = request.unmap.size;
    return result;
  }
  Hpa host_address(Hva address) const {
    return *user->process().memory().translate(user->cpu(), address);
  }
  std::uint64_t locked_pages() const { return user->process().memory().locked_pages(); }

  FakeMachine cpu;
  RequesterId device0 = cpu.add_endpoint(1, 1);
  RequesterId device1 = cpu.add_endpoint(2, 2);
  FakeUnit& unit0 = cpu.add_unit({RequesterId::of(0, 1, 0)}, cap_usual, ecap_usual);
  FakeUnit& unit1 = cpu.add_unit({RequesterId::of(0, 2, 0)}, cap_usual, ecap_least);
  Params params;
  trace::Bus trace;
  std::unique_ptr<Kernel> kernel;
  std::unique_ptr<Thread> user;
};

}  // namespace ioasim::kernel::test
