// Invariants 1 to 26 (hardware.md 7.1): how a device's access meets the caches, decided by No Snoop
// (NS), translation, root port and device; each with data, through a whole machine.
//
// What the model leaves out is shown to be refused, so that nobody takes it for working:
//    3, 4  first stage, nesting: such PASID entries fault
//    5     legacy mode: such a root table faults; scalable pass-through is shown in its place
//    8     legacy reason 0xc: as above; scalable 0x7a is shown
//   20     IOAT, DSA: shown with our engine, whose descriptor has both bits
//   21     MSI-X: shown with MSI
//   22     ATS: neither unit nor device has it, and its structures are refused
// 23, 24 and the kernel's half of 26 are in tests/unit/kernel/invariants_test.cpp.
#include "block/invariants/coherent_program.hpp"
#include "block/invariants/dma_machine.hpp"
#include "support/engine_bench.hpp"

namespace ioasim::test {
namespace {

// ---- 1 to 7: who decides ----

TEST_F(Invariants, I01_NoSnoopReadOfASnpPageReturnsTheDirtyData) {
  run([&] {
    start(rw | vtd::snoop);
    make_dirty();
    EXPECT_EQ(dma_read(true), v());
    ASSERT_EQ(of_line(false).size(), 1u);
    EXPECT_TRUE(of_line(false)[0].no_snoop);
    EXPECT_EQ(memory(), m());  // the snapshot left the line dirty
  });
}

TEST_F(Invariants, I02_WithoutSnpANoSnoopReadReturnsMemoryAndASnoopedReadTheDirtyData) {
  run([&] {
    start();
    make_dirty();
    EXPECT_EQ(dma_read(true), m());
    EXPECT_EQ(dma_read(false), v());
    EXPECT_EQ(dma_read(true), m());
  });
}

TEST_F(Invariants, I03_PageSnoopDecidesForASecondStageAsItWouldForAFirst) {
  run([&] {
    start(rw, {.page_snoop = true});
    make_dirty();
    EXPECT_EQ(dma_read(true), v());
    host.tables.put_pasid({.page_snoop = false});
    host.invalidate();
    EXPECT_EQ(dma_read(true), m());
  });
}

TEST_F(Invariants, I03_FirstStageIsRefused) {
  run([&] {
    start(rw, {.pgtt = 1, .page_snoop = true});
    EXPECT_FALSE(extended_capability(47));  // FSTS
    expect_fault(0x5b);
  });
}

TEST_F(Invariants, I04_NestingIsRefused) {
  run([&] {
    start(rw | vtd::snoop, {.pgtt = 3, .page_snoop = true});
    EXPECT_FALSE(extended_capability(26));  // NEST
    expect_fault(0x5b);
  });
}

TEST_F(Invariants, I05_PassThroughWithoutPageSnoopReturnsMemory) {
  run([&] {
    start(rw | vtd::snoop, {.pgtt = 4});
    EXPECT_TRUE(extended_capability(7));  // SC
    make_dirty();
    EXPECT_EQ(dma_read(true), m());  // no leaf is looked at
    EXPECT_EQ(dma_read(false), v());
  });
}

TEST_F(Invariants, I05_LegacyModeIsRefused) {
  run([&] {
    start();
    host.set_unit(0x20, host.tables.root());  // TTM 00
    host.set_unit(0x18, 1u << 31 | 1u << 30 | 1u << 26, 4);
    host.invalidate();
    expect_fault(0x30);
  });
}

TEST_F(Invariants, I06_WithoutTranslationNoSnoopAloneDecides) {
  run([&] {
    host.enable_engine();
    make_dirty();
    EXPECT_EQ(dma_read(true), m());
    EXPECT_EQ(dma_read(false), v());
  });
}

TEST_F(InvariantsOfADeafPort, I07_NoSnoopReadReturnsTheDirtyDataEvenWithoutSnp) {
  run([&] {
    start();
    make_dirty();
    EXPECT_EQ(dma_read(true), v());
    EXPECT_EQ(host.machine.device("dma0").function_stats().no_snoop.n, 1u);  // it did ask
    dma_write(true, d());
    EXPECT_EQ(load(), d());
  });
}

// ---- 8 to 10: reserved bits ----

TEST_F(InvariantsWithoutSnoopControl, I08_SnpInALeafIsReserved) {
  run([&] {
    start(rw | vtd::snoop);
    EXPECT_FALSE(extended_capability(7));
    make_dirty();
    for (const bool no_snoop : {true, false}) {
      expect_fault(0x7a, no_snoop);
      dma_write(no_snoop, d());  // posted: it is dropped in silence
      EXPECT_EQ(fault(), 0x7au);
      EXPECT_TRUE(of_line(true).empty());
    }
    EXPECT_EQ(load(), v());
    EXPECT_EQ(memory(), m());
  });
}

TEST_F(InvariantsWithoutSnoopControl, I09_PageSnoopInAPasidEntryIsReserved) {
  run([&] {
    start(rw, {.page_snoop = true});
    expect_fault(0x5a);
  });
}

TEST_F(Invariants, I10_SnpInANonLeafEntryIsReserved) {
  run([&] {
    start(rw | vtd::snoop);
    make_dirty();
    EXPECT_EQ(dma_read(true), v());
    for (unsigned level = 4; level >= 2; --level) {
      const Hpa entry{host.tables.entry(page, level)};
      const auto good = core(0).load<std::uint64_t>(entry);
      core(0).store<std::uint64_t>(entry, good | vtd::snoop);
      host.invalidate();
      expect_fault(0x7a);
      core(0).store<std::uint64_t>(entry, good);
      host.invalidate();
      EXPECT_EQ(dma_read(true), v());
    }
  });
}

// ---- 11 to 18: writes; changes to what is cached ----

TEST_F(InvariantsOfSmallCaches, I11_NoSnoopWriteLeavesTheCleanCopyStaleUntilItGoes) {
  run([&] {
    start();
    for (const auto& go : ways_out()) {
      make_clean();
      dma_write(true, d());
      EXPECT_EQ(memory(), d());
      EXPECT_EQ(load(), m());
      go();
      EXPECT_EQ(load(), d());
    }
  });
}

TEST_F(InvariantsOfSmallCaches, I12_NoSnoopWriteIsLostWhenTheDirtyLineIsWrittenBack) {
  run([&] {
    start();
    for (const auto& go : ways_out()) {
      make_dirty();
      dma_write(true, d());
      EXPECT_EQ(memory(), d());
      go();
      EXPECT_EQ(memory(), v());
      EXPECT_EQ(load(), v());
    }
  });
}

TEST_F(Invariants, I13_NoSnoopPartialWriteIsLostWhenTheDirtyLineIsWrittenBack) {
  run([&] {
    start();
    make_dirty();
    dma_write(true, d(), 20, 4);
    EXPECT_EQ(memory(), merged(m(), d(), 20, 4));  // no other byte came with it
    EXPECT_EQ(load(), v());
    core(0).clflush(line);
    EXPECT_EQ(memory(), v());
  });
}

TEST_F(Invariants, I14_NoSnoopWriteOfAnAbsentLineIsSeenWithoutAFlush) {
  run([&] {
    start();
    make_absent();
    dma_write(true, d());
    EXPECT_EQ(load(), d());
    make_absent();
    dma_write(true, d(), 20, 4);
    EXPECT_EQ(load(), merged(m(), d(), 20, 4));
  });
}

TEST_F(Invariants, I15_SnoopedPartialWriteMergesWithTheDirtyData) {
  run([&] {
    start();
    make_dirty();
    dma_write(false, d(), 20, 4);
    EXPECT_EQ(load(), merged(v(), d(), 20, 4));
    core(0).clflush(line);
    EXPECT_EQ(memory(), merged(v(), d(), 20, 4));
  });
}

TEST_F(Invariants, I16_SnoopedFullWriteReachesEveryReader) {
  run([&] {
    start();
    make_clean();
    EXPECT_EQ(load(1), m());
    dma_write(false, d());
    EXPECT_EQ(load(0), d());
    EXPECT_EQ(load(1), d());
    make_dirty(1);
    dma_write(false, d());
    EXPECT_EQ(load(0), d());
    EXPECT_EQ(load(1), d());
    core(0).clflush(line);
    EXPECT_EQ(memory(), d());
  });
}

TEST_F(Invariants, I17_SnpOfACachedLeafCountsFromTheInvalidationOfItsPage) {
  run([&] {
    start();
    make_dirty();
    EXPECT_EQ(dma_read(true), m());
    host.tables.map(page, page, rw | vtd::snoop);
    EXPECT_EQ(dma_read(true), m());
    host.invalidate(vtd::iotlb_page(1, page + 0x1000));  // another page
    EXPECT_EQ(dma_read(true), m());
    host.invalidate(vtd::iotlb_domain(2));  // another domain
    EXPECT_EQ(dma_read(true), m());
    host.invalidate(vtd::iotlb_page(1, page));
    EXPECT_EQ(dma_read(true), v());
  });
}

// PGTT 2: the reference has second-stage entries removed by domain, not by PASID.
TEST_F(Invariants, I18_PageSnoopOfALiveEntryCountsFromTheLastInvalidation) {
  run([&] {
    start();
    make_dirty();
    EXPECT_EQ(dma_read(true), m());
    host.tables.put_pasid({.page_snoop = true});
    EXPECT_EQ(dma_read(true), m());
    host.invalidate(vtd::pasid_cache_one(1, 0));
    EXPECT_EQ(dma_read(true), m());  // by the IOTLB's entry
    host.invalidate(vtd::iotlb_domain(1));
    EXPECT_EQ(dma_read(true), v());
  });
}

TEST_F(Invariants, I18_PassThroughNeedsPasidCacheAndPasidIotlb) {
  run([&] {
    start(rw, {.pgtt = 4});
    make_dirty();
    EXPECT_EQ(dma_read(true), m());
    host.tables.put_pasid({.pgtt = 4, .page_snoop = true});
    EXPECT_EQ(dma_read(true), m());
    host.invalidate(vtd::pasid_iotlb(1, 0));
    EXPECT_EQ(dma_read(true), m());  // by the PASID cache's entry
    host.invalidate(vtd::pasid_cache_one(1, 0));
    host.invalidate(vtd::pasid_iotlb(1, 0));
    EXPECT_EQ(dma_read(true), v());
  });
}

// ---- 19 to 26: what a device sends ----

TEST_F(Invariants, I19_WithoutEnableNoSnoopNoRequestCarriesIt) {
  run([&] {
    start();
    make_dirty();
    const auto control = capability(0x10) + 8;
    const auto value = get_config(control, 2);
    EXPECT_NE(value & 1u << 11, 0u);  // the bit's reset value
    set_config(control, value & ~(1ull << 11), 2);
    EXPECT_EQ(dma_read(true), v());
    dma_write(true, d());
    EXPECT_EQ(load(), d());
    EXPECT_EQ(host.machine.device("dma0").function_stats().no_snoop.n, 0u);
    set_config(control, value, 2);
    make_dirty();
    EXPECT_EQ(dma_read(true), m());
  });
}

TEST_F(Invariants, I20_TheDescriptorsBitsMarkTheirOwnRequestsAndNoDescriptorFetch) {
  run([&] {
    start();
    for (const std::uint32_t flags : {0u, 1u, 2u, 3u}) {
      make_dirty();
      EXPECT_EQ(copy(page + offset, mailbox, 64, flags), done);
      unsigned fetches = 0;
      for (const auto& [at, access] : accesses.entries) {
        if (access.iova.value / page_bytes == Machine::descriptors / page_bytes) {
          EXPECT_FALSE(access.no_snoop);  // and so it saw what core 0 had only just stored
          ++fetches;
        } else {
          EXPECT_EQ(access.no_snoop, (flags & (access.write ? 2 : 1)) != 0);
        }
      }
      EXPECT_EQ(fetches, 1u);
      EXPECT_EQ(accesses.entries.size(), 3u);
    }
  });
}

// The message goes to the core although a mapping of its address leads, snooped, to memory.
TEST_F(Invariants, I21_MessageCarriesNoNoSnoopAndDoesNotSeeSnp) {
  run([&] {
    start();
    make_dirty();
    host.tables.map(0xfee0'0000, page, rw | vtd::snoop);
    enable_message(0x41);
    EXPECT_EQ(copy(mailbox, mailbox + 64, 64, 3 | Descriptor::interrupt), done);
    EXPECT_TRUE(core(0).wait_for_interrupt(0x41, 10_us));
    const auto& sent = host.machine.device("dma0").function_stats();
    EXPECT_EQ(sent.no_snoop.n, 2u);  // one read, one write
    EXPECT_EQ(accesses.entries.size(), 3u);
    EXPECT_EQ(fault(), 0u);
  });
}

TEST_F(EngineBench, I21_MessageCarriesNeitherNoSnoopNorRelaxedOrdering) {
  run([&] {
    set_control_bit(11, true);
    set_control_bit(4, true);
    enable_message(0xfee0'0000, 0x41);
    copy({.source = source,
          .target = target,
          .bytes = 64,
          .flags = 3 | devices::DmaDescriptor::interrupt});
    ASSERT_EQ(upstream.seen.size(), 4u);
    EXPECT_TRUE(upstream.seen[2].tlp.no_snoop);  // the write before it
    EXPECT_EQ(upstream.seen[3].address, 0xfee0'0000u);
    EXPECT_FALSE(upstream.seen[3].tlp.no_snoop);
    EXPECT_FALSE(upstream.seen[3].tlp.relaxed_ordering);
  });
}

TEST_F(Invariants, I22_AddressTranslationServicesAreRefused) {
  run([&] {
    start();
    EXPECT_FALSE(extended_capability(2));          // DT
    EXPECT_EQ(get_config(0x100, 4), 0u);           // no extended capability, so no ATS
    host.tables.map(page, page, rw | 1ull << 62);  // TM, for devices with a TLB
    host.invalidate(vtd::iotlb_domain(1));
    expect_fault(0x7a);
    host.submit(
        {{3 | std::uint64_t{host.machine.device_id("dma0").value} << 32, 0}});  // device-TLB
    core(0).execute(10_us);
    EXPECT_NE(host.unit(0x34, 4) & 1u << 4, 0u);  // IQE
    EXPECT_EQ(host.unit(0xb0) & 0xf, 3u);         // bad type
  });
}

// Devices that may ask for NS and are not heard: nothing that cores and devices do shows a
// difference from one flat memory. Without enforcement the same programs show many.
TEST(InvariantsOfPrograms, I25_EnforcedSnoopingIsCoherentWhateverRequestsAsk) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    EXPECT_EQ(CoherentProgram::forked(seed, true), "") << "seed " << seed;
    EXPECT_NE(CoherentProgram::forked(seed, false), "") << "seed " << seed << " shows nothing";
  }
}

// What IOMMU_CACHE could be put into, were there a bit: all that hardware ignores, and PWSNP.
TEST_F(Invariants, I26_NoBitBesideSnpChangesANoSnoopRequest) {
  const auto ignored = 7ull << 8 | 0x3ffull << 52 | 1ull << 63;
  run([&] {
    start(rw | ignored);
    make_dirty();
    EXPECT_EQ(dma_read(true), m());
    host.tables.map(page, page, rw | ignored | vtd::snoop);
    host.invalidate();
    EXPECT_EQ(dma_read(true), v());
    host.tables.map(page, page, rw);
    host.tables.put_pasid({.walk_snoop = false});
    core(0).wbinvd();  // the tables, for a walk that looks at no cache
    host.invalidate();
    make_dirty();
    EXPECT_EQ(dma_read(true), m());
  });
}

}  // namespace
}  // namespace ioasim::test
