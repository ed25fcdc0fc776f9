// Faults: what a request meets, what the device gets, and what software finds in the records.
#include <gtest/gtest.h>

#include "support/iommu_bench.hpp"

namespace ioasim::iommu {
namespace {

using test::Request;
namespace vtd = test::vtd;

constexpr std::uint64_t iova = 0x1234'5678'9000;
constexpr std::uint64_t page = 0x77'7000;

class Faults : public test::IommuBench {
 protected:
  explicit Faults(const Params& params = simple()) : IommuBench{params} {}

  // A read and a write at `iova` fault with `reason`: the read completes as an unsupported
  // request, the write changes nothing, and each leaves its record.
  void expect_fault(unsigned reason) {
    const auto before = accesses();
    const Request& got = read(iova + 0x40);
    EXPECT_EQ(got.status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    expect_record(0, reason, true);
    clear_fault(0);
    write(iova + 0x40);
    expect_record(1, reason, false);
    EXPECT_EQ(accesses(), before);
  }
  void expect_record(unsigned index, unsigned reason, bool is_read) {
    const auto record = fault(index);
    EXPECT_TRUE(record.pending());
    EXPECT_EQ(record.reason(), reason) << std::hex << record.reason();
    EXPECT_EQ(record.source(), requester);
    EXPECT_EQ(record.low, iova);
    EXPECT_EQ(record.is_read(), is_read);
    EXPECT_EQ(record.has_pasid(), device.tlp.has_pasid);
    EXPECT_EQ(record.pasid(), device.tlp.pasid.value);
    EXPECT_NE(get(0x34, 4) & 2, 0u);             // PPF
    EXPECT_EQ(get(0x34, 4) >> 8 & 0xff, index);  // FRI
  }
  // The request fails and nothing is recorded.
  void expect_silence() {
    EXPECT_FALSE(read(iova).ok());
    EXPECT_EQ(get(0x34, 4), 0u);
    EXPECT_FALSE(fault().pending());
  }
  void with_pasid(std::uint32_t pasid) {
    device.tlp.has_pasid = true;
    device.tlp.pasid = {pasid};
  }
};

// ---- invariant 81: what is not present ----

TEST_F(Faults, RootTableIsNotOfScalableMode) {
  run([&] {
    set(0x20, tables.root());
    set(0x18, 1u << 30, 4);
    set(0x18, 1u << 31, 4);
    expect_fault(0x30);
  });
}

TEST_F(Faults, RootEntryNotPresent) {
  run([&] {
    enable(tables.root());
    expect_fault(0x39);
  });
}

TEST_F(Faults, RootEntryUnreadable) {
  run([&] {
    memory.broken = tables.root_entry() & ~15ull;
    enable(tables.root());
    expect_fault(0x38);
  });
}

TEST_F(Faults, RootEntryReserved) {
  run([&] {
    enable_default();
    memory.put(tables.root_entry(), memory.get(tables.root_entry()) | 1 << 4);
    expect_fault(0x3a);
  });
}

TEST_F(Faults, ContextEntryNotPresent) {
  run([&] {
    enable_default({}, {.present = false});
    expect_fault(0x41);
  });
}

TEST_F(Faults, ContextEntryUnreadable) {
  run([&] {
    memory.broken = tables.context_entry();
    enable_default();
    expect_fault(0x40);
  });
}

TEST_F(Faults, ContextEntryReserved) {
  run([&] {
    enable_default({}, {.stray_low = 1 << 5});
    expect_fault(0x42);
  });
}

TEST_F(Faults, ContextEntryReservedInTheSecondQword) {
  run([&] {
    enable_default({}, {.stray_high = 1 << 21});
    expect_fault(0x42);
  });
}

TEST_F(Faults, DirectoryEntryNotPresent) {
  run([&] {
    enable_default();
    memory.put(tables.directory_entry(0), 0);
    expect_fault(0x51);
  });
}

TEST_F(Faults, DirectoryEntryUnreadable) {
  run([&] {
    memory.broken = tables.directory_entry(0);
    enable_default();
    expect_fault(0x50);
  });
}

TEST_F(Faults, PasidEntryNotPresent) {
  run([&] {
    enable_default({.present = false});
    expect_fault(0x59);
  });
}

TEST_F(Faults, PasidEntryUnreadable) {
  run([&] {
    memory.broken = tables.pasid_entry(0);
    enable_default();
    expect_fault(0x58);
  });
}

TEST_F(Faults, PasidEntryReserved) {
  run([&] {
    enable_default({.stray_high = 1 << 16});
    expect_fault(0x5a);
  });
}

// ---- invariant 82 ----

TEST_F(Faults, PasidTooLargeForTheDirectory) {
  run([&] {
    enable_default();
    with_pasid(1u << 13);  // PDTS 0: 2^7 directory entries
    expect_fault(0x46);
  });
}

TEST_F(Faults, LargestPasidOfTheDirectoryIsLookedUp) {
  run([&] {
    enable_default();
    with_pasid((1u << 13) - 1);
    expect_fault(0x51);
  });
}

TEST_F(Faults, PasidWithoutPasidEnable) {
  run([&] {
    enable_default({}, {.pasid_enable = false});
    with_pasid(0);
    expect_fault(0x45);
  });
}

// ---- invariant 83 ----

TEST_F(Faults, UnknownTranslationType) {
  run([&] {
    enable_default({.pgtt = 5});
    expect_fault(0x5b);
  });
}

TEST_F(Faults, WidthThatIsNotSupported) {
  run([&] {
    enable_default({.width = 3});  // five levels on a 48-bit unit
    expect_fault(0x5b);
  });
}

TEST_F(Faults, AddressBeyondTheSecondStage) {
  run([&] {
    enable_default({.width = 1});  // 39 bits
    expect_fault(0x84);
  });
}

// ---- second stage ----

TEST_F(Faults, SecondStageRootUnreadable) {
  run([&] {
    memory.broken = tables.entry(iova, 4);
    enable_default();
    tables.map(iova, page);
    expect_fault(0x7b);
  });
}

TEST_F(Faults, SecondStageEntryUnreadable) {
  run([&] {
    memory.broken = tables.entry(iova, 2);
    enable_default();
    tables.map(iova, page);
    expect_fault(0x78);
  });
}

TEST_F(Faults, NotMapped) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    tables.unmap(iova);
    expect_fault(0x79);
  });
}

