// Cores among themselves, and what takes lines out of the caches.
#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "support/bench.hpp"
#include "support/core_pair.hpp"

namespace ioasim::cache {
namespace {

using test::filled;
using test::MemorySystem;

constexpr Hpa address{0x4000};

class CoherenceTest : public test::Bench {
 protected:
  CoherenceTest() : pair{clock, bus} {}

  Mesi state(unsigned core, Hpa at = address) { return home.caches(core).state(at.line()); }
  std::uint64_t memory(Hpa at = address) const {
    return test::value_of(pair.system.in_memory(at.value, 8));
  }

  test::CorePair pair;
  HomeAgent& home = pair.system.home;
  cpu::Core& core0 = pair.core0;
  cpu::Core& core1 = pair.core1;
};

TEST_F(CoherenceTest, StatesOfALine) {
  run([&] {
    core0.load<std::uint64_t>(address);
    EXPECT_EQ(state(0), Mesi::exclusive);
    core1.load<std::uint64_t>(address);
    EXPECT_EQ(state(0), Mesi::shared);
    EXPECT_EQ(state(1), Mesi::shared);
    core0.store<std::uint64_t>(address, 1);
    EXPECT_EQ(state(0), Mesi::modified);
    EXPECT_EQ(state(1), Mesi::invalid);
    EXPECT_EQ(core1.load<std::uint64_t>(address), 1u);
    EXPECT_EQ(state(0), Mesi::shared);
    EXPECT_EQ(memory(), 0u);  // the last level has it
    core1.store<std::uint64_t>(address, 2);
    EXPECT_EQ(state(0), Mesi::invalid);
    EXPECT_EQ(core0.load<std::uint64_t>(address), 2u);
  });
}

// Invariant 31.
TEST_F(CoherenceTest, ClflushTakesTheLineOutOfEveryCache) {
  run([&] {
    core0.store<std::uint64_t>(address, 7);
    core1.load<std::uint64_t>(address);
    core1.clflush(address);
    EXPECT_EQ(state(0), Mesi::invalid);
    EXPECT_EQ(state(1), Mesi::invalid);
    EXPECT_EQ(memory(), 7u);
    const auto misses = home.stats().llc_misses.n;
    core0.load<std::uint64_t>(address);
    EXPECT_EQ(home.stats().llc_misses.n, misses + 1);
  });
}

// Invariant 27.
TEST_F(CoherenceTest, WbinvdWritesBackAndInvalidates) {
  run([&] {
    core0.store<std::uint64_t>(address, 7);
    core0.wbinvd();
    EXPECT_EQ(memory(), 7u);
    EXPECT_EQ(state(0), Mesi::invalid);
  });
}

// Invariant 28.
TEST_F(CoherenceTest, WbinvdDoesNotReachAnotherCoresCaches) {
  run([&] {
    core1.store<std::uint64_t>(address, 7);
    core0.wbinvd();
    EXPECT_EQ(memory(), 0u);
    EXPECT_EQ(state(1), Mesi::modified);
    core1.wbinvd();
    EXPECT_EQ(memory(), 7u);
    EXPECT_EQ(state(1), Mesi::invalid);
  });
}

TEST_F(CoherenceTest, WbinvdTakesSharedLevelLinesThatNoOtherCoreHolds) {
  run([&] {
    pair.system.device.write(address.value, filled(64, 9));
    EXPECT_EQ(memory(), 0u);
    core0.wbinvd();
    EXPECT_EQ(memory() & 0xff, 9u);
  });
}

// 128 sets scanned at 1 ns each, and nothing to write back.
TEST_F(CoherenceTest, WbinvdOfEmptyCachesTakesTheScan) {
  run([&] {
    core0.wbinvd();
    EXPECT_EQ(now(), 128_ns);
  });
}

// Invariant 37: a ninth line of a set leaves no copy of the one that it displaces.
TEST_F(CoherenceTest, EvictionFromTheLastLevelIsEvictionFromTheCores) {
  run([&] {
    core0.store<std::uint64_t>(address, 7);
    for (unsigned way = 1; way <= 8; ++way) {
      core1.load<std::uint64_t>(address + way * 0x2000);
    }
    EXPECT_EQ(state(0), Mesi::invalid);
    EXPECT_EQ(memory(), 7u);
    EXPECT_EQ(core1.load<std::uint64_t>(address), 7u);
  });
}

TEST_F(CoherenceTest, LineThatLeavesACoreStaysInTheLastLevel) {
  run([&] {
    core0.store<std::uint64_t>(address, 7);
    // Level 2 has 8 sets of 2 ways.
    core0.load<std::uint64_t>(address + 0x200);
    core0.load<std::uint64_t>(address + 0x400);
    EXPECT_EQ(state(0), Mesi::invalid);
    EXPECT_EQ(memory(), 0u);
    const auto begin = now();
    EXPECT_EQ(core0.load<std::uint64_t>(address), 7u);
    EXPECT_EQ(now() - begin, 4_ns + MemorySystem::lookup);
  });
}

// Invariant 36, and data: random accesses of two cores and a device against a flat copy.
TEST_F(CoherenceTest, RandomCoherentAccessesAgreeWithAFlatMemory) {
  Prng random{11, "coherence"};
  constexpr unsigned lines = 96;
  test::Data flat(lines * 64);
  const auto place = [](std::uint64_t offset) {
    // Twelve lines in each of eight sets.
    const auto line = offset / 64;
    return Hpa{(line / 8) * 0x2000 + (line % 8) * 64 + offset % 64};
  };
  run([&] {
    for (unsigned step = 0; step < 6000; ++step) {
      const auto offset = random.next() % (flat.size() / 8) * 8;
      const auto here = flat.begin() + static_cast<std::ptrdiff_t>(offset);
      cpu::Core& core = random.next() % 2 == 0 ? core0 : core1;
      switch (random.next() % 6) {
        case 0:
        case 1: {
          const auto value = random.next();
          core.store<std::uint64_t>(place(offset), value);
          const auto bytes = test::word(value);
          std::copy(bytes.begin(), bytes.end(), here);
          break;
        }
        case 2:
        case 3:
          ASSERT_EQ(test::word(core.load<std::uint64_t>(place(offset))),
                    test::Data(here, here + 8));
          break;
        case 4: {
          const auto bytes = test::word(random.next());
          pair.system.device.write(place(offset).value, bytes);
          std::copy(bytes.begin(), bytes.end(), here);
          break;
        }
        default:
          ASSERT_EQ(pair.system.device.read(place(offset).value, 8).data,
                    test::Data(here, here + 8));
          if (step % 7 == 0) core.clflush(place(offset));
          if (step % 501 == 0) core.wbinvd();
          break;
      }
      const auto mine = state(0, place(offset));
      const auto theirs = state(1, place(offset));
      ASSERT_FALSE(mine >= Mesi::exclusive && theirs != Mesi::invalid);
      ASSERT_FALSE(theirs >= Mesi::exclusive && mine != Mesi::invalid);
    }
  });
}

}  // namespace
}  // namespace ioasim::cache
