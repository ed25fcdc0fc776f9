// The fault recording registers: one record a source, overflow, and the event.
#include <gtest/gtest.h>

#include "support/iommu_bench.hpp"

namespace ioasim::iommu {
namespace {

constexpr std::uint64_t iova = 0x1234'5678'9000;

class FaultRecords : public test::IommuBench {};

// Invariant 87.
TEST_F(FaultRecords, SecondFaultOfOneSourceIsCollapsed) {
  run([&] {
    enable_default();
    read(iova);
    read(iova + 0x5000);
    EXPECT_EQ(fault(0).low, iova);
    EXPECT_FALSE(fault(1).pending());
    device.tlp.requester = {0x0300};
    read(iova);
    EXPECT_TRUE(fault(1).pending());
    EXPECT_EQ(fault(1).source(), 0x0300u);
    EXPECT_EQ(get(0x34, 4) >> 8 & 0xff, 0u);
  });
}

// Invariant 88.
TEST_F(FaultRecords, OverflowWhenTheNextRecordIsBusy) {
  run([&] {
    enable(tables.root());
    for (std::uint16_t n = 0; n < 5; ++n) {
      device.tlp.requester = {static_cast<std::uint16_t>(0x400 + n)};
      read(iova);
    }
    EXPECT_EQ(get(0x34, 4) & 3, 3u);  // PFO and PPF
    for (unsigned n = 0; n < 4; ++n) EXPECT_EQ(fault(n).source(), 0x400 + n);
    clear_fault(0);
    device.tlp.requester = {0x500};
    read(iova);
    EXPECT_FALSE(fault(0).pending());  // nothing is recorded while PFO is set
    set(0x34, 1, 4);
    read(iova);
    EXPECT_TRUE(fault(0).pending());
    EXPECT_EQ(fault(0).source(), 0x500u);
    EXPECT_EQ(get(0x34, 4) & 1, 0u);
  });
  EXPECT_EQ(unit.stats().faults_lost.n, 2u);
}

// Invariant 89, and the event of a fault.
TEST_F(FaultRecords, EventIsHeldWhileMaskedAndSentOnceWhenNot) {
  run([&] {
    enable(tables.root());
    set(0x3c, 0x41, 4);
    set(0x40, 0xfee0'1000, 4);
    EXPECT_EQ(get(0x38, 4), 1u << 31);
    read(iova);
    EXPECT_EQ(get(0x38, 4), 3u << 30);
    EXPECT_TRUE(interrupts.seen.empty());
    set(0x38, 0, 4);
    sleep(1_us);
    ASSERT_EQ(interrupts.seen.size(), 1u);
    EXPECT_EQ(interrupts.seen[0].address, 0xfee0'1000u);
    EXPECT_EQ(test::value_of(interrupts.seen[0].data), 0x41u);
    EXPECT_EQ(get(0x38, 4), 0u);
    // Another fault while one is pending: no event. After all are cleared: one.
    device.tlp.requester = {0x300};
    read(iova);
    EXPECT_EQ(interrupts.seen.size(), 1u);
    clear_fault(0);
    clear_fault(1);
    read(iova);
    EXPECT_EQ(interrupts.seen.size(), 2u);
  });
}

}  // namespace
}  // namespace ioasim::iommu
