// What loads and stores do to caches and memory, by memory type (hardware.md 3.5; SDM vol. 3, 12.3,
// 12.5, 12.12).
#include "cpu/memory_types.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

using cache::State;
using enum MemoryType;

constexpr Hpa x{0x1'0000};
constexpr Hpa y{0x1'0040};

cpu::Params without_self_snoop() {
  auto params = test::CorePair::small_core();
  params.self_snoop = false;
  return params;
}

class MemoryTypeTest : public test::CorePairBench {
 protected:
  explicit MemoryTypeTest(const cpu::Params& cores = test::CorePair::small_core())
      : CorePairBench{cores} {}

  // Runs it with all PAT types at hand.
  template <class Body>
  void run_with_pat(Body body) {
    run([=, this] {
      set_pat(core0);
      set_pat(core1);
      body();
    });
  }
  // The line is modified in the core's caches.
  void dirty(Core& core, Hpa line, std::uint64_t value) {
    core.store(line, value);
    core.mfence();
  }
  // What the type must be, from what a load and a store do.
  MemoryType observed(Hpa at, PatIndex pat) {
    core0.load<std::uint64_t>(at, pat);
    const bool allocated = state(0, at) != State::invalid;
    core0.store<std::uint64_t>(at, 1, pat);
    const bool written = memory(at) == 1;
    if (allocated && !written) return write_back;
    if (allocated) return state(0, at) == State::invalid ? write_protected : write_through;
    if (written) return uncached;
    core0.sfence();
    return memory(at) == 1 && !cached(at) ? write_combining : write_back;
  }
};

// ---- the effective type ----

TEST_F(MemoryTypeTest, EveryPairOfMtrrAndPatTypeActsAsItsEffectiveType) {
  struct Row {
    MemoryType mtrr;
    MemoryType expected[6];  // by PAT: UC UC- WC WT WP WB, hardware.md 3.5
  };
  constexpr auto UC = uncached, WC = write_combining, WT = write_through, WP = write_protected,
                 WB = write_back;
  constexpr Row rows[] = {{UC, {UC, UC, WC, UC, UC, UC}},
                          {WC, {UC, WC, WC, UC, UC, WC}},
                          {WT, {UC, UC, WC, WT, WP, WT}},
                          {WP, {UC, WC, WC, WT, WP, WP}},
                          {WB, {UC, UC, WC, WT, WP, WB}}};
  constexpr PatIndex columns[] = {uc, uc_minus, wc, wt, wp, wb};
  run_with_pat([=, this] {
    Hpa page = x;
    unsigned range = 0;
    for (const auto& row : rows) {
      set_range(core0, range++, page, 0x1000, row.mtrr);
      for (unsigned column = 0; column < 6; ++column) {
        const Hpa at = page + column * 0x100;
        EXPECT_EQ(to_text(observed(at, columns[column])), to_text(row.expected[column]))
            << "MTRR " << to_text(row.mtrr) << ", PAT column " << column;
      }
      page += 0x1000;
    }
  });
}

TEST_F(MemoryTypeTest, MtrrsThatAreOffMakeEverythingUncached) {
  run_with_pat([this] {
    core0.wrmsr(msr::mtrr_def_type, static_cast<std::uint64_t>(write_back));
    EXPECT_EQ(to_text(observed(x, wb)), "UC");
    core0.wrmsr(msr::mtrr_def_type,
                Mtrrs::DefaultType::enable::mask | static_cast<std::uint64_t>(write_through));
    EXPECT_EQ(to_text(observed(y, wb)), "WT");
  });
}

TEST_F(MemoryTypeTest, TypesAreEachCoresOwn) {
  run_with_pat([this] {
    set_range(core0, 0, x, 0x1000, uncached);
    core0.load<std::uint64_t>(x);
    EXPECT_EQ(state(0, x), State::invalid);
    core1.load<std::uint64_t>(x);
    EXPECT_EQ(state(1, x), State::exclusive);
  });
}

TEST_F(MemoryTypeTest, EachPageOfAnAccessHasItsOwnType) {
  run_with_pat([this] {
    set_range(core0, 0, x + 0x1000, 0x1000, uncached);
    const auto data = test::pattern(256, 3);
    core0.store(x + 0x1000 - 128, data);
    EXPECT_EQ(pair.system.in_memory(x.value + 0x1000, 128),
              test::Data(data.begin() + 128, data.end()));
    EXPECT_EQ(pair.system.in_memory(x.value + 0x1000 - 128, 128), test::filled(128, 0));
    test::Data got(256);
    core0.load(x + 0x1000 - 128, got);
    EXPECT_EQ(got, data);
    EXPECT_TRUE(cached(x + 0x1000 - 64));
    EXPECT_FALSE(cached(x + 0x1000));
  });
}

// ---- write-through ----

TEST_F(MemoryTypeTest, WriteThroughStoreUpdatesTheCopyAndMemory) {
  run_with_pat([this] {
    core0.load<std::uint64_t>(x, wt);
    core0.store<std::uint64_t>(x + 8, 5, wt);
    EXPECT_EQ(memory(x + 8), 5u);
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.load<std::uint64_t>(x + 8, wt), 5u); }), l1);
    EXPECT_NE(state(0, x), State::modified);
    EXPECT_EQ(snooped(x + 8), 5u);
  });
}

