// Whether a No Snoop request is snooped all the same: every row of the decision.
#include <gtest/gtest.h>

#include "support/iommu_bench.hpp"

namespace ioasim::iommu {
namespace {

namespace vtd = test::vtd;

constexpr std::uint64_t iova = 0x5000;
constexpr std::uint64_t page = 0x77'7000;
constexpr auto rw = vtd::read | vtd::write;

class SnoopDecision : public test::IommuBench {
 protected:
  explicit SnoopDecision(const Params& params = simple()) : IommuBench{params} {}

  bool snooped(bool no_snoop, bool as_write = false) {
    device.tlp.no_snoop = no_snoop;
    as_write ? write(iova) : read(iova);
    return last_snooped();
  }
  // A request without the attribute is always snooped.
  void expect_no_snoop_is_snooped(bool expected) {
    EXPECT_TRUE(snooped(false));
    EXPECT_TRUE(snooped(false, true));
    EXPECT_EQ(snooped(true), expected);
    EXPECT_EQ(snooped(true, true), expected);
  }
};

// Invariant 6.
TEST_F(SnoopDecision, TranslationOff) {
  run([&] { expect_no_snoop_is_snooped(false); });
}

// Invariant 2.
TEST_F(SnoopDecision, LeafWithoutSnoopBit) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    expect_no_snoop_is_snooped(false);
  });
}

// Invariant 1.
TEST_F(SnoopDecision, LeafWithSnoopBit) {
  run([&] {
    enable_default();
    tables.map(iova, page, rw | vtd::snoop);
    expect_no_snoop_is_snooped(true);
    EXPECT_EQ(unit.stats().snoops_forced.n, 2u);
  });
}

TEST_F(SnoopDecision, LargePageWithSnoopBit) {
  run([&] {
    enable_default();
    tables.map(iova, 0, rw | vtd::snoop, 2);
    expect_no_snoop_is_snooped(true);
  });
}

TEST_F(SnoopDecision, PasidEntryWithPageSnoop) {
  run([&] {
    enable_default({.page_snoop = true});
    tables.map(iova, page);
    expect_no_snoop_is_snooped(true);
  });
}

// Invariant 5 in scalable mode: nothing but PGSNP can force it.
TEST_F(SnoopDecision, PassThrough) {
  run([&] {
    enable_default({.pgtt = 4});
    expect_no_snoop_is_snooped(false);
  });
}

TEST_F(SnoopDecision, PassThroughWithPageSnoop) {
  run([&] {
    enable_default({.pgtt = 4, .page_snoop = true});
    expect_no_snoop_is_snooped(true);
  });
}

// Invariant 17.
TEST_F(SnoopDecision, SetInALeafThatIsCachedItWaitsForTheInvalidation) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    EXPECT_FALSE(snooped(true));
    tables.map(iova, page, rw | vtd::snoop);
    EXPECT_FALSE(snooped(true));
    invalidate({vtd::iotlb_page(1, iova + 0x1000)});  // another page
    EXPECT_FALSE(snooped(true));
    invalidate({vtd::iotlb_page(1, iova)});
    EXPECT_TRUE(snooped(true));
  });
}

// Invariant 18.
TEST_F(SnoopDecision, PageSnoopOfALivePasidEntryNeedsBothInvalidations) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    EXPECT_FALSE(snooped(true));
    tables.put_pasid({.page_snoop = true});
    EXPECT_FALSE(snooped(true));
    invalidate({vtd::pasid_cache_one(1, 0)});
    EXPECT_FALSE(snooped(true));  // the IOTLB still has the old answer
    invalidate({vtd::iotlb_domain(1)});
    EXPECT_TRUE(snooped(true));
  });
}

class NoSnoopControl : public SnoopDecision {
 protected:
  static Params params() {
    auto without = simple();
    without.snoop_control = false;
    return without;
  }
  NoSnoopControl() : SnoopDecision{params()} {}
};

TEST_F(NoSnoopControl, NothingForcesIt) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    expect_no_snoop_is_snooped(false);
    EXPECT_EQ(get(0x10) >> 7 & 1, 0u);  // ECAP.SC
  });
}

}  // namespace
}  // namespace ioasim::iommu
