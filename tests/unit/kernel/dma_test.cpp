// From binding to closing, as hardware sees it: what is translated when, what is invalidated in
// which order, and what the trace says.
#include "unit/kernel/system.hpp"

namespace ioasim::kernel::test {
namespace {

class DmaTest : public SystemTest {
 public:
  void SetUp() override {
    boot();
    iommu = user->open("/dev/iommu");
    vfio0 = user->open("/dev/vfio/devices/vfio0");
    vfio1 = user->open("/dev/vfio/devices/vfio1");
    ASSERT_EQ(bind(vfio0, iommu, 1), 0);
    ASSERT_EQ(bind(vfio1, iommu, 2), 0);
    buffer = user->allocate(64 * page_bytes);
    unit0.descriptors.clear();
    unit1.descriptors.clear();
    cpu.flushed.clear();
  }

  int iommu = -1;
  int vfio0 = -1;
  int vfio1 = -1;
  Hva buffer;
};

TEST_F(DmaTest, BlockedUntilAttachedAndMapped) {
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0x1000}).fault, 0x59u);
  const int id = alloc(iommu);
  ASSERT_GE(id, 0);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0x1000}).fault, 0x79u);
  ASSERT_EQ(map(iommu, id, buffer, 0x1000, 2 * page_bytes), 0);
  const auto found = cpu.translate(unit0, device0, Iova{0x2010});
  EXPECT_EQ(found.fault, 0u);
  EXPECT_EQ(found.address, host_address(buffer + 0x1010));
  EXPECT_TRUE(found.read && found.write && found.snoop);
  EXPECT_EQ(found.levels, 4u);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0x3000}).fault, 0x79u);
  ASSERT_EQ(detach(vfio0, iommu, id), 0);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0x2010}).fault, 0x59u);
}

TEST_F(DmaTest, AttachOfAnAbsentEntryInvalidatesNothingUnlessHardwareCachesAbsence) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  EXPECT_TRUE(unit0.descriptors.empty());
}

TEST_F(DmaTest, DetachClearsPresentThenPasidCacheThenIotlbThenTheRest) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  const Hpa entry = cpu.pasid_entry(unit0, device0);
  const std::uint64_t did = cpu.caches.word(entry + 8) & 0xffff;
  unsigned seen = 0;
  unit0.on_descriptor = [&](const auto&) {
    ++seen;
    EXPECT_EQ(cpu.caches.word(entry) & 1, 0u);
    EXPECT_NE(cpu.caches.word(entry), 0u) << "only P is cleared before the invalidations";
  };
  ASSERT_EQ(detach(vfio0, iommu, id), 0);
  EXPECT_EQ(seen, 2u);
  ASSERT_EQ(unit0.descriptors.size(), 2u);
  EXPECT_EQ(unit0.descriptors[0][0], 0x17u | did << 16);
  EXPECT_EQ(unit0.descriptors[1][0], 0xe2u | did << 16);
  EXPECT_EQ(cpu.caches.word(entry), 0u);
  EXPECT_EQ(cpu.caches.word(entry + 8), 0u);
}

TEST_F(DmaTest, AUnitThatDoesNotSnoopSeesAttachAndDetachInMemory) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio1, iommu, id), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0x1000, page_bytes), 0);
  EXPECT_EQ(cpu.translate(unit1, device1, Iova{0x1000}).address, host_address(buffer));
  ASSERT_EQ(detach(vfio1, iommu, id), 0);
  EXPECT_EQ(cpu.translate(unit1, device1, Iova{0x1000}).fault, 0x59u);
  EXPECT_EQ(cpu.memory.word(cpu.pasid_entry(unit1, device1) + 8), 0u);
}

TEST_F(DmaTest, UnmapInvalidatesTheLeastAlignedRangeOfTheDomain) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0x7000, 2 * page_bytes), 0);
  std::uint64_t bytes = 0;
  ASSERT_EQ(unmap(iommu, id, 0x7000, 2 * page_bytes, &bytes), 0);
  EXPECT_EQ(bytes, 2 * page_bytes);
  ASSERT_EQ(unit0.descriptors.size(), 1u);
  // Pages 7 and 8: 0 to 15 is the least aligned run; no table goes, hence IH.
  EXPECT_EQ(unit0.descriptors[0][0] & 0xffff, 0xf2u);
  EXPECT_EQ(unit0.descriptors[0][1], 0x0044u);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0x7000}).fault, 0x79u);
}