TEST_F(MemoryTypeTest, WriteThroughStoreAllocatesNothing) {
  run_with_pat([this] {
    core0.store<std::uint64_t>(x, 5, wt);
    EXPECT_EQ(memory(x), 5u);
    EXPECT_FALSE(cached(x));
    EXPECT_FALSE(in_shared_level(x));
  });
}

TEST_F(MemoryTypeTest, WriteThroughStoreTakesTheLineFromOtherCores) {
  run_with_pat([this] {
    core0.load<std::uint64_t>(x, wt);
    core1.load<std::uint64_t>(x, wt);
    core0.store<std::uint64_t>(x, 5, wt);
    EXPECT_EQ(state(1, x), State::invalid);
    EXPECT_EQ(core1.load<std::uint64_t>(x, wt), 5u);
    dirty(core1, y, 7);  // a write-back alias of another core: its other bytes are not lost
    core0.store<std::uint64_t>(y + 8, 6, wt);
    EXPECT_EQ(memory(y), 7u);
    EXPECT_EQ(memory(y + 8), 6u);
    EXPECT_EQ(core1.load<std::uint64_t>(y), 7u);
    EXPECT_EQ(pair.system.home.breach(y.line()), "");
  });
}

// ---- write-protected ----

TEST_F(MemoryTypeTest, WriteProtectedStoreGoesToMemoryAndDropsEveryCopy) {
  run_with_pat([this] {
    core0.load<std::uint64_t>(x, wp);
    core1.load<std::uint64_t>(x, wp);
    EXPECT_EQ(state(0, x), State::shared);
    core0.store<std::uint64_t>(x, 5, wp);
    EXPECT_EQ(memory(x), 5u);
    EXPECT_FALSE(cached(x));
    EXPECT_FALSE(in_shared_level(x));
    EXPECT_EQ(core1.load<std::uint64_t>(x, wp), 5u);
  });
}

// ---- uncached ----

TEST_F(MemoryTypeTest, UncachedAccessesGoToMemoryAndLeaveNothingBehind) {
  run_with_pat([this] {
    EXPECT_EQ(time_of([&] { core0.store<std::uint64_t>(x, 5, uc); }), miss);
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.load<std::uint64_t>(x, uc), 5u); }), miss);
    EXPECT_EQ(time_of([&] { core0.load<std::uint64_t>(x, uc); }), miss);
    EXPECT_FALSE(cached(x));
    EXPECT_FALSE(in_shared_level(x));
  });
}

