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
  explicit CoherenceTest(const Params& caches = MemorySystem::small_caches())
      : pair{clock, bus, caches} {}

  // Returns when everybody can see it.
  static void store(cpu::Core& core, Hpa at, std::uint64_t value) {
    core.store(at, value);
    core.mfence();
  }

  State state(unsigned core, Hpa at = address) { return home.caches(core).state(at.line()); }
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
    EXPECT_EQ(state(0), State::exclusive);
    core1.load<std::uint64_t>(address);
    EXPECT_EQ(state(0), State::shared);
    EXPECT_EQ(state(1), State::shared);
    store(core0, address, 1);
    EXPECT_EQ(state(0), State::modified);
    EXPECT_EQ(state(1), State::invalid);
    EXPECT_EQ(core1.load<std::uint64_t>(address), 1u);
    EXPECT_EQ(state(0), State::shared);
    EXPECT_EQ(memory(), 0u);  // the last level has it
    store(core1, address, 2);
    EXPECT_EQ(state(0), State::invalid);
    EXPECT_EQ(core0.load<std::uint64_t>(address), 2u);
  });
}

// A store has entered the store buffer after a cycle; it is visible when its line has come.
TEST_F(CoherenceTest, AStoreIsVisibleWhenItsLineIsThere) {
  run([&] {
    core0.store<std::uint64_t>(address, 1);
    EXPECT_EQ(now(), 1_ns);
    sleep_until(4_ns - 1_ps);
    EXPECT_EQ(state(0), State::invalid);
    sleep_until(4_ns + 1_ps);  // at the home agent after L1 and L2
    EXPECT_EQ(state(0), State::modified);
    core0.mfence();
    EXPECT_EQ(now(), 4_ns + MemorySystem::lookup + MemorySystem::dram + 15_ns);
  });
}

// Invariant 31.
TEST_F(CoherenceTest, ClflushTakesTheLineOutOfEveryCache) {
  run([&] {
    store(core0, address, 7);
    core1.load<std::uint64_t>(address);
    core1.clflush(address);
    EXPECT_EQ(state(0), State::invalid);
    EXPECT_EQ(state(1), State::invalid);
    EXPECT_EQ(memory(), 7u);
    const auto misses = home.coherence_stats().llc_misses.n;
    core0.load<std::uint64_t>(address);
    EXPECT_EQ(home.coherence_stats().llc_misses.n, misses + 1);
  });
}

// Invariant 27: with what is still in the store buffer.
TEST_F(CoherenceTest, WbinvdWritesBackAndInvalidates) {
  run([&] {
    core0.store<std::uint64_t>(address, 7);
    core0.wbinvd();
    EXPECT_EQ(memory(), 7u);
    EXPECT_EQ(state(0), State::invalid);
  });
}

// An inclusive last level that loses a line takes it out of every core.
TEST_F(CoherenceTest, WbinvdReachesOtherCoresThroughAnInclusiveLastLevel) {
  run([&] {
    store(core1, address, 7);
    core0.wbinvd();
    EXPECT_EQ(memory(), 7u);
    EXPECT_EQ(state(1), State::invalid);
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

// Invariant 37: a ninth line of a set leaves no copy of the one that it displaces.
TEST_F(CoherenceTest, EvictionFromTheLastLevelIsEvictionFromTheCores) {
  run([&] {
    store(core0, address, 7);
    for (unsigned way = 1; way <= 8; ++way) {
      core1.load<std::uint64_t>(address + way * 0x2000);
    }
    EXPECT_EQ(state(0), State::invalid);
    EXPECT_EQ(memory(), 7u);
    EXPECT_EQ(core1.load<std::uint64_t>(address), 7u);
  });
}

TEST_F(CoherenceTest, LineThatLeavesACoreStaysInTheLastLevel) {
  run([&] {
    store(core0, address, 7);
    // Level 2 has 8 sets of 2 ways.
    core0.load<std::uint64_t>(address + 0x200);
    core0.load<std::uint64_t>(address + 0x400);
    EXPECT_EQ(state(0), State::invalid);
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
          store(core, place(offset), value);
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
      ASSERT_EQ(home.breach(place(offset).line()), "");
    }
  });
}

// Invariant 28: what only another core's caches hold, or what the shared level may not take away.
template <bool inclusive>
class PrivateLinesTest : public CoherenceTest {
 protected:
  static Params caches() {
    auto params = MemorySystem::small_caches();
    params.llc.inclusive = inclusive;
    params.flush.back_invalidate = !inclusive;
    return params;
  }
  PrivateLinesTest() : CoherenceTest{caches()} {}

  void another_core_keeps_its_line() {
    run([&] {
      store(core1, address, 7);
      core0.wbinvd();
      EXPECT_EQ(memory(), 0u);
      EXPECT_EQ(state(1), State::modified);
      EXPECT_EQ(home.breach(address.line()), "");
      core1.wbinvd();
      EXPECT_EQ(memory(), 7u);
      EXPECT_EQ(state(1), State::invalid);
    });
  }
};
using NoBackInvalidation = PrivateLinesTest<true>;
using NotInclusive = PrivateLinesTest<false>;

TEST_F(NoBackInvalidation, WbinvdDoesNotReachAnotherCoresCaches) { another_core_keeps_its_line(); }
TEST_F(NotInclusive, WbinvdDoesNotReachAnotherCoresCaches) { another_core_keeps_its_line(); }

}  // namespace
}  // namespace ioasim::cache
