// What the translation caches keep, and what each invalidation removes.
#include <gtest/gtest.h>

#include "support/iommu_bench.hpp"

namespace ioasim::iommu {
namespace {

namespace vtd = test::vtd;

constexpr std::uint64_t iova = 0x4000'0000;
constexpr std::uint64_t old_page = 0x70'0000;
constexpr std::uint64_t new_page = 0x90'0000;
constexpr auto rw = vtd::read | vtd::write;

class Caching : public test::IommuBench {
 protected:
  std::uint64_t where(std::uint64_t address) {
    EXPECT_TRUE(read(address).ok());
    return target();
  }
  std::size_t steps_of(std::uint64_t address) {
    const auto before = walk_reads();
    read(address);
    return walk_reads() - before;
  }
  // `iova` is cached as leading to old_page, and leads to new_page in memory.
  void start_stale() {
    enable_default();
    tables.map(iova, old_page);
    EXPECT_EQ(where(iova), old_page);
    tables.map(iova, new_page);
    EXPECT_EQ(where(iova), old_page);
  }
};

// Invariant 53.
TEST_F(Caching, PageSelectiveInvalidationServesTheNewPage) {
  run([&] {
    start_stale();
    invalidate({vtd::iotlb_page(1, iova)});
    EXPECT_EQ(where(iova), new_page);
  });
}

TEST_F(Caching, DomainSelectiveInvalidationServesTheNewPage) {
  run([&] {
    start_stale();
    invalidate({vtd::iotlb_domain(1)});
    EXPECT_EQ(where(iova), new_page);
  });
}

TEST_F(Caching, GlobalInvalidationServesTheNewPage) {
  run([&] {
    start_stale();
    invalidate({vtd::iotlb_global()});
    EXPECT_EQ(where(iova), new_page);
  });
}

// Invariant 54.
TEST_F(Caching, PageSelectiveLeavesOtherPages) {
  run([&] {
    start_stale();
    tables.map(iova + 0x1000, old_page);
    where(iova + 0x1000);
    tables.map(iova + 0x1000, new_page);
    invalidate({vtd::iotlb_page(1, iova)});
    EXPECT_EQ(where(iova + 0x1000), old_page);
  });
}

TEST_F(Caching, AddressMaskWidensTheRangeAndIgnoresLowBits) {
  run([&] {
    enable_default();
    for (unsigned n = 0; n < 6; ++n) {
      tables.map(iova + n * 0x1000, old_page);
      where(iova + n * 0x1000);
      tables.map(iova + n * 0x1000, new_page);
    }
    invalidate({vtd::iotlb_page(1, iova + 0x1000, 2)});  // pages 0 to 3
    for (unsigned n = 0; n < 6; ++n) {
      EXPECT_EQ(where(iova + n * 0x1000), n < 4 ? new_page : old_page) << n;
    }
  });
}

// Invariant 55.
TEST_F(Caching, MaskOfALargePageFlushesIt) {
  run([&] {
    enable_default();
    tables.map(iova, 0x20'0000, rw, 2);
    where(iova);
    tables.map(iova, 0x60'0000, rw, 2);
    EXPECT_EQ(where(iova), 0x20'0000u);
    invalidate({vtd::iotlb_page(1, iova, 9)});
    EXPECT_EQ(where(iova), 0x60'0000u);
  });
}

// Invariant 57.
TEST_F(Caching, DomainSelectiveLeavesOtherDomains) {
  run([&] {
    enable_default();
    tables.put_pasid({.domain = 9}, 3);
    tables.map(iova, old_page);
    where(iova);
    device.tlp.has_pasid = true;
    device.tlp.pasid = {3};
    where(iova);
    tables.map(iova, new_page);
    invalidate({vtd::iotlb_domain(9)});
    EXPECT_EQ(where(iova), new_page);
    device.tlp.has_pasid = false;
    EXPECT_EQ(where(iova), old_page);
    invalidate({vtd::iotlb_page(9, iova)});
    EXPECT_EQ(where(iova), old_page);
  });
}

// Invariant 59: second-stage translations have a domain and no PASID.
TEST_F(Caching, PasidIotlbLeavesSecondStageTranslations) {
  run([&] {
    start_stale();
    invalidate({vtd::pasid_iotlb(1, 0)});
    EXPECT_EQ(where(iova), old_page);
  });
}

// Invariant 60.
TEST_F(Caching, PasidCacheInvalidationLeavesTheIotlb) {
  run([&] {
    start_stale();
    invalidate({vtd::pasid_cache_global()});
    EXPECT_EQ(where(iova), old_page);
  });
}

// Invariant 61.
TEST_F(Caching, StalePasidEntryRefillsTheIotlbFromTheOldTables) {
  run([&] {
    enable_default();
    tables.map(iova, old_page);
    where(iova);
    // A new second stage at another place.
    vtd::Tables other{[&](std::uint64_t a, std::uint64_t v) { memory.put(a, v); }, requester,
                      0x30'0000};
    other.map(iova, new_page);
    tables.put_pasid({.table = other.table(4)});
    invalidate({vtd::iotlb_global()});
    EXPECT_EQ(where(iova), old_page);
    invalidate({vtd::pasid_cache_one(1, 0), vtd::iotlb_domain(1)});
    EXPECT_EQ(where(iova), new_page);
  });
}

TEST_F(Caching, PasidCacheGranularities) {
  run([&] {
    enable_default();
    tables.put_pasid({.domain = 2}, 3);
    tables.map(iova, old_page);
    const auto steps_with_pasid = [&](std::uint32_t pasid) {
      device.tlp.has_pasid = true;
      device.tlp.pasid = {pasid};
      return steps_of(iova);
    };
    steps_with_pasid(0);
    steps_with_pasid(3);
    invalidate({vtd::pasid_cache_one(1, 3)});  // PASID 3 is of domain 2
    EXPECT_EQ(steps_with_pasid(0), 0u);
    EXPECT_EQ(steps_with_pasid(3), 0u);
    invalidate({vtd::pasid_cache_domain(2)});
    EXPECT_EQ(steps_with_pasid(0), 0u);
    EXPECT_EQ(steps_with_pasid(3), 2u);  // directory and table entry
    invalidate({vtd::pasid_cache_global()});
    EXPECT_EQ(steps_with_pasid(0), 2u);
    EXPECT_EQ(steps_with_pasid(3), 2u);
  });
}

TEST_F(Caching, ContextCacheGranularities) {
  run([&] {
    enable_default();
    tables.map(iova, old_page);
    read(iova);
    invalidate({vtd::context_cache_device(requester + 1)});
    EXPECT_EQ(steps_of(iova), 0u);
    invalidate({vtd::context_cache_device(requester + 1, 3)});  // any function of the device
    EXPECT_EQ(steps_of(iova), 2u);                              // root and context entry
    invalidate({vtd::context_cache_device(requester)});
    EXPECT_EQ(steps_of(iova), 2u);
    invalidate({vtd::context_cache_global()});
    EXPECT_EQ(steps_of(iova), 2u);
  });
}

// Invariant 64.
TEST_F(Caching, HintKeepsNonLeafEntries) {
  run([&] {
    enable_default();
    tables.map(iova, old_page);
    read(iova);
    invalidate({vtd::iotlb_page(1, iova, 0, true)});
    EXPECT_EQ(steps_of(iova), 1u);
    invalidate({vtd::iotlb_page(1, iova, 0, false)});
    EXPECT_EQ(steps_of(iova), 4u);
  });
}

// Invariant 65.
TEST_F(Caching, NotPresentIsNotCached) {
  run([&] {
    enable_default();
    EXPECT_FALSE(read(iova).ok());
    tables.map(iova, old_page);
    EXPECT_EQ(where(iova), old_page);
  });
}

TEST_F(Caching, MissingContextIsNotCached) {
  run([&] {
    enable(tables.root());
    EXPECT_FALSE(read(iova).ok());
    tables.build();
    tables.map(iova, old_page);
    EXPECT_EQ(where(iova), old_page);
  });
}

// Invariant 69.
TEST_F(Caching, GlobalIotlbInvalidationDropsEveryDomain) {
  run([&] {
    enable_default();
    tables.put_pasid({.domain = 9}, 3);
    tables.map(iova, old_page);
    read(iova);
    device.tlp.has_pasid = true;
    device.tlp.pasid = {3};
    read(iova);
    invalidate({vtd::iotlb_global()});
    EXPECT_EQ(steps_of(iova), 4u);
    device.tlp.has_pasid = false;
    EXPECT_EQ(steps_of(iova), 4u);
  });
}

// Invariant 70, without ESRTPS.
TEST_F(Caching, NewRootTableNeedsInvalidations) {
  run([&] {
    enable_default();
    tables.map(iova, old_page);
    read(iova);
    set(0x20, 0x50'0000 | 1 << 10);
    set(0x18, 1u << 31 | 1u << 30 | 1u << 26, 4);
    EXPECT_EQ(where(iova), old_page);
    invalidate({vtd::context_cache_global(), vtd::pasid_cache_global(), vtd::iotlb_global()});
    EXPECT_FALSE(read(iova).ok());
    EXPECT_EQ(fault().reason(), 0x39u);
  });
}

// Invalidations through registers, before the queue is on; and invariant 67.
TEST_F(Caching, RegisterInvalidation) {
  run([&] {
    start_stale();
    set(0x18, 1u << 31, 4);  // queue off
    const auto iotlb = (get(0x10) >> 8 & 0x3ff) * 16 + 8;
    // It is not done before what is in flight.
    memory.latency = 3_us;
    device.read(iova, 64);
    sleep(lookup);
    memory.latency = memory_latency;
    set(iotlb, 1ull << 63 | 1ull << 60);
    sleep(3_us - 1_ps);
    EXPECT_NE(get(iotlb) >> 63, 0u);
    sleep(1_ns);
    EXPECT_EQ(get(iotlb) >> 63, 0u);
    EXPECT_EQ(get(iotlb) >> 57 & 3, 1u);  // IAIG: global
    EXPECT_EQ(where(iova), new_page);
    set(0x28, 1ull << 63 | 1ull << 61);
    sleep(1_us);
    EXPECT_EQ(get(0x28) >> 63, 0u);
    EXPECT_EQ(get(0x28) >> 59 & 3, 1u);
    EXPECT_EQ(steps_of(iova), 2u);
  });
}

TEST_F(Caching, RegisterInvalidationWithTheQueueOnIsIgnored) {
  run([&] {
    start_stale();
    const auto iotlb = (get(0x10) >> 8 & 0x3ff) * 16 + 8;
    set(iotlb, 1ull << 63 | 1ull << 60);
    sleep(1_us);
    EXPECT_EQ(get(iotlb) >> 63, 0u);
    EXPECT_EQ(where(iova), old_page);
  });
}

// What an older walk read is not entered behind the invalidation's back.
TEST_F(Caching, WalkUnderWayAtTheInvalidationIsUsedOnceAndNotCached) {
  run([&] {
    enable_default();
    tables.map(iova, old_page);
    const auto& during = device.read(iova, 64);
    // The walk has its last entry from memory 60 ns before its end; the cut comes 30 ns before.
    const auto end = lookup + cold_steps * step;
    sleep_until(end - 30_ns - fetch);
    submit({vtd::iotlb_global()});
    sleep_until(end - 50_ns);
    tables.map(iova, new_page);
    sleep(20_us);
    EXPECT_EQ(during.done_at, end + memory_latency);
    EXPECT_EQ(memory.seen_by(0).at(0).address, old_page);
    EXPECT_EQ(where(iova), new_page);
  });
}

}  // namespace
}  // namespace ioasim::iommu
