#include "iommu/isolation.hpp"

#include <gmock/gmock.h>

#include <map>
#include <vector>

#include "base/prng.hpp"

namespace ioasim::iommu {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto nic = RequesterId::of(1, 0, 0);
constexpr auto gpu = RequesterId::of(2, 0, 0);
constexpr std::uint64_t page = 0x1000;

class IsolationTest : public testing::Test {
 protected:
  void attach(std::uint32_t domain, RequesterId id = nic) {
    checker.on(now, trace::DomainAttached{domain, id});
  }
  void detach(std::uint32_t domain, RequesterId id = nic) {
    checker.on(now, trace::DomainDetached{domain, id});
  }
  void map(std::uint32_t domain, std::uint64_t iova, std::uint64_t bytes, std::uint64_t address,
           bool write = true) {
    checker.on(now, trace::MappingAdded{domain, {Iova{iova}, bytes}, Hpa{address}, write});
  }
  void unmap(std::uint32_t domain, std::uint64_t iova, std::uint64_t bytes) {
    checker.on(now, trace::MappingRemoved{domain, {Iova{iova}, bytes}});
  }
  void complete(std::uint32_t domain) { checker.on(now, trace::InvalidationCompleted{domain}); }
  // Whether the checker allows the access.
  bool dma(std::uint64_t iova, std::uint64_t address, std::uint32_t bytes, bool write = false,
           RequesterId id = nic) {
    const auto before = checker.violations().size();
    checker.on(
        now, trace::DmaAccess{id, {}, false, Iova{iova}, Hpa{address}, bytes, write, false, true});
    EXPECT_LE(checker.violations().size(), before + 1);
    return checker.violations().size() == before;
  }

  IsolationChecker checker;
  Picoseconds now{};
};

TEST_F(IsolationTest, AMappedAccessIsAllowed) {
  attach(1);
  map(1, 0x10000, 4 * page, 0x80000);
  EXPECT_TRUE(dma(0x10000, 0x80000, 64));
  EXPECT_TRUE(dma(0x10000, 0x80000, 4 * page, true));
  EXPECT_TRUE(dma(0x13fff, 0x83fff, 1));
  EXPECT_THAT(checker.violations(), IsEmpty());
  EXPECT_EQ(checker.accesses(), 3u);
}

TEST_F(IsolationTest, AnUnmappedAccessIsNot) {
  attach(1);
  map(1, 0x10000, page, 0x80000);
  EXPECT_FALSE(dma(0xffff, 0x7ffff, 1));
  EXPECT_FALSE(dma(0x11000, 0x81000, 1));
  EXPECT_FALSE(dma(0x10ff0, 0x80ff0, 64)) << "the end hangs over";
  EXPECT_FALSE(dma(0xfff0, 0x7fff0, 64)) << "the beginning hangs over";
}

TEST_F(IsolationTest, AnAccessOverAdjacentMappingsIsAllowedIfBothLeadThere) {
  attach(1);
  map(1, 0x10000, page, 0x80000);
  map(1, 0x11000, page, 0x81000);
  map(1, 0x12000, page, 0x90000);
  EXPECT_TRUE(dma(0x10ff0, 0x80ff0, 32));
  EXPECT_FALSE(dma(0x11ff0, 0x81ff0, 32)) << "memory is not contiguous";
}

TEST_F(IsolationTest, ARequesterWithoutADomainReachesNothing) {
  map(1, 0x10000, page, 0x80000);
  EXPECT_FALSE(dma(0x10000, 0x80000, 4));
  attach(1, gpu);
  EXPECT_FALSE(dma(0x10000, 0x80000, 4));
  EXPECT_TRUE(dma(0x10000, 0x80000, 4, false, gpu));
}

TEST_F(IsolationTest, AWriteNeedsWritePermission) {
  attach(1);
  map(1, 0x10000, page, 0x80000, false);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4, false));
  EXPECT_FALSE(dma(0x10000, 0x80000, 4, true));
}

