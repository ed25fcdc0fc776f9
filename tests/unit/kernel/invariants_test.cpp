// The kernel's part of the invariants of snooping and caches (hardware.md 7.1, 7.2): 23, 24 and 26,
// and that nothing offers the virtual machines of 34, 35, 41 and 44. The hardware's part is in
// tests/block/invariants.
#include "kernel/vtd/domain.hpp"
#include "unit/kernel/system.hpp"

namespace ioasim::kernel::test {
namespace {

// vfio0's unit has ECAP.SC, vfio1's has not.
class InvariantsOfTheKernel : public SystemTest {
 public:
  void SetUp() override {
    boot();
    iommu = user->open("/dev/iommu");
    vfio0 = user->open("/dev/vfio/devices/vfio0");
    vfio1 = user->open("/dev/vfio/devices/vfio1");
    ASSERT_EQ(bind(vfio0, iommu, 1), 0);
    ASSERT_EQ(bind(vfio1, iommu, 2), 0);
    buffer = user->allocate(page_bytes);
  }

  int iommu = -1;
  int vfio0 = -1;
  int vfio1 = -1;
  Hva buffer;
};

TEST_F(InvariantsOfTheKernel, I23_EnforcementNeedsSnoopControlOfEveryUnit) {
  const int alone = alloc(iommu, uapi::IOMMU_IOASID_ENFORCE_SNOOP);
  EXPECT_EQ(attach(vfio1, iommu, alone), -EINVAL);
  const int beside = alloc(iommu, uapi::IOMMU_IOASID_ENFORCE_SNOOP);
  ASSERT_EQ(attach(vfio0, iommu, beside), 0);
  ASSERT_EQ(map(iommu, beside, buffer, 0x1000, page_bytes), 0);
  EXPECT_EQ(attach(vfio1, iommu, beside), -EINVAL);
  EXPECT_EQ(cpu.translate(unit1, device1, Iova{0x1000}).fault, 0x59u) << "its DMA stays blocked";
  EXPECT_TRUE(cpu.translate(unit0, device0, Iova{0x1000}).snoop);
}

class InvariantsOfADomain : public testing::Test {
 public:
  // A table for units that have ECAP.SC, or have not.
  vtd::SecondStageDomain make(bool snoop_control) {
    vtd::Unit::Features features;
    features.snoop_control = snoop_control;
    vtd::SecondStageDomain domain{runtime, 1, {}, features};
    EXPECT_EQ(domain.create(cpu), 0);
    return domain;
  }

  static constexpr Range<Hpa> memory{Hpa{0x20'0000}, page_bytes};

  FakeMachine cpu;
  Params params;
  Frames frames{cpu.firmware.memory};
  trace::Bus trace;
  std::vector<std::string> log;
  Runtime runtime{params, frames, trace, log};
};

TEST_F(InvariantsOfADomain, I23_EnforcementFailsWithoutSnoopControl) {
  EXPECT_TRUE(make(true).enforce_cache_coherency());
  EXPECT_FALSE(make(false).enforce_cache_coherency());
}

TEST_F(InvariantsOfADomain, I24_SecondStageIsEnforcedBeforeItsFirstMappingOrNever) {
  auto before = make(true);
  EXPECT_TRUE(before.enforce_cache_coherency());
  EXPECT_EQ(before.map_pages(cpu, Iova{0x1000}, memory, {.read = true}), 0);
  auto after = make(true);
  EXPECT_EQ(after.map_pages(cpu, Iova{0x1000}, memory, {.read = true}), 0);
  EXPECT_FALSE(after.enforce_cache_coherency());
}

// The other half of 24 is about first-stage tables: users cannot have any.
TEST_F(InvariantsOfTheKernel, I24_FirstStageTablesAreRefused) {
  EXPECT_EQ(user->ioctl_value(iommu, uapi::IOMMU_CHECK_EXTENSION, uapi::EXT_USER_PAGE_TABLE), 0);
  EXPECT_EQ(user->ioctl_value(iommu, uapi::IOMMU_CHECK_EXTENSION, uapi::EXT_IOASID_NESTING), 0);
  uapi::iommu_ioasid_alloc request{.argsz = sizeof request,
                                   .flags = uapi::IOMMU_IOASID_ENFORCE_SNOOP,
                                   .type = uapi::IOMMU_IOASID_TYPE_KERNEL_TYPE1V2 + 1,
                                   .addr_width = 48};
  EXPECT_EQ(user->ioctl(iommu, uapi::IOMMU_IOASID_ALLOC, request), -EINVAL);
}

// Every mapping of this kernel is an IOMMU_CACHE one; whether SNP is set is enforcement's alone.
TEST_F(InvariantsOfTheKernel, I26_CacheableMappingsDoNotForceSnooping) {
  for (const bool enforced : {false, true}) {
    const int id = alloc(iommu, enforced ? uapi::IOMMU_IOASID_ENFORCE_SNOOP : 0);
    ASSERT_EQ(attach(vfio0, iommu, id), 0);
    ASSERT_EQ(map(iommu, id, buffer, 0x1000, page_bytes), 0);
    EXPECT_EQ(cpu.translate(unit0, device0, Iova{0x1000}).snoop, enforced);
    ASSERT_EQ(detach(vfio0, iommu, id), 0);
  }
}

TEST_F(InvariantsOfTheKernel, I34_I35_I41_I44_ThereAreNoVirtualMachines) {
  EXPECT_GE(user->open("/dev/iommu"), 0);
  EXPECT_EQ(user->open("/dev/kvm"), -ENOENT);  // no node offers one
}

}  // namespace
}  // namespace ioasim::kernel::test