TEST_F(DmaTest, RangesBeyondMamvAreInvalidatedByDomain) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  const std::uint64_t far = 1ull << 38;
  ASSERT_EQ(map(iommu, id, buffer, 0, page_bytes), 0);
  ASSERT_EQ(map(iommu, id, buffer, far, page_bytes), 0);
  ASSERT_EQ(unmap(iommu, id, 0, far + page_bytes), 0);
  ASSERT_EQ(unit0.descriptors.size(), 1u);
  EXPECT_EQ(unit0.descriptors[0][0] & 0xffff, 0xe2u);
  EXPECT_EQ(locked_pages(), 0u);
}

TEST_F(DmaTest, TablesAreFreedOnlyAfterAnInvalidationWithoutTheLeafHint) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  const auto memory = user->allocate(2 << 20);
  ASSERT_EQ(map(iommu, id, memory, 0, 2 << 20), 0);
  ASSERT_EQ(unmap(iommu, id, 0, 2 << 20), 0);
  ASSERT_EQ(unit0.descriptors.size(), 1u);
  EXPECT_EQ(unit0.descriptors[0][1], 0x9u) << "AM 9, IH clear";
}

TEST_F(DmaTest, OneTableServesTwoUnitsAndBothAreInvalidated) {
  const int id = alloc(iommu, 0);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0, page_bytes), 0);
  EXPECT_EQ(cpu.translate(unit1, device1, Iova{0}).fault, 0x59u);
  ASSERT_EQ(attach(vfio1, iommu, id), 0);
  // What was built for a walk that is snooped has been published for one that is not.
  EXPECT_EQ(cpu.translate(unit1, device1, Iova{0}).address, host_address(buffer));
  EXPECT_FALSE(cpu.translate(unit1, device1, Iova{0}).snoop);
  ASSERT_EQ(map(iommu, id, buffer, 0x10'0000, page_bytes), 0);
  EXPECT_EQ(cpu.translate(unit1, device1, Iova{0x10'0000}).address, host_address(buffer));
  ASSERT_EQ(unmap(iommu, id, 0, page_bytes), 0);
  EXPECT_EQ(unit0.descriptors.size(), 1u);
  EXPECT_EQ(unit1.descriptors.size(), 1u);
  EXPECT_EQ(cpu.translate(unit1, device1, Iova{0}).fault, 0x79u);
  EXPECT_EQ(locked_pages(), 1u);
}

TEST_F(DmaTest, AutomaticEnforcementIsDecidedByTheFirstDeviceAndFrozen) {
  const int first = alloc(iommu);
  ASSERT_EQ(attach(vfio1, iommu, first), 0);
  ASSERT_EQ(map(iommu, first, buffer, 0, page_bytes), 0);
  EXPECT_FALSE(cpu.translate(unit1, device1, Iova{0}).snoop);
  ASSERT_EQ(detach(vfio1, iommu, first), 0);
  ASSERT_EQ(attach(vfio0, iommu, first), 0);
  EXPECT_FALSE(cpu.translate(unit0, device0, Iova{0}).snoop);

  const int second = alloc(iommu);
  ASSERT_EQ(detach(vfio0, iommu, first), 0);
  ASSERT_EQ(attach(vfio0, iommu, second), 0);
  EXPECT_EQ(attach(vfio1, iommu, second), -EINVAL);
}

TEST_F(DmaTest, MapBeforeAttachPinsAtOnceAndFillsTheTableAtTheFirstAttach) {
  const int id = alloc(iommu, uapi::IOMMU_IOASID_ENFORCE_SNOOP);
  ASSERT_EQ(map(iommu, id, buffer, 0x5000, page_bytes), 0);
  EXPECT_EQ(locked_pages(), 1u);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0x5000}).address, host_address(buffer));
  EXPECT_TRUE(cpu.translate(unit0, device0, Iova{0x5000}).snoop);
}

TEST_F(DmaTest, AnotherUnitsPagesAreNotTouchedByAFailedAttach) {
  const int id = alloc(iommu, uapi::IOMMU_IOASID_ENFORCE_SNOOP);
  ASSERT_EQ(map(iommu, id, buffer, 0x5000, page_bytes), 0);
  EXPECT_EQ(attach(vfio1, iommu, id), -EINVAL);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  EXPECT_TRUE(cpu.translate(unit0, device0, Iova{0x5000}).snoop);
}

TEST_F(DmaTest, CloseOfTheDeviceDetachesUnbindsAndWithdrawsAccess) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  EXPECT_NE(cpu.config(device0, 0x04, 2) & 4, 0u);
  ASSERT_EQ(user->close(vfio0), 0);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0}).fault, 0x59u);
  EXPECT_EQ(cpu.config(device0, 0x04, 2) & 4, 0u);
  EXPECT_EQ(free(iommu, id), 0);
  vfio0 = user->open("/dev/vfio/devices/vfio0");
  EXPECT_EQ(bind(vfio0, iommu, 1), 0);
}