// Strongly ordered: after older stores, one line after the other.
TEST_F(MemoryTypeTest, UncachedAccessesWaitForOlderStores) {
  run_with_pat([this] {
    const auto begin = now();
    core0.store<std::uint64_t>(y, 5);
    core0.load<std::uint64_t>(x, uc);
    EXPECT_EQ(now() - begin, miss + miss);
    EXPECT_EQ(snooped(y), 5u);
    test::Data two_lines(128);
    EXPECT_EQ(time_of([&] { core0.load(x + 0x100, two_lines, uc); }), 2 * miss);
  });
}

// By MTRR it goes past all caches (SDM vol. 3, 12.11.8: software flushes before it changes a type).
TEST_F(MemoryTypeTest, UncachedByMtrrLooksAtNoCache) {
  run_with_pat([this] {
    dirty(core0, x, 5);
    set_range(core0, 0, x, 0x1000, uncached);
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.load<std::uint64_t>(x), 0u); }), l1 + l2 + dram);
    core0.store<std::uint64_t>(x + 8, 6);
    EXPECT_EQ(memory(x + 8), 6u);
    EXPECT_EQ(state(0, x), State::modified);
    core0.wbinvd();
    EXPECT_EQ(core0.load<std::uint64_t>(x), 5u);
    EXPECT_EQ(core0.load<std::uint64_t>(x + 8), 0u);  // the whole line was written back
  });
}

// ---- aliases of a line that is modified ----

TEST_F(MemoryTypeTest, UncachedByPatTakesTheLineOutOfTheCachesFirst) {
  run_with_pat([this] {
    for (const auto pat : {uc, uc_minus, wc}) {
      dirty(core0, x, 5);
      EXPECT_EQ(core0.load<std::uint64_t>(x, pat), 5u);
      EXPECT_FALSE(cached(x));
      EXPECT_EQ(memory(x), 5u);
      dirty(core0, x, 6);
      core0.store<std::uint64_t>(x + 8, 7, pat);
      core0.sfence();
      EXPECT_FALSE(cached(x));
      EXPECT_EQ(memory(x), 6u);
      EXPECT_EQ(memory(x + 8), 7u);
      core0.store<std::uint64_t>(x, 0, pat);
      core0.sfence();
    }
  });
}

class NoSelfSnoopTest : public MemoryTypeTest {
 protected:
  NoSelfSnoopTest() : MemoryTypeTest{without_self_snoop()} {}
};

TEST_F(NoSelfSnoopTest, UncachedByPatLooksAtNoCache) {
  run_with_pat([this] {
    Hpa at = x;
    for (const auto pat : {uc, uc_minus, wc}) {
      dirty(core0, at, 5);
      EXPECT_EQ(core0.load<std::uint64_t>(at, pat), 0u);
      core0.store<std::uint64_t>(at + 8, 7, pat);
      core0.sfence();
      EXPECT_EQ(memory(at + 8), 7u);
      EXPECT_EQ(state(0, at), State::modified);
      core0.clflush(at);
      EXPECT_EQ(memory(at), 5u);
      EXPECT_EQ(memory(at + 8), 0u);  // lost
      at += 0x100;
    }
  });
}

// Write-through and write-protected stores are coherent all the same.
TEST_F(NoSelfSnoopTest, CachedTypesStayCoherent) {
  run_with_pat([this] {
    dirty(core0, x, 5);
    core0.store<std::uint64_t>(x + 8, 6, wp);
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(memory(x + 8), 6u);
    dirty(core0, y, 5);
    core0.store<std::uint64_t>(y + 8, 6, wt);
    EXPECT_EQ(core0.load<std::uint64_t>(y), 5u);
    EXPECT_EQ(core0.load<std::uint64_t>(y + 8), 6u);
    core0.clflush(y);
    EXPECT_EQ(memory(y), 5u);
    EXPECT_EQ(memory(y + 8), 6u);
  });
}

// ---- CR0.CD: invariant 43 ----

