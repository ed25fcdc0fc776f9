// Submission to the invalidation queue, and what hardware may answer.
#include "kernel/vtd/queue.hpp"

#include <gtest/gtest.h>

#include "unit/kernel/fake_machine.hpp"

namespace ioasim::kernel::vtd {
namespace {

constexpr Queue::Phases phases{"test.submit", "test.seen"};

class QueueTest : public testing::Test {
 public:
  QueueTest() {
    params.hardware_timeout = 100_us;
    EXPECT_EQ(queue.prepare(cpu), 0);
  }

  int submit(const Descriptor& descriptor) { return queue.submit(cpu, {&descriptor, 1}, phases); }

  test::FakeMachine cpu;
  test::FakeUnit& unit = cpu.add_unit({}, test::cap_usual, test::ecap_usual);
  Params params;
  Frames frames{cpu.firmware.memory};
  trace::Bus trace;
  std::vector<std::string> log;
  Runtime runtime{params, frames, trace, log};
  Queue queue{runtime, Registers{unit.base}};
};

TEST_F(QueueTest, HasWideDescriptorsAndTheOrderOfItsPages) {
  EXPECT_EQ(unit.queue & 0xfff, 0x801u);
  EXPECT_EQ(unit.queue >> 12 & 1, 0u) << "aligned to its two pages";
  EXPECT_EQ(unit.tail, 0u);
}

TEST_F(QueueTest, TailIsBehindTheWaitDescriptor) {
  EXPECT_EQ(submit(descriptor::context_global()), 0);
  EXPECT_EQ(unit.tail, 64u);
  ASSERT_EQ(unit.descriptors.size(), 1u);
  EXPECT_EQ(unit.descriptors[0], descriptor::context_global());
}

TEST_F(QueueTest, WrapsAroundManyTimes) {
  for (unsigned i = 0; i < 1000; ++i) {
    const auto descriptor =
        descriptor::pasid_cache(DomainId{static_cast<std::uint16_t>(i)}, Pasid{i});
    ASSERT_EQ(submit(descriptor), 0);
    ASSERT_EQ(unit.descriptors.back(), descriptor);
  }
}

TEST_F(QueueTest, SpinsUntilTheStatusIsWritten) {
  unit.stalled = true;
  unsigned looks = 0;
  cpu.on_execute = [&] {
    if (++looks == 50) {
      unit.stalled = false;
      cpu.run_queue(unit);
    }
  };
  EXPECT_EQ(submit(descriptor::context_global()), 0);
  EXPECT_EQ(looks, 50u);
}

TEST_F(QueueTest, ADescriptorThatIsRefusedIsReportedAndTheQueueGoesOn) {
  unit.refuses = [](const auto& words) { return (words[0] & 0xf) == 7; };
  EXPECT_EQ(submit(descriptor::pasid_cache_global()), -EINVAL);
  EXPECT_EQ(unit.faults, 0u);
  ASSERT_FALSE(log.empty());
  EXPECT_NE(log.back().find("Invalidation Queue Error: qw0 = 0x37"), std::string::npos);
  EXPECT_EQ(submit(descriptor::context_global()), 0);
  EXPECT_EQ(unit.head, unit.tail);
}

TEST_F(QueueTest, OnlyTheRefusedOneOfSeveralIsLost) {
  unit.refuses = [](const auto& words) { return (words[0] & 0xf) == 7; };
  const Descriptor several[] = {descriptor::context_global(), descriptor::pasid_cache_global(),
                                descriptor::iotlb_global({})};
  EXPECT_EQ(queue.submit(cpu, several, phases), -EINVAL);
  ASSERT_EQ(unit.descriptors.size(), 2u);
  EXPECT_EQ(unit.descriptors[1], descriptor::iotlb_global({}));
}

// VT-d 6.5.2.10: waits that were fetched never complete after a timeout.
TEST_F(QueueTest, AfterATimeoutOfADeviceItSubmitsAgain) {
  unit.stalled = true;
  unsigned looks = 0;
  cpu.on_execute = [&] {
    if (++looks != 10) return;
    unit.head = unit.tail;
    unit.faults |= 1u << 6;
    unit.stalled = false;
  };
  EXPECT_EQ(submit(descriptor::context_global()), 0);
  EXPECT_EQ(unit.faults, 0u);
  EXPECT_EQ(unit.tail, 128u) << "the second submission";
}

TEST_F(QueueTest, ACompletionErrorIsClearedAndNothingElse) {
  unit.stalled = true;
  unit.faults = 1u << 5;
  unsigned looks = 0;
  cpu.on_execute = [&] {
    if (++looks == 3) {
      unit.stalled = false;
      cpu.run_queue(unit);
    }
  };
  EXPECT_EQ(submit(descriptor::context_global()), 0);
  EXPECT_EQ(unit.faults, 0u);
}

TEST_F(QueueTest, AQueueThatHangsIsGivenUp) {
  unit.stalled = true;
  const auto begin = cpu.now();
  EXPECT_EQ(submit(descriptor::context_global()), -ETIMEDOUT);
  EXPECT_GE(cpu.now() - begin, 100_us);
  EXPECT_LT(cpu.now() - begin, 102_us);
  EXPECT_EQ(submit(descriptor::context_global()), -EIO);
}

}  // namespace
}  // namespace ioasim::kernel::vtd
