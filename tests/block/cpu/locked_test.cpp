// Locked operations: atomic, full barriers, and dear where they cross a line or are not write-back
// (SDM vol. 3, 9.1.2).
#include <gtest/gtest.h>

#include <array>

#include "base/prng.hpp"
#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

constexpr Hpa x{0x1000};
constexpr Hpa y{0x1040};

class LockedTest : public test::CorePairBench {
 protected:
  static constexpr auto locked = 8_ns;
  static constexpr auto bus_lock = 1'000_ns;

  // Both cores do that many times what `work` does once.
  template <class Work>
  void both(unsigned times, Work work) {
    also([=, this] {
      for (unsigned n = 0; n < times; ++n) work(core1);
    });
    run([=, this] {
      for (unsigned n = 0; n < times; ++n) work(core0);
    });
  }
};

// ---- one core ----

TEST_F(LockedTest, TakesLongerTheFartherItsLineIs) {
  run([&] {
    EXPECT_EQ(time_of([&] { core0.lock_add(x, 1, 8); }), miss + locked);
    EXPECT_EQ(time_of([&] { core0.lock_add(x, 1, 8); }), l1 + locked);
    EXPECT_EQ(time_of([&] { core1.lock_add(x, 1, 8); }), l1 + l2 + llc + snoop + locked);
    EXPECT_EQ(snooped(x), 3u);
  });
}

TEST_F(LockedTest, ReturnsTheFormerValue) {
  run([&] {
    EXPECT_EQ(core0.lock_add(x, 5, 8), 0u);
    EXPECT_EQ(core0.lock_exchange(x, 9, 8), 5u);
    EXPECT_EQ(core0.lock_compare_exchange(x, 8, 1, 8), 9u);  // is not 8: stays
    EXPECT_EQ(core0.lock_compare_exchange(x, 9, 2, 8), 9u);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 2u);
  });
}

TEST_F(LockedTest, TouchesOnlyItsBytes) {
  run([&] {
    for (const unsigned bytes : {1u, 2u, 4u}) {
      core0.store<std::uint64_t>(x, ~0ull);
      const auto mask = ~0ull >> (64 - 8 * bytes);
      EXPECT_EQ(core0.lock_add(x, 1, bytes), mask);  // wraps
      EXPECT_EQ(core0.load<std::uint64_t>(x), ~mask);
      EXPECT_EQ(core0.lock_exchange(x, ~0ull, bytes), 0u);
      EXPECT_EQ(core0.load<std::uint64_t>(x), ~0ull);
      EXPECT_EQ(core0.lock_compare_exchange(x, mask, 0x1ff, bytes), mask);
      EXPECT_EQ(core0.load<std::uint64_t>(x), ~mask | (0x1ff & mask));
    }
  });
}

TEST_F(LockedTest, ComesAfterEveryOlderStore) {
  run([&] {
    core0.lock_add(y, 0, 8);
    const auto begin = now();
    core0.store<std::uint64_t>(x, 5);
    core0.lock_add(y, 1, 8);
    EXPECT_EQ(now() - begin, miss + l1 + locked);
    EXPECT_EQ(snooped(x), 5u);
  });
}

TEST_F(LockedTest, SeesItsOwnCoresOlderStores) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    EXPECT_EQ(core0.lock_add(x, 1, 8), 5u);
    core0.store_nt(y, test::word(7));
    EXPECT_EQ(core0.lock_add(y, 1, 8), 7u);
  });
}

// Who asks for the line meanwhile waits until the operation lets it go.
TEST_F(LockedTest, KeepsItsLineForItsWholeTime) {
  run([&] {
    core0.lock_add(x, 1, 8);
    sleep_until(1_us);
    at(1_us + l1 + 1_ps, [&] { pair.system.device.read(x.value, 8); });
    core0.lock_add(x, 1, 8);  // has the line at 1 us + l1
    sleep(1_us);
    ASSERT_EQ(pair.system.device.completed().size(), 1u);
    EXPECT_EQ(pair.system.device.completed()[0]->done_at, 1_us + l1 + locked + llc + snoop);
  });
}

// Also one that it first had to bring in, and both lines of an operation across two.
TEST_F(LockedTest, KeepsItsLineFromTheMissOn) {
  run([&] {
    sleep_until(1_us);
    at(1_us + l1 + 1_ps, [&] { pair.system.device.read(x.value, 8); });
    core0.lock_add(x, 1, 8);
    const auto end = now();
    EXPECT_EQ(end, 1_us + miss + locked);
    sleep(1_us);
    EXPECT_EQ(pair.system.device.completed().at(0)->done_at, end + llc + snoop);
  });
}

TEST_F(LockedTest, KeepsBothLinesForItsWholeTime) {
  run([&] {
    for (const Hpa line : {x, y}) {
      core0.lock_add(x + 60, 1, 8);
      sleep(1_us);
      const auto begin = now();
      at(begin + l1 + 1_ps, [&] { pair.system.device.read(line.value, 8); });
      core0.lock_add(x + 60, 1, 8);
      EXPECT_EQ(now(), begin + l1 + locked + bus_lock);
      const auto end = now();
      sleep(1_us);
      EXPECT_EQ(pair.system.device.completed().back()->done_at, end + llc + snoop);
    }
  });
}

// ---- two cores ----

