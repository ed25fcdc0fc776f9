// Physical frames, and the memory of a process.
#include <gtest/gtest.h>

#include <set>

#include "unit/kernel/system.hpp"

namespace ioasim::kernel::test {
namespace {

TEST(Frames, StayAboveTheFirstMegabyteAndAreDistinct) {
  FakeMachine cpu;
  Frames frames{{{Hpa{0}, 0x10'4000}}};
  std::set<Hpa> taken;
  while (const auto frame = frames.allocate(cpu, Frames::Content::any)) taken.insert(*frame);
  EXPECT_EQ(taken.size(), 4u);
  EXPECT_EQ(*taken.begin(), Hpa{0x10'0000});
}

TEST(Frames, RunsAreAlignedToTheirSizeAndLoseNothing) {
  FakeMachine cpu;
  Frames frames{{{Hpa{0x10'0000}, 8 * page_bytes}}};
  EXPECT_EQ(*frames.allocate(cpu, Frames::Content::any), Hpa{0x10'0000});
  EXPECT_EQ(*frames.allocate(cpu, Frames::Content::any, 2), Hpa{0x10'4000});
  EXPECT_EQ(*frames.allocate(cpu, Frames::Content::any), Hpa{0x10'1000});
  EXPECT_EQ(*frames.allocate(cpu, Frames::Content::any), Hpa{0x10'2000});
  EXPECT_EQ(*frames.allocate(cpu, Frames::Content::any), Hpa{0x10'3000});
  EXPECT_FALSE(frames.allocate(cpu, Frames::Content::any));
  EXPECT_EQ(frames.in_use(), 8u);
}

TEST(Frames, AreClearedByCachedStoresWhenAskedFor) {
  FakeMachine cpu;
  Frames frames{{{Hpa{0x10'0000}, page_bytes}}};
  const Hpa frame = *frames.allocate(cpu, Frames::Content::zero_if_used);
  EXPECT_TRUE(cpu.dirty.empty());
  cpu.store<std::uint64_t>(frame, 7);
  frames.free(frame);
  EXPECT_EQ(*frames.allocate(cpu, Frames::Content::zero_if_used), frame);
  EXPECT_EQ(cpu.load<std::uint64_t>(frame), 0u);
  EXPECT_EQ(cpu.dirty.size(), 64u);
}

class ProcessMemoryTest : public SystemTest {
 public:
  void SetUp() override { boot(); }
};

TEST_F(ProcessMemoryTest, ComesInAtTheFirstTouchAndKeepsItsContents) {
  const Hva area = user->allocate(3 * page_bytes);
  const std::array<std::byte, 16> pattern{std::byte{1}, std::byte{2}, std::byte{3}};
  ASSERT_EQ(user->store(area + (page_bytes - 8), pattern), 0);
  std::array<std::byte, 16> back;
  ASSERT_EQ(user->load(area + (page_bytes - 8), back), 0);
  EXPECT_EQ(back, pattern);
  EXPECT_EQ(user->load<std::uint64_t>(area + 2 * page_bytes), 0u);
}

TEST_F(ProcessMemoryTest, AccessOutsideIsAFault) {
  const Hva area = user->allocate(page_bytes);
  std::array<std::byte, 16> bytes{};
  EXPECT_EQ(user->load(area + (page_bytes - 8), bytes), -EFAULT);
  EXPECT_EQ(user->store(Hva{0}, bytes), -EFAULT);
  EXPECT_EQ(user->clflush(area - 1), -EFAULT);
}

TEST_F(ProcessMemoryTest, ClflushReachesTheLineOfTheHostAddress) {
  const Hva area = user->allocate(page_bytes);
  user->store<std::uint64_t>(area + 0x88, 42);
  cpu.flushed.clear();
  ASSERT_EQ(user->clflush(area + 0x88), 0);
  EXPECT_EQ(cpu.flushed, std::vector<Hpa>{host_address(area + 0x80)});
  EXPECT_EQ(cpu.memory.word(host_address(area + 0x88)), 42u);
}

TEST_F(ProcessMemoryTest, ProcessesDoNotShareMemory) {
  Thread other{kernel->spawn(), cpu};
  const Hva mine = user->allocate(page_bytes);
  const Hva theirs = other.allocate(page_bytes);
  user->store<std::uint64_t>(mine, 1);
  other.store<std::uint64_t>(theirs, 2);
  EXPECT_EQ(user->load<std::uint64_t>(mine), 1u);
}

TEST_F(ProcessMemoryTest, SystemCallsTakeTheirTime) {
  const int iommu = user->open("/dev/iommu");
  const auto begin = cpu.now();
  user->ioctl_value(iommu, uapi::IOMMU_CHECK_EXTENSION, 1);
  EXPECT_EQ(cpu.now() - begin, params.syscall_entry + params.syscall_exit);
}

}  // namespace
}  // namespace ioasim::kernel::test
