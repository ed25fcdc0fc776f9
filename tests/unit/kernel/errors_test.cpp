// What is refused, and how: the combinations that must be rejected, one test each.
#include "unit/kernel/system.hpp"

namespace ioasim::kernel::test {
namespace {

class ErrorsTest : public SystemTest {
 public:
  void SetUp() override { start(); }

  void start() {
    boot();
    iommu = user->open("/dev/iommu");
    vfio0 = user->open("/dev/vfio/devices/vfio0");
    vfio1 = user->open("/dev/vfio/devices/vfio1");
    buffer = user->allocate(16 * page_bytes);
  }

  // A device attached to a fresh IOASID.
  int attached_ioasid() {
    EXPECT_EQ(bind(vfio0, iommu), 0);
    const int id = alloc(iommu);
    EXPECT_EQ(attach(vfio0, iommu, id), 0);
    return id;
  }

  int iommu = -1;
  int vfio0 = -1;
  int vfio1 = -1;
  Hva buffer;
};

TEST_F(ErrorsTest, RegistersAreClosedBeforeBinding) {
  std::uint32_t value = 0;
  EXPECT_EQ(user->mmio_read(vfio0, 0, value), -ENODEV);
  EXPECT_EQ(user->mmio_write(vfio0, 0, value), -ENODEV);
  EXPECT_EQ(user->pread(vfio0, std::as_writable_bytes(std::span{&value, 1}), 7ull << 40), -ENODEV);
  EXPECT_EQ(user->pwrite(vfio0, std::as_bytes(std::span{&value, 1}), 7ull << 40), -ENODEV);
  uapi::vfio_region_info info{};
  info.argsz = sizeof info;
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_GET_REGION_INFO, info), -ENODEV);
  ASSERT_EQ(bind(vfio0, iommu), 0);
  EXPECT_EQ(user->mmio_write<std::uint32_t>(vfio0, 0x10, 7), 0);
  ASSERT_EQ(cpu.bar_writes.size(), 1u);
  EXPECT_EQ(cpu.bar_writes[0], std::pair(Hpa{0xc010'0010}, std::uint64_t{7}));
  EXPECT_EQ(user->mmio_read(vfio0, 0x1000, value), -EINVAL) << "beyond the BAR";
  EXPECT_EQ(user->mmio_read(vfio0, 2, value), -EINVAL) << "unaligned";
}

TEST_F(ErrorsTest, RegistersAreClosedAgainAfterTheClose) {
  ASSERT_EQ(bind(vfio0, iommu), 0);
  ASSERT_EQ(user->close(vfio0), 0);
  std::uint32_t value = 0;
  EXPECT_EQ(user->mmio_read(vfio0, 0, value), -EBADF);
}

TEST_F(ErrorsTest, AttachBeforeBind) { EXPECT_EQ(attach(vfio0, iommu, alloc(iommu)), -EINVAL); }

TEST_F(ErrorsTest, AttachThroughAnotherFile) {
  const int other = user->open("/dev/iommu");
  ASSERT_EQ(bind(vfio0, iommu), 0);
  EXPECT_EQ(attach(vfio0, other, alloc(other)), -EINVAL);
  const int again = user->open("/dev/vfio/devices/vfio0");
  EXPECT_EQ(attach(again, iommu, alloc(iommu)), -EINVAL);
}

TEST_F(ErrorsTest, BindTwice) {
  const int other = user->open("/dev/iommu");
  const int again = user->open("/dev/vfio/devices/vfio0");
  ASSERT_EQ(bind(vfio0, iommu, 1), 0);
  EXPECT_EQ(bind(vfio0, iommu, 2), -EBUSY);
  EXPECT_EQ(bind(vfio0, other, 1), -EBUSY);
  EXPECT_EQ(bind(again, other, 1), -EBUSY);
}

TEST_F(ErrorsTest, BindWithACookieThatIsTaken) {
  ASSERT_EQ(bind(vfio0, iommu, 1), 0);
  EXPECT_EQ(bind(vfio1, iommu, 1), -EBUSY);
  EXPECT_EQ(bind(vfio1, iommu, 2), 0);
}

TEST_F(ErrorsTest, BindWithBadArguments) {
  auto request = bind_request(iommu, 1);
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_BIND_IOMMU_FD, nullptr), -EFAULT);
  request.argsz = 16;
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_BIND_IOMMU_FD, request), -EINVAL);
  request = bind_request(iommu, 1);
  request.flags = 1;
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_BIND_IOMMU_FD, request), -EINVAL);
  EXPECT_EQ(bind(vfio0, -1), -EINVAL);
  EXPECT_EQ(bind(vfio0, vfio1), -EINVAL) << "not a /dev/iommu";
  EXPECT_EQ(bind(vfio0, 99), -EINVAL);
  EXPECT_EQ(bind(99, iommu), -EBADF);
  request = bind_request(iommu, 1);
  request.argsz = 4096;  // from a newer user
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_BIND_IOMMU_FD, request), 0);
}