TEST_F(DmaTest, CloseOfTheIommuFileKeepsWhatADeviceUses) {
  const int used = alloc(iommu);
  const int unused = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, used), 0);
  ASSERT_EQ(map(iommu, used, buffer, 0, page_bytes), 0);
  ASSERT_EQ(map(iommu, unused, buffer, 0, 2 * page_bytes), 0);
  EXPECT_EQ(locked_pages(), 3u);
  ASSERT_EQ(user->close(iommu), 0);
  EXPECT_EQ(locked_pages(), 1u);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0}).fault, 0u);
  ASSERT_EQ(user->close(vfio0), 0);
  EXPECT_EQ(locked_pages(), 0u);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0}).fault, 0x59u);
}

TEST_F(DmaTest, TheTraceTellsAnUnmapInItsPhases) {
  const int id = alloc(iommu, 0);
  ASSERT_EQ(attach(vfio1, iommu, id), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0x1000, 3 * page_bytes), 0);
  Recorder recorder;
  trace.add(recorder);
  ASSERT_EQ(unmap(iommu, id, 0x1000, 3 * page_bytes), 0);
  EXPECT_EQ(recorder.names,
            (std::vector<std::string>{"unmap_dma.enter", "unmap.begin", "mapping_removed",
                                      "unmap.pte", "unmap.flush", "unmap.submit", "unmap.seen",
                                      "invalidation_completed", "unmap_dma.exit"}));
  EXPECT_EQ(recorder.results["unmap.pte"], 3);
  EXPECT_EQ(recorder.results["unmap.flush"], 1);
  EXPECT_EQ(recorder.results["unmap_dma.exit"], 0);
  trace.remove(recorder);
}

TEST_F(DmaTest, TheTraceTellsAttachmentAndDetachment) {
  const int id = alloc(iommu);
  Recorder recorder;
  trace.add(recorder);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0x1000, page_bytes), 0);
  ASSERT_EQ(detach(vfio0, iommu, id), 0);
  EXPECT_EQ(recorder.names, (std::vector<std::string>{
                                "attach.enter", "domain_attached", "attach.exit", "map_dma.enter",
                                "mapping_added", "map_dma.exit", "detach.enter", "domain_detached",
                                "invalidate.submit", "invalidate.seen", "invalidate.submit",
                                "invalidate.seen", "invalidation_completed", "detach.exit"}));
  trace.remove(recorder);
}

TEST_F(DmaTest, AnInvalidationThatFailsKeepsThePagesPinned) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  ASSERT_EQ(map(iommu, id, buffer, 0x1000, page_bytes), 0);
  unit0.refuses = [](const auto& words) { return (words[0] & 0xf) == 2; };
  EXPECT_EQ(unmap(iommu, id, 0x1000, page_bytes), -EINVAL);
  EXPECT_EQ(locked_pages(), 1u);
}

