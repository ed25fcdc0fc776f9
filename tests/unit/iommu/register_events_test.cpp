// Fault status, and the events of faults and completed waits: the part of the register file that
// interrupts software.
#include <gmock/gmock.h>

#include "iommu/register_file.hpp"

namespace ioasim::iommu {
namespace {

constexpr std::uint64_t bit(unsigned number) { return 1ull << number; }
constexpr std::uint64_t fault_records = reg::fault_records;

class RegisterEventsTest : public testing::Test {
 protected:
  std::uint64_t read32(std::uint64_t offset) const { return registers.read(offset, 4); }
  std::uint64_t read64(std::uint64_t offset) const { return registers.read(offset, 8); }
  Actions write32(std::uint64_t offset, std::uint64_t value) {
    return registers.write(offset, 4, value);
  }
  Actions write64(std::uint64_t offset, std::uint64_t value) {
    return registers.write(offset, 8, value);
  }
  bool fault(unsigned source) {
    FaultLog::Outcome outcome{};
    return registers.report({.source = {static_cast<std::uint16_t>(source)},
                             .address = Iova{0x5000},
                             .reason = FaultReason::second_stage_permission},
                            outcome);
  }
  void clear_record(unsigned index) { write32(fault_records + 16 * index + 12, bit(31)); }