TEST_F(IsolationTest, AWriteOverAReadOnlyPieceIsRefused) {
  attach(1);
  map(1, 0x10000, page, 0x80000, true);
  map(1, 0x11000, page, 0x81000, false);
  EXPECT_FALSE(dma(0x10fff, 0x80fff, 2, true));
  EXPECT_TRUE(dma(0x10fff, 0x80fff, 2, false));
}

TEST_F(IsolationTest, TheAccessMustReachTheMappedAddress) {
  attach(1);
  map(1, 0x10000, 2 * page, 0x80000);
  EXPECT_FALSE(dma(0x10000, 0x81000, 4));
  EXPECT_FALSE(dma(0x11000, 0x80000, 4));
  EXPECT_TRUE(dma(0x11000, 0x81000, 4));
}

// Addresses in memory may lie below the I/O virtual ones.
TEST_F(IsolationTest, OffsetsMayBeNegative) {
  attach(1);
  map(1, 0xffff'f000'0000, page, 0x1000);
  EXPECT_TRUE(dma(0xffff'f000'0010, 0x1010, 4));
  EXPECT_FALSE(dma(0xffff'f000'0010, 0x1020, 4));
}

// The stale window: a removed mapping is good until software has seen the invalidation's end.
TEST_F(IsolationTest, ARemovedMappingDiesWithTheCompletedInvalidation) {
  attach(1);
  map(1, 0x10000, 2 * page, 0x80000);
  unmap(1, 0x10000, page);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4, true));
  complete(1);
  EXPECT_FALSE(dma(0x10000, 0x80000, 4));
  EXPECT_TRUE(dma(0x11000, 0x81000, 4)) << "was not removed";
}

TEST_F(IsolationTest, AnotherDomainsInvalidationDoesNotEndTheWindow) {
  attach(1);
  map(1, 0x10000, page, 0x80000);
  unmap(1, 0x10000, page);
  complete(2);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4));
}

TEST_F(IsolationTest, AnInvalidationBeforeTheRemovalDoesNotCount) {
  attach(1);
  map(1, 0x10000, page, 0x80000);
  complete(1);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4));
  unmap(1, 0x10000, page);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4));
}

TEST_F(IsolationTest, AReusedAddressMayServeOldAndNewUntilTheInvalidationEnds) {
  attach(1);
  map(1, 0x10000, page, 0x80000);
  unmap(1, 0x10000, page);
  map(1, 0x10000, page, 0x90000);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4));
  EXPECT_TRUE(dma(0x10000, 0x90000, 4));
  EXPECT_FALSE(dma(0x10000, 0xa0000, 4));
  complete(1);
  EXPECT_FALSE(dma(0x10000, 0x80000, 4));
  EXPECT_TRUE(dma(0x10000, 0x90000, 4));
}

TEST_F(IsolationTest, ARemovedMappingKeepsItsPermission) {
  attach(1);
  map(1, 0x10000, page, 0x80000, false);
  unmap(1, 0x10000, page);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4));
  EXPECT_FALSE(dma(0x10000, 0x80000, 4, true));
}

TEST_F(IsolationTest, AnAccessMaySpanALiveAndARemovedPage) {
  attach(1);
  map(1, 0x10000, 2 * page, 0x80000);
  unmap(1, 0x11000, page);
  EXPECT_TRUE(dma(0x10ff0, 0x80ff0, 32));
  complete(1);
  EXPECT_FALSE(dma(0x10ff0, 0x80ff0, 32));
}

TEST_F(IsolationTest, ADetachedRequesterIsOutAfterTheInvalidation) {
  attach(1);
  map(1, 0x10000, page, 0x80000);
  detach(1);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4));
  complete(1);
  EXPECT_FALSE(dma(0x10000, 0x80000, 4));
}

TEST_F(IsolationTest, ARequesterAttachedElsewhereUsesOldAndNewUntilTheInvalidationEnds) {
  attach(1);
  map(1, 0x10000, page, 0x80000);
  map(2, 0x10000, page, 0x90000);
  EXPECT_FALSE(dma(0x10000, 0x90000, 4));
  detach(1);
  attach(2);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4));
  EXPECT_TRUE(dma(0x10000, 0x90000, 4));
  complete(1);
  EXPECT_FALSE(dma(0x10000, 0x80000, 4));
  EXPECT_TRUE(dma(0x10000, 0x90000, 4));
}