TEST_F(DmaTest, AnInterruptReachesTheThreadThatWaitsForIt) {
  const int event = user->eventfd();
  struct {
    uapi::vfio_irq_set set;
    std::int32_t fd;
  } request{{.argsz = sizeof request,
             .flags = uapi::VFIO_IRQ_SET_ACTION_TRIGGER | uapi::VFIO_IRQ_SET_DATA_EVENTFD,
             .index = uapi::VFIO_PCI_MSI_IRQ_INDEX,
             .start = 0,
             .count = 1},
            event};
  cpu.core = 2;
  ASSERT_EQ(user->ioctl(vfio0, uapi::VFIO_DEVICE_SET_IRQS, request), 0);
  EXPECT_EQ(cpu.config(device0, 0x64, 4), 0xfee0'2000u);
  EXPECT_EQ(cpu.config(device0, 0x68, 4), 0u);
  EXPECT_EQ(cpu.config(device0, 0x62, 2), 0x81u);
  const auto vector = cpu.config(device0, 0x6c, 2);
  EXPECT_EQ(user->wait(event, 1_us), 0);
  cpu.pending.insert(static_cast<std::uint8_t>(vector));
  EXPECT_EQ(user->wait(event), 1);
  cpu.core = 1;
  EXPECT_EQ(user->wait(event), -EINVAL);
}

// Units whose CAP tells that they cache what is not present.
class CachingModeTest : public DmaTest {
 public:
  CachingModeTest() { unit0.cap |= cap_caching_mode; }
};

TEST_F(CachingModeTest, AttachAndMapInvalidateToo) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  ASSERT_EQ(unit0.descriptors.size(), 2u);
  EXPECT_EQ(unit0.descriptors[0][0] & 0xff, 0x17u);
  EXPECT_EQ(unit0.descriptors[1][0] & 0xff, 0xe2u);
  ASSERT_EQ(map(iommu, id, buffer, 0x1000, page_bytes), 0);
  ASSERT_EQ(unit0.descriptors.size(), 3u);
  EXPECT_EQ(unit0.descriptors[2][1], 0x1000u);
}

class LargePageTest : public DmaTest {
 public:
  LargePageTest() {
    unit0.cap |= cap_large_pages;
    params.transparent_huge_pages = true;
    params.zero_user_pages = false;
  }
};

TEST_F(LargePageTest, HugeUserPagesBecomeLargeEntries) {
  const int id = alloc(iommu);
  ASSERT_EQ(attach(vfio0, iommu, id), 0);
  const auto memory = user->allocate(6 << 20);
  ASSERT_EQ(map(iommu, id, memory, 2 << 20, 6 << 20), 0);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{5 << 20}).page_bytes, 2u << 20);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{5 << 20}).address, host_address(memory + (3 << 20)));
  ASSERT_EQ(unmap(iommu, id, 2 << 20, 6 << 20), 0);
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{5 << 20}).fault, 0x79u);
}

class WidthTest : public SystemTest {};

TEST_F(WidthTest, LevelsFollowTheWidthsOfTheHardware) {
  unit0.cap = (cap_usual & ~cap_48_bits) | cap_39_bits | cap_57_bits;
  boot();
  const int iommu = user->open("/dev/iommu");
  const int vfio0 = user->open("/dev/vfio/devices/vfio0");
  ASSERT_EQ(bind(vfio0, iommu), 0);
  const Hva page = user->allocate(page_bytes);
  for (const auto& [width, levels] : {std::pair{39u, 3u}, {40u, 5u}, {57u, 5u}}) {
    const int id = alloc(iommu, 0, width);
    ASSERT_EQ(attach(vfio0, iommu, id), 0);
    ASSERT_EQ(map(iommu, id, page, 1ull << (width - 1), page_bytes), 0);
    EXPECT_EQ(cpu.translate(unit0, device0, Iova{1ull << (width - 1)}).levels, levels);
    ASSERT_EQ(detach(vfio0, iommu, id), 0);
  }
}

}  // namespace
}  // namespace ioasim::kernel::test