TEST_F(ErrorsTest, UnknownRequests) {
  EXPECT_EQ(user->ioctl(iommu, 0x1234, buffer), -EINVAL);
  EXPECT_EQ(user->ioctl(vfio0, 0x1234, buffer), -ENOTTY);
  EXPECT_EQ(user->ioctl(99, uapi::IOMMU_IOASID_ALLOC, nullptr), -EBADF);
}

TEST_F(ErrorsTest, Extensions) {
  const auto check = [&](std::uint32_t extension) {
    return user->ioctl_value(iommu, uapi::IOMMU_CHECK_EXTENSION, extension);
  };
  EXPECT_EQ(check(uapi::EXT_MAP_TYPE1V2), 1);
  EXPECT_EQ(check(uapi::EXT_DMA_NO_SNOOP), 1);
  EXPECT_EQ(check(uapi::EXT_IOASID_NESTING), 0);
  EXPECT_EQ(check(uapi::EXT_MULTIDEV_GROUP), 0);
  EXPECT_EQ(check(99), 0);
}

TEST_F(ErrorsTest, AttachOfADeviceThatCannotBeEnforced) {
  ASSERT_EQ(bind(vfio1, iommu), 0);
  EXPECT_EQ(attach(vfio1, iommu, alloc(iommu, uapi::IOMMU_IOASID_ENFORCE_SNOOP)), -EINVAL);
  EXPECT_EQ(attach(vfio1, iommu, alloc(iommu, 0)), 0);
}

TEST_F(ErrorsTest, AttachOfADeviceThatCannotBeEnforcedBesideOneThatIs) {
  const int id = alloc(iommu, uapi::IOMMU_IOASID_ENFORCE_SNOOP);
  ASSERT_EQ(bind(vfio0, iommu, 1), 0);
  ASSERT_EQ(bind(vfio1, iommu, 2), 0);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  EXPECT_EQ(attach(vfio1, iommu, id), -EINVAL);
}

class NoSnoopOffTest : public ErrorsTest {
 public:
  NoSnoopOffTest() { params.dma_no_snoop = false; }
};

TEST_F(NoSnoopOffTest, AllocWithoutEnforcementIsNotSupported) {
  EXPECT_EQ(user->ioctl_value(iommu, uapi::IOMMU_CHECK_EXTENSION, uapi::EXT_DMA_NO_SNOOP), 0);
  EXPECT_EQ(alloc(iommu, 0), -EOPNOTSUPP);
  EXPECT_GE(alloc(iommu, uapi::IOMMU_IOASID_ENFORCE_SNOOP), 0);
  EXPECT_GE(alloc(iommu, uapi::IOMMU_IOASID_ENFORCE_SNOOP_AUTO), 0);
}

TEST_F(ErrorsTest, AllocWithBadArguments) {
  uapi::iommu_ioasid_alloc good{.argsz = sizeof good,
                                .flags = uapi::IOMMU_IOASID_ENFORCE_SNOOP,
                                .type = uapi::IOMMU_IOASID_TYPE_KERNEL_TYPE1V2,
                                .addr_width = 48};
  const auto result = [&](auto change) {
    auto request = good;
    change(request);
    return user->ioctl(iommu, uapi::IOMMU_IOASID_ALLOC, request);
  };
  EXPECT_EQ(user->ioctl(iommu, uapi::IOMMU_IOASID_ALLOC, nullptr), -EFAULT);
  EXPECT_EQ(result([](auto& r) { r.argsz = 12; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.flags = 3; }), -EINVAL) << "on and auto";
  EXPECT_EQ(result([](auto& r) { r.flags = 4; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.type = 2; }), -EINVAL) << "a user-managed root";
  EXPECT_EQ(result([](auto& r) { r.addr_width = 0; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.addr_width = 65; }), -EINVAL);
  EXPECT_EQ(result([](auto&) {}), 0);
  EXPECT_EQ(result([](auto& r) { r.argsz = 64; }), 1);
}