TEST_F(MemoryTypeTest, NothingIsBroughtInWhileCachesAreOff) {
  run([this] {
    core0.disable_caches(true);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 0u);
    core0.store<std::uint64_t>(x, 5);
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 5u);
    core0.prefetch(y);
    core0.execute(1_us);
    EXPECT_FALSE(cached(x));
    EXPECT_FALSE(cached(y));
    EXPECT_FALSE(in_shared_level(x));
    core1.load<std::uint64_t>(x);  // the other core's are on
    EXPECT_EQ(state(1, x), State::exclusive);
    core0.disable_caches(false);
    core0.load<std::uint64_t>(y);
    EXPECT_EQ(state(0, y), State::exclusive);
  });
}

TEST_F(MemoryTypeTest, ModifiedLinesStayUntilWbinvdWhileCachesAreOff) {
  run([this] {
    dirty(core0, x, 5);
    core0.disable_caches(true);
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.load<std::uint64_t>(x), 5u); }), l1);
    core0.store<std::uint64_t>(x + 8, 6);
    EXPECT_EQ(core0.load<std::uint64_t>(x + 8), 6u);
    EXPECT_EQ(state(0, x), State::modified);
    EXPECT_EQ(memory(x), 0u);
    core0.wbinvd();
    EXPECT_FALSE(cached(x));
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(memory(x + 8), 6u);
    core0.load<std::uint64_t>(x);
    EXPECT_FALSE(cached(x));
  });
}

TEST_F(MemoryTypeTest, SharedLinesStayAndAreWrittenThroughWhileCachesAreOff) {
  run([this] {
    dirty(core0, x, 5);
    core1.load<std::uint64_t>(x);
    core0.disable_caches(true);
    ASSERT_EQ(state(0, x), State::shared);
    core0.store<std::uint64_t>(x + 8, 6);
    EXPECT_NE(state(0, x), State::invalid);
    EXPECT_EQ(memory(x + 8), 6u);
    EXPECT_EQ(snooped(x), 5u);
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.load<std::uint64_t>(x + 8), 6u); }), l1);
    EXPECT_EQ(core1.load<std::uint64_t>(x + 8), 6u);
    EXPECT_EQ(pair.system.home.breach(x.line()), "");
  });
}

TEST_F(MemoryTypeTest, LockedOperationsUseTheLinesThatAreThereWhileCachesAreOff) {
  run([this] {
    dirty(core0, x, 5);
    core0.disable_caches(true);
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.lock_add(x, 1, 8), 5u); }), l1 + 8_ns);
    EXPECT_EQ(state(0, x), State::modified);
    EXPECT_EQ(memory(x), 0u);
    EXPECT_EQ(core0.lock_add(y, 1, 8), 0u);  // brings nothing in
    EXPECT_FALSE(cached(y));
    EXPECT_EQ(memory(y), 1u);
    EXPECT_EQ(core0.lock_add(y - 4, 1, 8), std::uint64_t{1} << 32);  // half of it is there
    EXPECT_FALSE(cached(y));
    EXPECT_EQ(memory(x), 6u);
    EXPECT_EQ(memory(y - 4), (std::uint64_t{1} << 32) + 1);
  });
}

// The line is on its way when they are switched off.
TEST_F(MemoryTypeTest, PrefetchEndsBeforeCachesAreOff) {
  run([this] {
    core0.prefetch(x);
    core0.disable_caches(true);
    EXPECT_EQ(now(), miss);
    EXPECT_EQ(state(0, x), State::exclusive);
  });
}

TEST_F(MemoryTypeTest, AccessesAreCoherentWhileCachesAreOff) {
  run([this] {
    core0.disable_caches(true);
    dirty(core1, x, 5);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 5u);
    core0.store<std::uint64_t>(x + 8, 6);
    EXPECT_EQ(core1.load<std::uint64_t>(x), 5u);
    EXPECT_EQ(core1.load<std::uint64_t>(x + 8), 6u);
    EXPECT_EQ(state(0, x), State::invalid);
  });
}

}  // namespace
}  // namespace ioasim::cpu
