#include "iommu/fault_log.hpp"

#include <gmock/gmock.h>

#include <deque>

#include "base/prng.hpp"

namespace ioasim::iommu {
namespace {

using enum FaultLog::Outcome;

Fault fault(unsigned source, std::uint64_t page = 1) {
  return {.source = {static_cast<std::uint16_t>(source)},
          .address = Iova{page << 12},
          .reason = FaultReason::second_stage_permission};
}

void clear(FaultLog& log, std::uint64_t index) { log.write(index * 16 + 8, 1ull << 63); }

bool in_use(const FaultLog& log, std::uint64_t index) {
  return log.read(index * 16 + 8) >> 63 != 0;
}

// Bits by number: 63:12 page; 79:64 source; 95 PASID present; 103:96 reason; 123:104 PASID;
// 126 read; 127 fault.
TEST(FaultLog, ARecordHasItsFieldsWhereTheSpecificationPutsThem) {
  FaultLog log{1};
  log.record({.source = RequesterId::of(0x3b, 2, 1),
              .has_pasid = true,
              .pasid = {0xabcde},
              .address = Iova{0x123'4567'89ab'cdef},
              .write = false,
              .reason = FaultReason::pasid_entry_invalid});
  EXPECT_EQ(log.read(0), 0x123'4567'89ab'c000u);
  const auto word = log.read(8);
  EXPECT_EQ(word & 0xffff, 0x3b11u);
  EXPECT_EQ(word >> 31 & 1, 1u);
  EXPECT_EQ(word >> 32 & 0xff, 0x5bu);
  EXPECT_EQ(word >> 40 & 0xfffff, 0xabcdeu);
  EXPECT_EQ(word >> 60 & 3, 0u) << "AT: untranslated";
  EXPECT_EQ(word >> 62 & 1, 1u) << "T: read";
  EXPECT_EQ(word >> 63, 1u);
  EXPECT_EQ(word >> 16 & 0x7fff, 0u) << "reserved, EXE, PRIV, T2";
}

TEST(FaultLog, AWriteWithoutPasidHasNeitherBit) {
  FaultLog log{1};
  auto written = fault(7);
  written.write = true;
  log.record(written);
  EXPECT_EQ(log.read(8), 1ull << 63 | 0x79ull << 32 | 7);
}

TEST(FaultLog, NothingIsPendingAtFirst) {
  const FaultLog log{8};
  EXPECT_FALSE(log.pending());
  EXPECT_FALSE(log.overflowed());
  EXPECT_EQ(log.bytes(), 128u);
  for (std::uint64_t offset = 0; offset < log.bytes(); offset += 8) EXPECT_EQ(log.read(offset), 0u);
}

// Invariant 87.
TEST(FaultLog, ASecondFaultOfASourceCollapsesAndAnotherSourceTakesTheNextRecord) {
  FaultLog log{4};
  EXPECT_EQ(log.record(fault(1, 10)), recorded);
  EXPECT_EQ(log.record(fault(1, 11)), collapsed);
  EXPECT_EQ(log.read(0), 10u << 12) << "the first stays";
  EXPECT_EQ(log.record(fault(2, 20)), recorded);
  EXPECT_EQ(log.record(fault(1, 12)), collapsed);
  EXPECT_EQ(log.record(fault(2, 21)), collapsed);
  EXPECT_EQ(log.read(16), 20u << 12);
  EXPECT_FALSE(in_use(log, 2));
  clear(log, 0);
  EXPECT_EQ(log.record(fault(1, 13)), recorded);
  EXPECT_EQ(log.read(32), 13u << 12);
}

// Invariant 88.
TEST(FaultLog, ABusyNextRecordOverflowsAndNothingIsLoggedUntilOverflowIsCleared) {
  FaultLog log{2};
  EXPECT_EQ(log.record(fault(1, 10)), recorded);
  EXPECT_EQ(log.record(fault(2, 20)), recorded);
  EXPECT_EQ(log.record(fault(3, 30)), overflow);
  EXPECT_TRUE(log.overflowed());
  EXPECT_EQ(log.record(fault(4, 40)), lost);
  EXPECT_EQ(log.read(0), 10u << 12);
  EXPECT_EQ(log.read(16), 20u << 12);
  clear(log, 0);
  clear(log, 1);
  EXPECT_EQ(log.record(fault(5, 50)), lost) << "overflow still set";
  EXPECT_FALSE(log.pending());
  log.clear_overflow();
  EXPECT_FALSE(log.overflowed());
  EXPECT_EQ(log.record(fault(6, 60)), recorded);
  EXPECT_EQ(log.read(0), 60u << 12);
}

// The next record counts, not any free one.
TEST(FaultLog, AFreeRecordBehindABusyOneIsNotTaken) {
  FaultLog log{3};
  for (unsigned source = 1; source <= 3; ++source) log.record(fault(source));
  clear(log, 1);
  EXPECT_EQ(log.record(fault(4)), overflow);
  EXPECT_FALSE(in_use(log, 1));
}

TEST(FaultLog, WritingOneClearsFaultAndNothingElseIsWritable) {
  FaultLog log{2};
  log.record(fault(1, 10));
  const auto word = log.read(8);
  log.write(8, ~(1ull << 63));
  log.write(0, ~0ull);
  EXPECT_EQ(log.read(8), word);
  EXPECT_EQ(log.read(0), 10u << 12);
  clear(log, 1);
  EXPECT_TRUE(log.pending());
  clear(log, 0);
  EXPECT_FALSE(log.pending());
  EXPECT_FALSE(in_use(log, 0));
}

// Software starts at this index and goes on until it meets a record without F: the index must be
// that of the oldest pending record, also where the ring has wrapped.
TEST(FaultLog, TheIndexIsThatOfTheOldestPendingRecord) {
  FaultLog log{4};
  for (unsigned source = 1; source <= 4; ++source) log.record(fault(source));
  EXPECT_EQ(log.first_pending(), 0u);
  clear(log, 0);
  EXPECT_EQ(log.first_pending(), 1u);
  EXPECT_EQ(log.record(fault(5)), recorded);  // into record 0
  EXPECT_EQ(log.first_pending(), 1u);
  clear(log, 1);
  clear(log, 2);
  EXPECT_EQ(log.first_pending(), 3u);
  clear(log, 3);
  EXPECT_EQ(log.first_pending(), 0u);
}

// A driver that reads as Linux does loses nothing: every fault is seen, collapsed, or overflowed.
TEST(FaultLog, ARingReaderSeesEveryRecordedFaultInOrder) {
  for (const unsigned records : {1u, 2u, 3u, 8u}) {
    FaultLog log{records};
    Prng prng{records, "fault_log"};
    std::deque<std::uint64_t> pages;
    for (std::uint64_t i = 1; i < 3000; ++i) {
      if (log.record(fault(static_cast<unsigned>(prng.between(1, 12)), i)) == recorded) {
        pages.push_back(i);
      }
      ASSERT_EQ(log.pending(), !pages.empty());
      if (!prng.one_in(6)) continue;
      auto index = log.first_pending();
      for (auto limit = prng.between(1, records); limit > 0 && in_use(log, index); --limit) {
        ASSERT_EQ(log.read(index * 16) >> 12, pages.front());
        pages.pop_front();
        clear(log, index);
        index = (index + 1) % records;
      }
      log.clear_overflow();
    }
  }
}

}  // namespace
}  // namespace ioasim::iommu