TEST_F(ErrorsTest, AttachToATableThatIsTooWide) {
  ASSERT_EQ(bind(vfio0, iommu), 0);
  EXPECT_EQ(attach(vfio0, iommu, alloc(iommu, 0, 49)), -EINVAL);
  EXPECT_EQ(attach(vfio0, iommu, alloc(iommu, 0, 48)), 0);
}

TEST_F(ErrorsTest, AttachWithBadArguments) {
  ASSERT_EQ(bind(vfio0, iommu), 0);
  auto request = attach_request(iommu, alloc(iommu));
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_ATTACH_IOASID, nullptr), -EFAULT);
  request.argsz = 12;
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_ATTACH_IOASID, request), -EINVAL);
  request.argsz = sizeof request;
  request.flags = 2;
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_ATTACH_IOASID, request), -EINVAL);
  EXPECT_EQ(attach(vfio0, iommu, 99), -EINVAL);
  EXPECT_EQ(attach(vfio0, iommu, -1), -EINVAL);
  EXPECT_EQ(attach(vfio0, 99, 0), -EINVAL);
}

TEST_F(ErrorsTest, VpasidOnADeviceWithoutPasids) {
  ASSERT_EQ(bind(vfio0, iommu), 0);
  uapi::vfio_device_attach_ioasid_vpasid request{
      .attach = attach_request(iommu, alloc(iommu)), .vpasid = 5, .reserved = 0};
  request.attach.flags = uapi::IOASID_ATTACH_VPASID;
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_ATTACH_IOASID, request), -EINVAL);
  request.attach.argsz = sizeof request;
  EXPECT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_ATTACH_IOASID, request), -EOPNOTSUPP);
}

TEST_F(ErrorsTest, ASecondDefaultAddressSpace) {
  const int id = attached_ioasid();
  EXPECT_EQ(attach(vfio0, iommu, alloc(iommu)), -EBUSY);
  EXPECT_EQ(attach(vfio0, iommu, id), -EINVAL) << "the one it has";
}

TEST_F(ErrorsTest, DetachOfWhatIsNotAttached) {
  const int id = attached_ioasid();
  const int other = alloc(iommu);
  EXPECT_EQ(detach(vfio1, iommu, id), -EINVAL) << "not bound";
  EXPECT_EQ(detach(vfio0, iommu, other), -EINVAL);
  EXPECT_EQ(detach(vfio0, user->open("/dev/iommu"), id), -EINVAL);
  EXPECT_EQ(detach(vfio0, iommu, id), 0);
  EXPECT_EQ(detach(vfio0, iommu, id), -EINVAL);
}

TEST_F(ErrorsTest, FreeOfWhatIsInUseOrUnknown) {
  const int id = attached_ioasid();
  EXPECT_EQ(user->ioctl(iommu, uapi::IOMMU_IOASID_FREE, nullptr), -EFAULT);
  EXPECT_EQ(free(iommu, -1), -EINVAL);
  EXPECT_EQ(free(iommu, 99), -EINVAL);
  EXPECT_EQ(free(iommu, id), -EBUSY);
  ASSERT_EQ(detach(vfio0, iommu, id), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0, page_bytes), 0);
  EXPECT_EQ(free(iommu, id), 0);
  EXPECT_EQ(locked_pages(), 0u);
  EXPECT_EQ(free(iommu, id), -EINVAL);
}

class NoDeviceTest : public ErrorsTest {
 public:
  NoDeviceTest() { params.map_without_device = false; }
};

TEST_F(NoDeviceTest, MapOnAnIoasidWithoutDevice) {
  const int id = alloc(iommu);
  EXPECT_EQ(map(iommu, id, buffer, 0, page_bytes), -EINVAL);
  EXPECT_EQ(unmap(iommu, id, 0, page_bytes), -EINVAL);
}

