#include "iommu/translation_caches.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "base/prng.hpp"

namespace ioasim::iommu {
namespace {

// Large enough that nothing is displaced.
constexpr Params roomy{.iotlb = {.entries = 1024, .ways = 8},
                       .nonleaf = {.entries = 1024, .ways = 8},
                       .context_cache = {.entries = 256, .ways = 4},
                       .pasid_cache = {.entries = 256, .ways = 4}};
constexpr DomainId a{1};
constexpr DomainId b{2};

Page page(DomainId domain, std::uint64_t iova, unsigned bits = 12) {
  return {.base = Hpa{0x4'0000'0000 + iova},
          .bits = bits,
          .read = true,
          .write = true,
          .domain = domain,
          .iova = Iova{iova}};
}

NonLeaf nonleaf(DomainId domain, std::uint64_t iova, unsigned level) {
  return {.table = Hpa{0x7000 + level}, .domain = domain, .iova = Iova{iova}, .level = level};
}

struct Tables : TranslationCaches {
  Tables() : TranslationCaches{roomy} {}
  bool has(DomainId domain, std::uint64_t iova) { return page(domain, Iova{iova}) != nullptr; }
  bool has_nonleaf(DomainId domain, std::uint64_t iova) {
    return nonleaf(domain, Iova{iova}, 4) != nullptr;
  }
  // Level of the non-leaf entry found; 0 if none is.
  unsigned level(DomainId domain, std::uint64_t iova) {
    const NonLeaf* held = nonleaf(domain, Iova{iova}, 4);
    return held == nullptr ? 0 : held->level;
  }
  using TranslationCaches::nonleaf;
  using TranslationCaches::page;
};

TEST(TranslationCaches, StartEmpty) {
  Tables caches;
  EXPECT_EQ(caches.context({0}), nullptr);
  EXPECT_EQ(caches.pasid({0}, {0}), nullptr);
  EXPECT_FALSE(caches.has(DomainId{0}, 0));
  EXPECT_FALSE(caches.has_nonleaf(DomainId{0}, 0));
}

TEST(TranslationCaches, APageOfEachSizeServesAllItsAddresses) {
  for (const unsigned bits : {12u, 21u, 30u}) {
    Tables caches;
    const auto size = 1ull << bits;
    caches.insert(page(a, 3 * size, bits));
    for (const auto at : {3 * size, 3 * size + size / 2, 4 * size - 1}) {
      const Page* held = caches.page(a, Iova{at});
      ASSERT_NE(held, nullptr);
      EXPECT_EQ(held->base, Hpa{0x4'0000'0000 + 3 * size});
      EXPECT_EQ(held->bits, bits);
    }
    EXPECT_FALSE(caches.has(a, 3 * size - 1));
    EXPECT_FALSE(caches.has(a, 4 * size));
    EXPECT_FALSE(caches.has(b, 3 * size));
  }
}

TEST(TranslationCaches, EveryTranslatedAddressBitTakesPartInTheMatch) {
  for (const unsigned bits : {12u, 21u, 30u}) {
    for (unsigned bit = bits; bit < 57; ++bit) {
      Tables caches;
      caches.insert(page(a, 0x40'0000'0000, bits));
      EXPECT_FALSE(caches.has(a, 0x40'0000'0000 ^ 1ull << bit)) << bits << ", bit " << bit;
    }
  }
  for (unsigned level = 2; level <= 4; ++level) {
    for (unsigned bit = level_shift(level); bit < 57; ++bit) {
      Tables caches;
      caches.insert(nonleaf(a, 0x80'0000'0000, level));
      EXPECT_FALSE(caches.has_nonleaf(a, 0x80'0000'0000 ^ 1ull << bit)) << level << ", " << bit;
    }
  }
}

// A device may put any 64 bits into a request: one beyond the width of the second stage must not
// be served by the entry of the page whose address it has in its low bits.
TEST(TranslationCaches, AddressesBeyondTheWidestSecondStageMatchNothing) {
  for (const unsigned bits : {12u, 21u, 30u}) {
    Tables caches;
    caches.insert(page(a, 0x40'0000'0000, bits));
    for (unsigned bit = 57; bit < 64; ++bit) {
      EXPECT_FALSE(caches.has(a, 0x40'0000'0000 ^ 1ull << bit)) << bits << ", bit " << bit;
    }
  }
}

TEST(TranslationCaches, EveryBitOfDomainRequesterAndPasidTakesPartInTheMatch) {
  for (unsigned bit = 0; bit < 16; ++bit) {
    Tables caches;
    const auto other = static_cast<std::uint16_t>(1u << bit ^ 0x1234u);
    caches.insert(page({0x1234}, 0x5000));
    EXPECT_FALSE(caches.has({other}, 0x5000));
    EXPECT_FALSE(caches.has({other}, 0x5000 ^ (1ull << (12 + bit))));
    caches.insert(Context{.source = {0x1234}});
    EXPECT_EQ(caches.context({other}), nullptr);
    caches.insert({0x1234}, PasidContext{.pasid = {0x54321}});
    EXPECT_EQ(caches.pasid({other}, {0x54321}), nullptr);
    EXPECT_EQ(caches.pasid({other}, {0x54321u ^ 1u << bit}), nullptr);
  }
  for (unsigned bit = 0; bit < 20; ++bit) {
    Tables caches;
    caches.insert({0x1234}, PasidContext{.pasid = {0x54321}});
    EXPECT_EQ(caches.pasid({0x1234}, {0x54321u ^ 1u << bit}), nullptr);
    EXPECT_NE(caches.pasid({0x1234}, {0x54321}), nullptr);
  }
}

TEST(TranslationCaches, InsertReplacesTheEntryOfTheSamePage) {
  Tables caches;
  caches.insert(page(a, 0x5000));
  auto newer = page(a, 0x5000);
  newer.write = false;
  caches.insert(newer);
  const Page* held = caches.page(a, Iova{0x5000});
  ASSERT_NE(held, nullptr);
  EXPECT_FALSE(held->write);
  caches.cut_pages(a, {5, 1}, true);
  EXPECT_FALSE(caches.has(a, 0x5000));
}

TEST(TranslationCaches, NonLeafLookupFindsTheLowestLevel) {
  Tables caches;
  const std::uint64_t iova = 0x12'3456'7000;
  caches.insert(nonleaf(a, iova, 4));
  EXPECT_EQ(caches.level(a, iova), 4u);
  caches.insert(nonleaf(a, iova, 3));
  EXPECT_EQ(caches.level(a, iova), 3u);
  caches.insert(nonleaf(a, iova, 2));
  EXPECT_EQ(caches.level(a, iova), 2u);
  EXPECT_EQ(caches.level(a, iova ^ 1u << 21), 3u) << "another 2 MiB";
  EXPECT_EQ(caches.level(a, iova ^ 1u << 30), 4u) << "another 1 GiB";
  EXPECT_EQ(caches.nonleaf(a, Iova{iova ^ 1ull << 40}, 4), nullptr);
  EXPECT_EQ(caches.nonleaf(b, Iova{iova}, 4), nullptr);
}

// Contexts: everything, or one source under a mask of function bits.
TEST(TranslationCaches, ContextInvalidationScopes) {
  const auto filled = [] {
    Tables caches;
    for (unsigned function = 0; function < 8; ++function) {
      caches.insert(Context{.source = RequesterId::of(1, 2, function)});
      caches.insert(Context{.source = RequesterId::of(1, 3, function)});
    }
    return caches;
  };
  auto all = filled();
  all.cut_contexts();
  for (unsigned function = 0; function < 8; ++function) {
    EXPECT_EQ(all.context(RequesterId::of(1, 3, function)), nullptr);
  }
  // FM 0: exact; 1: ignore bit 2; 2: ignore bits 2:1; 3: ignore bits 2:0.
  for (const unsigned ignored : {0u, 4u, 6u, 7u}) {
    auto caches = filled();
    caches.cut_contexts(RequesterId::of(1, 2, 5), static_cast<std::uint16_t>(ignored));
    for (unsigned function = 0; function < 8; ++function) {
      const bool gone = (function & ~ignored) == (5 & ~ignored);
      EXPECT_EQ(caches.context(RequesterId::of(1, 2, function)) == nullptr, gone)
          << ignored << ' ' << function;
      EXPECT_NE(caches.context(RequesterId::of(1, 3, function)), nullptr);
    }
  }
}

// PASID entries: everything, one domain, one PASID of a domain, for whatever requester.
TEST(TranslationCaches, PasidInvalidationScopes) {
  struct Entry {
    RequesterId id;
    Pasid pasid;
    DomainId domain;
  };
  const std::vector<Entry> entries{{{0x100}, {1}, a},
                                   {{0x100}, {2}, a},
                                   {{0x200}, {1}, a},
                                   {{0x100}, {3}, b},
                                   {{0x200}, {2}, b}};
  const auto check = [&](auto cut, auto gone) {
    Tables caches;
    for (const auto& entry : entries) {
      caches.insert(entry.id, PasidContext{.domain = entry.domain, .pasid = entry.pasid});
    }
    cut(caches);
    for (const auto& entry : entries) {
      EXPECT_EQ(caches.pasid(entry.id, entry.pasid) == nullptr, gone(entry))
          << entry.id.value << ' ' << entry.pasid.value;
    }
  };
  check([](auto& caches) { caches.cut_pasids(); }, [](const Entry&) { return true; });
  check([](auto& caches) { caches.cut_pasids(a); }, [](const auto& e) { return e.domain == a; });
  check([](auto& caches) { caches.cut_pasids(a, Pasid{1}); },
        [](const auto& e) { return e.domain == a && e.pasid == Pasid{1}; });
  check([](auto& caches) { caches.cut_pasids(b, Pasid{1}); }, [](const Entry&) { return false; });
}

// Invariants 57 and 69.
TEST(TranslationCaches, PagesGoByDomainOrAllAtOnce) {
  Tables caches;
  for (const unsigned bits : {12u, 21u, 30u}) {
    caches.insert(page(a, 0x40'0000'0000, bits));
    caches.insert(page(b, 0x40'0000'0000, bits));
  }
  caches.insert(nonleaf(a, 0x40'0000'0000, 2));
  caches.insert(nonleaf(b, 0x40'0000'0000, 2));
  caches.cut_pages(a);
  EXPECT_FALSE(caches.has(a, 0x40'0000'0000));
  EXPECT_FALSE(caches.has_nonleaf(a, 0x40'0000'0000));
  EXPECT_TRUE(caches.has(b, 0x40'0000'0000));
  EXPECT_TRUE(caches.has_nonleaf(b, 0x40'0000'0000));
  caches.cut_pages();
  EXPECT_FALSE(caches.has(b, 0x40'0000'0000));
  EXPECT_FALSE(caches.has_nonleaf(b, 0x40'0000'0000));
}

// Invariant 54: a run of pages and no other; of that domain only.
TEST(TranslationCaches, APageSelectiveInvalidationLeavesTheOtherPages) {
  for (unsigned mask = 0; mask <= 5; ++mask) {
    Tables caches;
    for (std::uint64_t number = 0; number < 128; ++number) {
      caches.insert(page(a, number * 4096));
      caches.insert(page(b, number * 4096));
    }
    const std::uint64_t count = 1u << mask;
    caches.cut_pages(a, {64, count}, true);
    for (std::uint64_t number = 0; number < 128; ++number) {
      const bool gone = number >= 64 && number < 64 + count;
      ASSERT_EQ(caches.has(a, number * 4096), !gone) << number << " of mask " << mask;
      ASSERT_TRUE(caches.has(b, number * 4096));
    }
  }
}

// Invariant 55: any overlap cuts a large page, be the run smaller or larger than it.
TEST(TranslationCaches, APageRunCutsEveryLargePageItTouches) {
  constexpr std::uint64_t gib = 1u << 18;  // in pages
  struct Row {
    unsigned bits;
    std::uint64_t page;  // number of the entry's first page
    PageRun run;
    bool gone;
  };
  const Row table[]{{21, 512, {512, 512}, true},      {21, 512, {512, 1}, true},
                    {21, 512, {1023, 1}, true},       {21, 512, {1024, 1}, false},
                    {21, 512, {0, 512}, false},       {21, 512, {0, 1024}, true},
                    {21, 512, {0, 1ull << 40}, true}, {30, gib, {gib + 77, 1}, true},
                    {30, gib, {2 * gib, 1}, false},   {30, gib, {gib - 1, 1}, false},
                    {12, 512, {0, 1024}, true},       {12, 512, {512, 1}, true}};
  for (const auto& row : table) {
    Tables caches;
    caches.insert(page(a, row.page * 4096, row.bits));
    caches.cut_pages(a, row.run, true);
    EXPECT_EQ(!caches.has(a, row.page * 4096), row.gone)
        << row.bits << ' ' << row.run.first << '+' << row.run.count;
  }
}

// Invariant 64: IH keeps the non-leaf entries; without it those on the way to the run go too.
TEST(TranslationCaches, TheHintKeepsNonLeafEntries) {
  const std::uint64_t iova = 0x12'3456'7000;
  const auto filled = [&] {
    Tables caches;
    caches.insert(page(a, iova));
    for (unsigned level = 2; level <= 4; ++level) {
      caches.insert(nonleaf(a, iova, level));
      caches.insert(nonleaf(a, iova + (1ull << level_shift(level)), level));  // beside it
      caches.insert(nonleaf(b, iova, level));
    }
    return caches;
  };
  auto hinted = filled();
  hinted.cut_pages(a, {iova >> 12, 1}, true);
  EXPECT_FALSE(hinted.has(a, iova));
  EXPECT_EQ(hinted.level(a, iova), 2u);
  auto whole = filled();
  whole.cut_pages(a, {iova >> 12, 1}, false);
  EXPECT_FALSE(whole.has(a, iova));
  EXPECT_FALSE(whole.has_nonleaf(a, iova));
  EXPECT_EQ(whole.level(b, iova), 2u);
  for (unsigned level = 2; level <= 4; ++level) {
    EXPECT_NE(whole.nonleaf(a, Iova{iova + (1ull << level_shift(level))}, 4), nullptr) << level;
  }
}

// Invariant 60: each cache is cut by its own invalidation only.
TEST(TranslationCaches, AnInvalidationOfOneCacheLeavesTheOthers) {
  const RequesterId id{0x100};
  const auto filled = [&] {
    Tables caches;
    caches.insert(Context{.source = id});
    caches.insert(id, PasidContext{.domain = a, .pasid = {1}});
    caches.insert(page(a, 0x5000));
    return caches;
  };
  auto contexts = filled();
  contexts.cut_contexts();
  EXPECT_NE(contexts.pasid(id, {1}), nullptr);
  EXPECT_TRUE(contexts.has(a, 0x5000));
  auto pasids = filled();
  pasids.cut_pasids();
  EXPECT_NE(pasids.context(id), nullptr);
  EXPECT_TRUE(pasids.has(a, 0x5000));
  auto pages = filled();
  pages.cut_pages();
  EXPECT_NE(pages.context(id), nullptr);
  EXPECT_NE(pages.pasid(id, {1}), nullptr);
}

TEST(TranslationCaches, LargePagesAreFoundAgainAfterEveryKindOfCut) {
  Tables caches;
  caches.insert(page(a, 1ull << 30, 30));
  caches.cut_pages();
  EXPECT_FALSE(caches.has(a, 1ull << 30));
  caches.insert(page(a, 1ull << 30, 30));
  caches.insert(page(a, 1ull << 21, 21));
  caches.cut_pages(a, {1u << 9, 1}, true);
  EXPECT_FALSE(caches.has(a, 1ull << 21));
  EXPECT_TRUE(caches.has(a, (1ull << 30) + 0x12345));
  caches.cut_pages(b);
  EXPECT_TRUE(caches.has(a, 1ull << 30));
}

// A stack algorithm: a larger fully associative LRU array never misses more on the same trace.
TEST(TranslationCaches, ALargerFullyAssociativeIotlbNeverMissesMore) {
  std::uint64_t previous = ~0ull;
  for (const unsigned entries : {1u, 2u, 4u, 8u, 16u, 32u}) {
    const Params params{.iotlb = {.entries = entries, .ways = entries}};
    TranslationCaches caches{params};
    Prng prng{1, "iotlb"};
    std::uint64_t misses = 0;
    for (int i = 0; i < 20000; ++i) {
      const auto iova = prng.between(0, prng.one_in(3) ? 63 : 9) * 4096;
      if (caches.page(a, Iova{iova}) != nullptr) continue;
      ++misses;
      caches.insert(page(a, iova));
    }
    EXPECT_LT(misses, previous) << entries;
    previous = misses;
  }
}

// h = C x P / W for uniform accesses to a window of W bytes.
TEST(TranslationCaches, HitRateOfARandomWindowIsTheClosedForm) {
  const Params params{.iotlb = {.entries = 128, .ways = 8}};
  TranslationCaches caches{params};
  Prng prng{1, "window"};
  constexpr std::uint64_t window_pages = 512;
  unsigned hits = 0;
  constexpr int accesses = 100'000;
  for (int i = 0; i < accesses; ++i) {
    const auto iova = prng.between(0, window_pages - 1) * 4096;
    if (caches.page(a, Iova{iova}) != nullptr) {
      ++hits;
    } else {
      caches.insert(page(a, iova));
    }
  }
  EXPECT_NEAR(hits, accesses * 128.0 / window_pages, accesses * 0.01);
}

}  // namespace
}  // namespace ioasim::iommu