  RegisterFile registers{Params{}};
};

TEST_F(RegisterEventsTest, FaultsAppearInStatusAndRecord) {
  EXPECT_EQ(read32(0x34), 0u);
  fault(0x101);
  EXPECT_EQ(read32(0x34), bit(1));
  EXPECT_EQ(read64(fault_records), 0x5000u);
  EXPECT_EQ(read64(fault_records + 8) & 0xffff, 0x101u);
  EXPECT_EQ(read32(fault_records + 12) >> 31, 1u);
  fault(0x102);
  clear_record(0);
  EXPECT_EQ(read32(0x34), bit(1) | 1u << 8) << "FRI: record 1";
  clear_record(1);
  EXPECT_EQ(read32(0x34) & 3, 0u);
}

TEST_F(RegisterEventsTest, ThePendingBitGoesWithTheRecordsOnly) {
  fault(1);
  write32(0x34, 0xffff'ffff);
  EXPECT_EQ(read32(0x34), bit(1));
  write64(fault_records + 8, bit(63));
  EXPECT_EQ(read32(0x34), 0u);
}

// Invariant 88.
TEST_F(RegisterEventsTest, OverflowIsClearedByWritingOne) {
  for (unsigned source = 1; source <= 9; ++source) fault(source);
  EXPECT_EQ(read32(0x34) & 3, 3u);
  for (unsigned index = 0; index < 8; ++index) clear_record(index);
  EXPECT_EQ(read32(0x34) & 3, 1u);
  write32(0x34, 0);
  EXPECT_EQ(read32(0x34) & 3, 1u);
  fault(10);
  EXPECT_EQ(read32(0x34) & 3, 1u) << "not recorded";
  write32(0x34, bit(0));
  EXPECT_EQ(read32(0x34) & 3, 0u);
  fault(11);
  EXPECT_EQ(read32(0x34) & 3, 2u);
}

// The event is raised when a status newly sets and none was set before.
TEST_F(RegisterEventsTest, AnUnmaskedFaultSendsOneEventUntilAllStatusIsCleared) {
  write32(0x38, 0);
  EXPECT_TRUE(fault(1));
  EXPECT_FALSE(fault(2));
  EXPECT_FALSE(registers.report(reg::QueueError::fetch));
  clear_record(0);
  EXPECT_FALSE(fault(3));
  clear_record(1);
  clear_record(2);
  EXPECT_FALSE(fault(4)) << "the queue error is still there";
  clear_record(3);
  write32(0x34, bit(4));
  EXPECT_TRUE(fault(5));
  EXPECT_EQ(read32(0x38), 0u) << "nothing pending: it was sent";
}

// Invariant 89.
TEST_F(RegisterEventsTest, AMaskedFaultIsHeldAndSentOnceWhenTheMaskClears) {
  EXPECT_FALSE(fault(1));
  EXPECT_EQ(read32(0x38), bit(31) | bit(30));
  EXPECT_FALSE(fault(2));
  EXPECT_FALSE(write32(0x38, bit(31)).send_fault_event);
  EXPECT_TRUE(write32(0x38, 0).send_fault_event);
  EXPECT_EQ(read32(0x38), 0u);
  EXPECT_FALSE(write32(0x38, bit(31)).send_fault_event);
  EXPECT_FALSE(write32(0x38, 0).send_fault_event);
}

TEST_F(RegisterEventsTest, AHeldEventIsDroppedWhenAllStatusIsCleared) {
  fault(1);
  registers.report(reg::QueueError::fetch);
  clear_record(0);
  EXPECT_EQ(read32(0x38), bit(31) | bit(30));
  write32(0x34, bit(4));
  EXPECT_EQ(read32(0x38), bit(31));
  EXPECT_FALSE(write32(0x38, 0).send_fault_event);
}

TEST_F(RegisterEventsTest, AHeldEventIsDroppedWhenTheLastRecordIsCleared) {
  fault(1);
  clear_record(0);
  EXPECT_EQ(read32(0x38), bit(31));
  EXPECT_FALSE(write32(0x38, 0).send_fault_event);
}

TEST_F(RegisterEventsTest, PendingBitsOfControlRegistersAreReadOnly) {
  for (const std::uint64_t offset : {0x38u, 0xa0u}) {
    const auto actions = write32(offset, bit(30));
    EXPECT_FALSE(actions.send_fault_event || actions.send_completion_event);
    EXPECT_EQ(read32(offset), 0u);
    write32(offset, 0xffff'ffff);
    EXPECT_EQ(read32(offset), bit(31));
  }
}

// Invariant 73.
TEST_F(RegisterEventsTest, ACompletedWaitSendsOneEventUntilItsStatusIsCleared) {
  write32(0xa0, 0);
  EXPECT_TRUE(registers.report_wait_completed());
  EXPECT_EQ(read32(0x9c), 1u);
  EXPECT_FALSE(registers.report_wait_completed());
  write32(0x9c, 0);
  EXPECT_EQ(read32(0x9c), 1u);
  write32(0x9c, 1);
  EXPECT_EQ(read32(0x9c), 0u);
  EXPECT_TRUE(registers.report_wait_completed());
}

TEST_F(RegisterEventsTest, AMaskedCompletionIsHeldAndSentOnceWhenTheMaskClears) {
  EXPECT_FALSE(registers.report_wait_completed());
  EXPECT_EQ(read32(0xa0), bit(31) | bit(30));
  EXPECT_EQ(read32(0x38), bit(31)) << "not the fault event";
  const auto actions = write32(0xa0, 0);
  EXPECT_TRUE(actions.send_completion_event);
  EXPECT_FALSE(actions.send_fault_event);
  EXPECT_FALSE(write32(0xa0, 0).send_completion_event);
}

TEST_F(RegisterEventsTest, AHeldCompletionIsDroppedWhenItsStatusIsCleared) {
  registers.report_wait_completed();
  write32(0x9c, 1);
  EXPECT_EQ(read32(0xa0), bit(31));
  EXPECT_FALSE(write32(0xa0, 0).send_completion_event);
}

TEST_F(RegisterEventsTest, MessagesAreWhatSoftwareProgrammed) {
  struct Row {
    std::uint64_t data, low, high;
    Message (RegisterFile::*message)() const;
  };
  const Row table[]{{0x3c, 0x40, 0x44, &RegisterFile::fault_message},
                    {0xa4, 0xa8, 0xac, &RegisterFile::completion_message}};
  for (const auto& row : table) {
    write32(row.data, 0x4021);
    write32(row.low, 0xfee0'1000);
    write32(row.high, 0x5);
    EXPECT_EQ(read32(row.data), 0x4021u);
    EXPECT_EQ(read32(row.low), 0xfee0'1000u);
    EXPECT_EQ(read32(row.high), 0x5u);
    const auto message = (registers.*row.message)();
    EXPECT_EQ(message.address, 0x5'fee0'1000u);
    EXPECT_EQ(message.data, 0x4021u);
  }
}

}  // namespace
}  // namespace ioasim::iommu