TEST_F(ErrorsTest, MapWithBadArguments) {
  const int id = attached_ioasid();
  const auto result = [&](auto change) {
    auto request = map_request(id, buffer, 0x1000, page_bytes);
    change(request);
    return user->ioctl(iommu, uapi::IOMMU_MAP_DMA, request);
  };
  EXPECT_EQ(user->ioctl(iommu, uapi::IOMMU_MAP_DMA, nullptr), -EFAULT);
  EXPECT_EQ(result([](auto& r) { r.op.argsz = 47; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.op.flags = 1; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.op.padding = 1; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.op.ioasid = -1; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.op.ioasid = 99; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.argsz = 31; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.flags = 0; }), -EINVAL) << "neither read nor write";
  EXPECT_EQ(result([](auto& r) { r.map.flags = 4; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.flags = 9; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.size = 0; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.size = 100; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.iova += 1; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.vaddr += 1; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.iova = ~0xfffull, r.map.size = 0x2000; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.vaddr = ~0xfffull, r.map.size = 0x2000; }), -EINVAL);
  EXPECT_EQ(result([](auto& r) { r.map.iova = 1ull << 39; }), -EINVAL) << "beyond the width";
  EXPECT_EQ(result([](auto& r) { r.map.iova = 0xfee0'0000; }), -EINVAL) << "interrupts";
  EXPECT_EQ(locked_pages(), 0u);
  EXPECT_EQ(result([](auto& r) { r.map.iova = (1ull << 39) - 0x1000; }), 0);
}

TEST_F(ErrorsTest, MapOfMemoryThatIsNotThere) {
  const int id = attached_ioasid();
  EXPECT_EQ(map(iommu, id, Hva{0x1000}, 0, page_bytes), -EFAULT);
  EXPECT_EQ(map(iommu, id, buffer, 0, 17 * page_bytes), -EFAULT);
  EXPECT_EQ(locked_pages(), 0u);
}

TEST_F(ErrorsTest, MapThatOverlaps) {
  const int id = attached_ioasid();
  ASSERT_EQ(map(iommu, id, buffer, 0x2000, 2 * page_bytes), 0);
  EXPECT_EQ(map(iommu, id, buffer, 0x3000, page_bytes), -EEXIST);
  EXPECT_EQ(map(iommu, id, buffer, 0x1000, 2 * page_bytes), -EEXIST);
  EXPECT_EQ(map(iommu, id, buffer, 0x1000, page_bytes), 0);
  EXPECT_EQ(map(iommu, id, buffer, 0x4000, page_bytes), 0);
}

TEST_F(ErrorsTest, UnmapThatBisects) {
  const int id = attached_ioasid();
  ASSERT_EQ(map(iommu, id, buffer, 0x2000, 2 * page_bytes), 0);
  EXPECT_EQ(unmap(iommu, id, 0x2000, page_bytes), -EINVAL);
  EXPECT_EQ(unmap(iommu, id, 0x3000, page_bytes), -EINVAL);
  EXPECT_EQ(unmap(iommu, id, 0x1000, 2 * page_bytes), -EINVAL);
  EXPECT_EQ(locked_pages(), 2u);
}

TEST_F(ErrorsTest, UnmapMayCoverSeveralMappingsAndHoles) {
  const int id = attached_ioasid();
  ASSERT_EQ(map(iommu, id, buffer, 0x2000, page_bytes), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0x3000, page_bytes), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0x8000, 2 * page_bytes), 0);
  std::uint64_t bytes = 0;
  EXPECT_EQ(unmap(iommu, id, 0, 0x10000, &bytes), 0);
  EXPECT_EQ(bytes, 4 * page_bytes);
  EXPECT_EQ(unmap(iommu, id, 0, 0x10000, &bytes), 0);
  EXPECT_EQ(bytes, 0u);
}

TEST_F(ErrorsTest, UnmapWithBadArguments) {
  const int id = attached_ioasid();
  EXPECT_EQ(user->ioctl(iommu, uapi::IOMMU_UNMAP_DMA, nullptr), -EFAULT);
  EXPECT_EQ(unmap(iommu, id, 0, 0), -EINVAL);
  EXPECT_EQ(unmap(iommu, id, 1, page_bytes), -EINVAL);
  EXPECT_EQ(unmap(iommu, id, 0, 1), -EINVAL);
  EXPECT_EQ(unmap(iommu, id, ~0xfffull, 0x2000), -EINVAL);
  EXPECT_EQ(unmap(iommu, 99, 0, page_bytes), -EINVAL);
  auto request = unmap_request(id, 0, page_bytes);
  request.unmap.flags = 2;
  EXPECT_EQ(user->ioctl(iommu, uapi::IOMMU_UNMAP_DMA, request), -EINVAL);
  request = unmap_request(id, 0, page_bytes);
  request.op.argsz = 39;
  EXPECT_EQ(user->ioctl(iommu, uapi::IOMMU_UNMAP_DMA, request), -EINVAL);
}

class LimitTest : public ErrorsTest {
 public:
  LimitTest() {
    params.memlock = Bytes{4 * page_bytes};
    params.mappings_max = 3;
  }
};

TEST_F(LimitTest, PinningStopsAtTheLimitAndEveryAddressSpaceCounts) {
  const int first = attached_ioasid();
  const int second = alloc(iommu);
  EXPECT_EQ(map(iommu, first, buffer, 0, 5 * page_bytes), -ENOMEM);
  EXPECT_EQ(locked_pages(), 0u);
  EXPECT_EQ(map(iommu, first, buffer, 0, 3 * page_bytes), 0);
  EXPECT_EQ(map(iommu, second, buffer, 0, 2 * page_bytes), -ENOMEM) << "the same pages count again";
  EXPECT_EQ(map(iommu, second, buffer, 0, page_bytes), 0);
  EXPECT_EQ(unmap(iommu, first, 0, 3 * page_bytes), 0);
  EXPECT_EQ(locked_pages(), 1u);
  EXPECT_EQ(map(iommu, second, buffer, 0x10000, 3 * page_bytes), 0);
}

TEST_F(LimitTest, MappingsOfAnAddressSpaceAreCounted) {
  const int id = attached_ioasid();
  for (std::uint64_t i = 0; i < 3; ++i) {
    ASSERT_EQ(map(iommu, id, buffer, i * page_bytes, page_bytes), 0);
  }
  EXPECT_EQ(map(iommu, id, buffer, 0x10000, page_bytes), -ENOSPC);
}

TEST_F(ErrorsTest, DeviceInfo) {
  struct {
    uapi::iommu_device_info info;
    uapi::vfio_iommu_type1_info_cap_iova_range head;
    uapi::vfio_iova_range ranges[2];
  } whole{};
  auto& info = whole.info;
  const auto get = [&](std::uint32_t argsz, std::uint64_t cookie) {
    info.argsz = argsz;
    info.dev_cookie = cookie;
    return user->ioctl(iommu, uapi::IOMMU_DEVICE_GET_INFO, whole);
  };
  EXPECT_EQ(get(32, 7), -EINVAL) << "before the bind";
  ASSERT_EQ(bind(vfio0, iommu, 7), 0);
  ASSERT_EQ(bind(vfio1, iommu, 8), 0);
  EXPECT_EQ(user->ioctl(iommu, uapi::IOMMU_DEVICE_GET_INFO, nullptr), -EFAULT);
  EXPECT_EQ(get(31, 7), -EINVAL);
  EXPECT_EQ(get(32, 9), -EINVAL);
  ASSERT_EQ(get(32, 7), 0);
  EXPECT_EQ(info.flags, 7u);
  EXPECT_EQ(info.addr_width, 48u);
  EXPECT_EQ(info.pgsize_bitmap, 0x1000u);
  EXPECT_EQ(info.argsz, sizeof whole) << "what the capability would need";
  ASSERT_EQ(get(sizeof whole, 8), 0);
  EXPECT_EQ(info.flags, 0xeu) << "cannot enforce snooping";
  EXPECT_EQ(info.cap_offset, 32u);
  EXPECT_EQ(whole.head.nr_iovas, 2u);
  EXPECT_EQ(whole.ranges[0].end, 0xfedf'ffffu);
  EXPECT_EQ(whole.ranges[1].start, 0xfef0'0000u);
  EXPECT_EQ(whole.ranges[1].end, (1ull << 48) - 1);
}

TEST_F(ErrorsTest, ConfigurationSpaceLetsTheUserChangeItsOwnBitsOnly) {
  ASSERT_EQ(bind(vfio0, iommu), 0);
  constexpr std::uint64_t config = 7ull << 40;
  const auto write = [&](std::uint64_t offset, std::uint16_t value) {
    return user->pwrite(vfio0, std::as_bytes(std::span{&value, 1}), config + offset);
  };
  EXPECT_EQ(write(0x48, 0x0000), 2);
  EXPECT_EQ(cpu.config(device0, 0x48, 2), 0x2000u) << "payload and request sizes stay";
  EXPECT_EQ(write(0x48, 0xffff), 2);
  EXPECT_EQ(cpu.config(device0, 0x48, 2), 0x2810u);
  EXPECT_EQ(write(0x10, 0x1234), 2);
  EXPECT_EQ(cpu.config(device0, 0x10, 4), 0xc010'0000u);
  EXPECT_EQ(write(0x04, 0xffff), 2);
  EXPECT_EQ(cpu.config(device0, 0x04, 2), 0x0406u);
  std::uint32_t ids = 0;
  EXPECT_EQ(user->pread(vfio0, std::as_writable_bytes(std::span{&ids, 1}), config), 4);
  EXPECT_EQ(ids, 0x1234'1af4u);
}

}  // namespace
}  // namespace ioasim::kernel::test