// Invariant 84.
TEST_F(Faults, WriteToAReadOnlyPage) {
  run([&] {
    enable_default();
    tables.map(iova, page, vtd::read);
    EXPECT_TRUE(read(iova + 0x40).ok());
    EXPECT_EQ(fault().pending(), false);
    memory.put(page + 0x40, 0x1111);
    write(iova + 0x40, 8);
    expect_record(0, 0x79, false);
    EXPECT_EQ(memory.get(page + 0x40), 0x1111u);
  });
}

TEST_F(Faults, ReadOfAWriteOnlyPage) {
  run([&] {
    enable_default();
    tables.map(iova, page, vtd::write);
    EXPECT_TRUE(write(iova + 0x40).ok());
    EXPECT_FALSE(read(iova + 0x40).ok());
    expect_record(0, 0x79, true);
  });
}

TEST_F(Faults, RightsAreTheAndOfAllLevels) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    memory.put(tables.entry(iova, 3), tables.table(2, iova) | vtd::read);
    EXPECT_TRUE(read(iova + 0x40).ok());
    write(iova + 0x40);
    expect_record(0, 0x79, false);
  });
}

// Invariant 10.
TEST_F(Faults, SnoopBitInANonLeafEntryIsReserved) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    memory.put(tables.entry(iova, 2), tables.table(1, iova) | vtd::read | vtd::write | vtd::snoop);
    expect_fault(0x7a);
  });
}

TEST_F(Faults, LargePageAtLevelFourIsReserved) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    memory.put(tables.entry(iova, 4), tables.table(3, iova) | vtd::read | vtd::write | vtd::large);
    expect_fault(0x7a);
  });
}

TEST_F(Faults, LargePageThatIsNotAligned) {
  run([&] {
    enable_default();
    tables.map(iova, 0x20'1000, vtd::read | vtd::write, 2);
    expect_fault(0x7a);
  });
}

TEST_F(Faults, TransientMappingIsReservedWithoutDeviceTlbs) {
  run([&] {
    enable_default();
    tables.map(iova, page, vtd::read | vtd::write | 1ull << 62);
    expect_fault(0x7a);
  });
}

// Invariant 90.
TEST_F(Faults, ResultInTheInterruptRange) {
  run([&] {
    enable_default();
    tables.map(iova, 0xfee0'1000);
    expect_fault(0x87);
  });
}

class WithoutSnoopControl : public Faults {
 protected:
  static Params params() {
    auto without = simple();
    without.snoop_control = false;
    return without;
  }
  WithoutSnoopControl() : Faults{params()} {}
};

// Invariant 8.
TEST_F(WithoutSnoopControl, SnoopBitIsReserved) {
  run([&] {
    enable_default();
    tables.map(iova, page, vtd::read | vtd::write | vtd::snoop);
    expect_fault(0x7a);
  });
}

// Invariant 9.
TEST_F(WithoutSnoopControl, PageSnoopIsReserved) {
  run([&] {
    enable_default({.page_snoop = true});
    tables.map(iova, page);
    expect_fault(0x5a);
  });
}

// ---- invariant 86: Fault Processing Disable ----

TEST_F(Faults, DisabledInThePasidEntry) {
  run([&] {
    enable_default({.fault_disable = true});
    expect_silence();
  });
}

TEST_F(Faults, DisabledInTheContextEntry) {
  run([&] {
    enable_default({}, {.fault_disable = true});
    expect_silence();
  });
}

TEST_F(Faults, DisabledInAPasidEntryThatIsNotPresent) {
  run([&] {
    enable_default({.present = false, .fault_disable = true});
    expect_silence();
  });
}

TEST_F(Faults, DisabledInAContextEntryThatIsNotPresent) {
  run([&] {
    enable_default({}, {.present = false, .fault_disable = true});
    expect_silence();
  });
}

TEST_F(Faults, DisabledInADirectoryEntryThatIsNotPresent) {
  run([&] {
    enable_default();
    memory.put(tables.directory_entry(0), 2);
    expect_silence();
  });
}

TEST_F(Faults, UnqualifiedFaultsAreReportedAllTheSame) {
  run([&] {
    memory.broken = tables.pasid_entry(0);
    enable_default({}, {.fault_disable = true});
    expect_fault(0x58);
  });
}

TEST_F(Faults, FaultTakesAsLongAsItsWalk) {
  run([&] {
    enable_default();
    const Request& got = device.read(iova, 64);
    sleep(20_us);
    EXPECT_EQ(got.done_at, lookup + 5 * step);  // the first level is empty
  });
}

}  // namespace
}  // namespace ioasim::iommu