TEST_F(IsolationTest, AttachedAgainBeforeTheInvalidationIsAttached) {
  attach(1);
  map(1, 0x10000, page, 0x80000);
  detach(1);
  attach(1);
  complete(1);
  EXPECT_TRUE(dma(0x10000, 0x80000, 4));
}

TEST_F(IsolationTest, DetachingOneRequesterLeavesAnother) {
  attach(1, nic);
  attach(1, gpu);
  map(1, 0x10000, page, 0x80000);
  detach(1, nic);
  complete(1);
  EXPECT_FALSE(dma(0x10000, 0x80000, 4, false, nic));
  EXPECT_TRUE(dma(0x10000, 0x80000, 4, false, gpu));
}

TEST_F(IsolationTest, AViolationSaysWhoWhereAndWhen) {
  now = 12'500_ps;
  attach(1);
  EXPECT_FALSE(dma(0x10040, 0x80040, 64, true));
  ASSERT_THAT(checker.violations(), SizeIs(1));
  for (const auto* part : {"0000:01:00.0", "0x10040", "0x80040", "12.5"}) {
    EXPECT_THAT(checker.violations()[0], HasSubstr(part));
  }
}

// Page by page: where each page of a domain may lead, now and until the invalidation ends.
TEST_F(IsolationTest, AgreesWithSetsOfPages) {
  struct Target {
    std::uint64_t frame;
    bool write;
    bool removed;
  };
  std::map<std::uint32_t, std::map<std::uint64_t, std::vector<Target>>> domains;
  Prng prng{1, "isolation"};
  attach(1, nic);
  attach(2, gpu);
  unsigned refused = 0;
  for (int i = 0; i < 30000; ++i) {
    const auto domain = static_cast<std::uint32_t>(prng.between(1, 2));
    auto& pages = domains[domain];
    const auto first = prng.between(0, 15);
    const auto count = prng.between(1, 4);
    const auto live = [&](std::uint64_t number) {
      for (const auto& target : pages[number]) {
        if (!target.removed) return true;
      }
      return false;
    };
    switch (prng.between(0, 5)) {
      case 0: {
        bool free = true;
        for (auto n = first; n < first + count; ++n) free = free && !live(n);
        if (!free) break;
        const auto frame = prng.between(0, 30);
        const bool write = prng.one_in(2);
        map(domain, first * page, count * page, frame * page, write);
        for (auto n = first; n < first + count; ++n) {
          pages[n].push_back({frame + n - first, write, false});
        }
        break;
      }
      case 1:
        unmap(domain, first * page, count * page);
        for (auto n = first; n < first + count; ++n) {
          for (auto& target : pages[n]) target.removed = true;
        }
        break;
      case 2:
        complete(domain);
        for (auto& [number, targets] : pages) {
          std::erase_if(targets, [](const Target& target) { return target.removed; });
        }
        break;
      default: {
        // Aim at a target of the first page, most of the time.
        const auto& targets = pages[first];
        const auto frame = targets.empty() || prng.one_in(8)
                               ? prng.between(0, 40)
                               : targets[prng.between(0, targets.size() - 1)].frame;
        const bool write = prng.one_in(2);
        const auto offset = prng.between(0, page - 1);
        const auto bytes = prng.between(1, prng.one_in(2) ? 64 : 2 * page);
        bool right = true;
        for (auto n = first; n <= first + (offset + bytes - 1) / page; ++n) {
          bool one = false;
          for (const auto& target : pages[n]) {
            one = one || (target.frame == frame + n - first && (target.write || !write));
          }
          right = right && one;
        }
        refused += right ? 0 : 1;
        ASSERT_EQ(dma(first * page + offset, frame * page + offset,
                      static_cast<std::uint32_t>(bytes), write, domain == 1 ? nic : gpu),
                  right)
            << "step " << i;
      }
    }
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(checker.accesses() - refused, 1000u);
}

}  // namespace
}  // namespace ioasim::iommu