TEST_F(LockedTest, NoAdditionIsLost) {
  both(2'000, [=](Core& core) { core.lock_add(x, 1, 8); });
  EXPECT_EQ(snooped(x), 4'000u);
  EXPECT_EQ(pair.system.home.breach(x.line()), "");
}

TEST_F(LockedTest, NoAdditionIsLostAmongDeviceWritesToTheLine) {
  unsigned writes = 0;
  also([&] {
    while (snooped(x) < 2'000) {
      pair.system.device.write(x.value + 8, test::word(++writes));
      sleep(37_ns);
    }
  });
  both(1'000, [=](Core& core) { core.lock_add(x, 1, 4); });
  EXPECT_EQ(snooped(x), 2'000u);
  EXPECT_EQ(snooped(x + 8), writes);
  EXPECT_GT(writes, 100u);
}

TEST_F(LockedTest, NoCompareExchangeSucceedsOnAnOldValue) {
  unsigned failed = 0;
  both(1'000, [&](Core& core) {
    for (;;) {
      const auto old = core.load<std::uint64_t>(x);
      if (core.lock_compare_exchange(x, old, old + 1, 8) == old) return;
      ++failed;
    }
  });
  EXPECT_EQ(snooped(x), 2'000u);
  EXPECT_GT(failed, 0u);
}

TEST_F(LockedTest, ExchangeMakesALock) {
  both(500, [=](Core& core) {
    while (core.lock_exchange(x, 1, 4) != 0) core.execute(20_ns);
    core.store(y, core.load<std::uint64_t>(y) + 1);
    core.store<std::uint32_t>(x, 0);  // stores are ordered: a plain one unlocks
  });
  EXPECT_EQ(snooped(y), 1'000u);
}

// ---- bus locks ----

TEST_F(LockedTest, ValueAcrossLinesTakesABusLock) {
  run([&] {
    const Hpa across = x + 60;
    core0.lock_add(across, 0, 8);
    EXPECT_EQ(time_of([&] { core0.lock_add(across, 0x1'0000'0002, 8); }), l1 + locked + bus_lock);
    EXPECT_EQ(core0.load<std::uint64_t>(across), 0x1'0000'0002u);
    EXPECT_EQ(snooped(y) & 0xffff'ffff, 1u);
  });
}

TEST_F(LockedTest, NoAdditionAcrossLinesIsLost) {
  both(300, [=](Core& core) { core.lock_add(x + 61, 0x0101'0101, 8); });
  test::Data sum(8);
  pair.system.device.debug_read(x.value + 61, sum);
  EXPECT_EQ(test::value_of(sum), 600ull * 0x0101'0101);
}

TEST_F(LockedTest, UncachedValueTakesABusLock) {
  run([&] {
    set_pat(core0);
    set_range(core0, 0, x, 0x1000, MemoryType::uncached);
    core0.store<std::uint64_t>(x, 5);
    // Read and written one after the other on one channel of memory.
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.lock_add(x, 1, 8), 5u); }),
              l1 + dram + line_transfer + locked + bus_lock);
    EXPECT_EQ(memory(x), 6u);
    EXPECT_FALSE(cached(x));
  });
}

TEST_F(LockedTest, NoAdditionIsLostWhateverTheType) {
  constexpr std::array types{MemoryType::uncached, MemoryType::write_combining,
                             MemoryType::write_through, MemoryType::write_protected};
  const auto work = [&](Core& core) {
    for (unsigned n = 0; n < types.size(); ++n) {
      set_range(core, n, x + n * 0x1000, 0x1000, types[n]);
    }
    sleep_until(1_us);
    for (unsigned n = 0; n < 400; ++n) core.lock_add(x + n % 4 * 0x1000 + 60, 1, 8);
  };
  also([&] { work(core1); });
  run([&] { work(core0); });
  for (unsigned n = 0; n < types.size(); ++n) {
    test::Data sum(8);
    pair.system.device.debug_read(x.value + n * 0x1000 + 60, sum);
    EXPECT_EQ(test::value_of(sum), 200u) << to_text(types[n]);
  }
}

TEST_F(LockedTest, NoAdditionIsLostWhileCachesAreSwitchedOffAndOn) {
  also([&] {
    for (unsigned n = 0; n < 400; ++n) core1.lock_add(x, 1, 8);
  });
  run([&] {
    for (unsigned n = 0; n < 400; ++n) {
      if (n % 20 == 0) core0.disable_caches(n % 40 == 0);
      core0.lock_add(x, 1, 8);
    }
  });
  EXPECT_EQ(snooped(x), 800u);
}

// Some other memory is not write-back; this is.
TEST_F(LockedTest, WriteBackValueTakesNoBusLockWhateverOtherMemoryIs) {
  run([&] {
    set_range(core0, 0, Hpa{0x10'0000}, 0x1000, MemoryType::uncached);
    core0.lock_add(x, 1, 8);
    EXPECT_EQ(time_of([&] { core0.lock_add(x, 1, 8); }), l1 + locked);
  });
}

TEST_F(LockedTest, NoAdditionIsLostWhateverOtherMemoryIs) {
  const auto work = [&](Core& core) {
    set_range(core, 0, Hpa{0x10'0000}, 0x1000, MemoryType::uncached);
    sleep_until(1_us);
    for (unsigned n = 0; n < 100; ++n) core.lock_add(x, 1, 8);
  };
  also([&] { work(core1); });
  run([&] { work(core0); });
  EXPECT_EQ(snooped(x), 200u);
}

}  // namespace
}  // namespace ioasim::cpu
