// Cores on caches and memory: how long each instruction takes, exactly.
#include "cpu/core.hpp"

#include <gtest/gtest.h>

#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

using test::Data;

constexpr Hpa address{0x1000};

class CoreTest : public test::CorePairBench {
 protected:
  using CorePairBench::CorePairBench;

  Picoseconds load_time(Core& core, Hpa from) {
    return time_of([&] { core.load<std::uint64_t>(from); });
  }
  // Until the store is visible.
  Picoseconds store_time(Core& core, Hpa to) {
    return time_of([&] {
             core.store<std::uint64_t>(to, 1);
             core.mfence();
           }) -
           fence;
  }
};

TEST_F(CoreTest, LoadTakesLongerTheFartherItsLineIs) {
  run([&] {
    EXPECT_EQ(load_time(core0, address), l1 + l2 + llc + dram);
    EXPECT_EQ(load_time(core0, address), l1);
    // Level 1 has 4 sets of 2 ways: two more lines of the set push the first out of it.
    load_time(core0, address + 0x100);
    load_time(core0, address + 0x200);
    EXPECT_EQ(load_time(core0, address + 0x100), l1);
    EXPECT_EQ(load_time(core1, address), l1 + l2 + llc + snoop);  // Exclusive at core 0
  });
}

TEST_F(CoreTest, LevelTwoHit) {
  run([&] {
    // Lines 0x1000, 0x1100 and 0x1300 share a set of level 1; the first and the last not of 2.
    load_time(core0, address);
    load_time(core0, address + 0x100);
    load_time(core0, address + 0x300);
    EXPECT_EQ(load_time(core0, address), l1 + l2);
  });
}

TEST_F(CoreTest, StoreHitsWhatItOwnsAndAsksForWhatItShares) {
  run([&] {
    EXPECT_EQ(store_time(core0, address), miss);
    EXPECT_EQ(store_time(core0, address), cycle);
    EXPECT_EQ(load_time(core1, address), l1 + l2 + llc + snoop);  // now shared
    EXPECT_EQ(store_time(core0, address), l1 + l2 + llc + snoop);
    EXPECT_EQ(load_time(core0, address + 0x1000), miss);
    EXPECT_EQ(store_time(core0, address + 0x1000), cycle);  // Exclusive: no question asked
  });
}

// Lines leave the core one a cycle; four fill buffers.
TEST_F(CoreTest, MissesOfOneAccessOverlap) {
  run([&] {
    Data data(4 * line_bytes);
    // Lines alternate over two channels, each 4 ns a line: the last asks 3 ns after the first and
    // waits 2 ns for the channel that line 1 of its pair asked for 2 ns before.
    EXPECT_EQ(time_of([&] { core0.load(address, data); }), 3 * cycle + l1 + l2 + llc + 2_ns + dram);
  });
}

TEST_F(CoreTest, MissesWaitForFillBuffers) {
  run([&] {
    Data data(5 * line_bytes);
    // The fifth begins when the first comes back with its buffer.
    EXPECT_EQ(time_of([&] { core0.load(address, data); }), 2 * miss);
  });
}

TEST_F(CoreTest, AccessMayStraddleLines) {
  run([&] {
    const auto data = test::pattern(100, 3);
    core0.store(address + 30, data);
    core0.mfence();
    Data got(100);
    core1.load(address + 30, got);
    EXPECT_EQ(got, data);
  });
}

TEST_F(CoreTest, ClflushTakesTheSameForAbsentAndPresentLines) {
  run([&] {
    const auto own = l1 + l2 + llc + 30_ns;
    EXPECT_EQ(time_of([&] { core0.clflush(address); }), own);
    core1.store<std::uint64_t>(address, 5);
    core1.mfence();
    EXPECT_EQ(time_of([&] { core0.clflush(address); }), own + snoop);
    EXPECT_EQ(test::value_of(pair.system.in_memory(address.value, 8)), 5u);
    EXPECT_EQ(load_time(core1, address), l1 + l2 + llc + dram);
  });
}

TEST_F(CoreTest, FenceAndExecuteTakeTheirTime) {
  run([&] {
    EXPECT_EQ(time_of([&] { core0.mfence(); }), 15_ns);
    EXPECT_EQ(time_of([&] { core0.execute(123_ps); }), 123_ps);
  });
}

// PREFETCHh is ordered with no fence and no locked operation (SDM vol. 2).
TEST_F(CoreTest, FencesAndLockedOperationsDoNotWaitForPrefetches) {
  const Hpa own = address + 0x100;
  run([&] {
    core0.lock_add(own, 1, 8);
    core0.prefetch(address);
    core0.prefetch(address + 0x1000, true);
    EXPECT_EQ(time_of([&] { core0.sfence(); }), fence);
    EXPECT_EQ(time_of([&] { core0.mfence(); }), fence);
    EXPECT_EQ(time_of([&] { core0.lock_add(own, 1, 8); }), l1 + 8_ns);
    sleep(1_us);
    EXPECT_EQ(state(0, address), cache::State::exclusive);
    EXPECT_EQ(state(0, address + 0x1000), cache::State::exclusive);
  });
}

TEST_F(CoreTest, LockedOperationWaitsForAPrefetchOfItsLine) {
  run([&] {
    core0.prefetch(address);
    core0.lock_add(address, 1, 8);
    EXPECT_EQ(now(), miss + l1 + 8_ns);
    core0.prefetch(address + 0x1000);
    const auto begin = now() - cycle;
    core0.lock_add(address + 0x1000 - 4, 1, 8);  // the second of its lines
    EXPECT_EQ(now() - begin, miss + l1 + llc + dram + l2 + 8_ns + 1'000_ns);
  });
}

TEST_F(CoreTest, WbinvdWaitsForPrefetches) {
  run([&] {
    core0.prefetch(address);
    core0.wbinvd();
    sleep(1_us);
    EXPECT_FALSE(cached(address));
  });
}

// How far a flush of whole caches has come is seen by whoever looks into caches, whether or not
// somebody else has looked meanwhile.
class MeanwhileFlushed : public CoreTest {
 protected:
  // Core 1 has the line, and core 0 begins to flush.
  void begin_flush() {
    core1.load<std::uint64_t>(address);
    flush_began = now();
    pair.system.home.flush_all(0, trace::Flush::wbinvd).start();
  }
  // From the beginning of the flush until it takes the line.
  Picoseconds length() {
    begin_flush();
    while (state(1, address) != cache::State::invalid) {
      sleep(1_ns);
      pair.system.home.catch_up();
    }
    const auto length = now() - flush_began;
    sleep(100_us);
    return length;
  }
  // What the instruction asks of the home agent.
  template <class Instruction>
  std::uint64_t requests(Instruction instruction) {
    const auto& stats = pair.system.home.stats();
    const auto before = stats.core_reads.n + stats.core_writes.n;
    instruction();
    sleep(reach_home);
    return stats.core_reads.n + stats.core_writes.n - before;
  }

  Picoseconds flush_began{};
};

TEST_F(MeanwhileFlushed, LineIsPrefetched) {
  run([&] {
    const auto taken = length();
    for (const bool write : {false, true}) {
      begin_flush();
      sleep_until(flush_began + taken);
      EXPECT_EQ(requests([&] { core1.prefetch(address, write); }), 1u);
      sleep(100_us);
    }
  });
}

// A store waits behind one that misses; its line is claimed meanwhile.
TEST_F(MeanwhileFlushed, LineIsClaimedAhead) {
  run([&] {
    const auto taken = length();
    begin_flush();
    sleep_until(flush_began + taken - miss / 2);
    core1.store<std::uint64_t>(address + 0x1000, 1);
    sleep_until(flush_began + taken);
    EXPECT_EQ(requests([&] { core1.store<std::uint64_t>(address, 1); }), 1u);
  });
}

TEST_F(CoreTest, StatisticsCountWhatWasExecuted) {
  run([&] {
    core0.load<std::uint64_t>(address);
    core0.store<std::uint64_t>(address, 1);
    core0.store_nt(address, test::word(1));
    core0.clflush(address);
    core0.clflushopt(address);
    core0.clwb(address);
    core0.wbinvd();
    core0.read_uncached(device, 4);
    core0.write_uncached(device, 1, 4);
    EXPECT_EQ(core0.stats().loads.n, 1u);
    EXPECT_EQ(core0.stats().stores.n, 2u);
    EXPECT_EQ(core0.stats().flushes.n, 3u);
    EXPECT_EQ(core0.stats().cache_flushes.n, 1u);
    EXPECT_EQ(core0.stats().uncached_reads.n, 1u);
    EXPECT_EQ(core0.stats().uncached_writes.n, 1u);
    EXPECT_EQ(core1.stats().stores.n, 0u);
  });
}

// ---- MMIO ----

TEST_F(CoreTest, UncachedReadWaitsForItsAnswer) {
  registers.latency = 300_ns;
  registers.put(0xf000'0010, 0x1122'3344'5566'7788);
  run([&] {
    std::uint64_t value = 0;
    EXPECT_EQ(time_of([&] { value = core0.read_uncached(device + 0x10, 4); }), 300_ns);
    EXPECT_EQ(value, 0x5566'7788u);
    registers.defer = true;
    EXPECT_EQ(time_of([&] { value = core0.read_uncached(device + 0x10, 8); }), 300_ns);
    EXPECT_EQ(value, 0x1122'3344'5566'7788u);
  });
}

TEST_F(CoreTest, UncachedReadThatNothingAnswersIsAllOnes) {
  registers.broken = 0xf000'0010;
  run([&] {
    EXPECT_EQ(core0.read_uncached(device + 0x10, 1), 0xffu);
    EXPECT_EQ(core0.read_uncached(device + 0x10, 2), 0xffffu);
    EXPECT_EQ(core0.read_uncached(device + 0x10, 4), 0xffff'ffffu);
    EXPECT_EQ(core0.read_uncached(device + 0x10, 8), ~0ull);
  });
}

TEST_F(CoreTest, OperandsAreOfOneTwoFourOrEightBytes) {
  const testing::ExitedWithCode refused{check_exit_status};
  for (const unsigned bytes : {0u, 3u, 16u}) {
    EXPECT_EXIT(core0.read_uncached(device, bytes), refused, "bytes");
    EXPECT_EXIT(core0.write_uncached(device, 1, bytes), refused, "bytes");
    EXPECT_EXIT(core0.lock_add(address, 1, bytes), refused, "bytes");
  }
}

TEST_F(CoreTest, UncachedWritesArePostedAndSpaced) {
  registers.latency = 10_us;
  run([&] {
    EXPECT_EQ(time_of([&] { core0.write_uncached(device, 1, 4); }), cycle);
    EXPECT_EQ(time_of([&] { core0.write_uncached(device, 2, 4); }), 97_ns);
    ASSERT_EQ(registers.seen.size(), 2u);
    EXPECT_EQ(registers.seen[0].at, 0_ns);
    EXPECT_EQ(registers.seen[1].at, 97_ns);
  });
}

// Of up to 8 naturally aligned bytes each.
TEST_F(CoreTest, AccessOutsideMemoryIsUncached) {
  const Hpa outside{64u << 20};
  run([&] {
    const auto data = test::pattern(21, 3);
    core0.store(outside + 3, data);
    std::vector<std::pair<std::uint64_t, std::size_t>> writes;
    for (const auto& seen : registers.seen) writes.emplace_back(seen.address, seen.bytes);
    const auto base = outside.value;
    EXPECT_EQ(writes, (std::vector<std::pair<std::uint64_t, std::size_t>>{
                          {base + 3, 1}, {base + 4, 4}, {base + 8, 8}, {base + 16, 8}}));
    Data got(21);
    core0.load(outside + 3, got);
    EXPECT_EQ(got, data);
    EXPECT_EQ(registers.seen.size(), 8u);
    EXPECT_FALSE(cached(outside));
  });
}

TEST_F(CoreTest, AccessAcrossTheEndOfMemoryIsBoth) {
  const Hpa outside{64u << 20};
  registers.broken = outside.value;
  run([&] {
    core0.store(outside - 8, test::pattern(16, 3));
    Data got(16);
    core0.load(outside - 8, got);
    auto expected = test::pattern(16, 3);
    std::fill(expected.begin() + 8, expected.end(), std::byte{0xff});  // nothing answers
    EXPECT_EQ(got, expected);
  });
}

// ---- interrupts ----

TEST_F(CoreTest, InterruptIsTakenSomeTimeAfterItsMessage) {
  at(1_us, [&] { core0.interrupt(0x30); });
  run([&] {
    EXPECT_TRUE(core0.wait_for_interrupt(0x30, forever));
    EXPECT_EQ(now(), 1_us + 500_ns);
  });
}

TEST_F(CoreTest, InterruptThatIsPendingIsTakenAtOnceAndOnce) {
  at(1_us, [&] {
    core0.interrupt(0x30);
    core0.interrupt(0x30);
  });
  run([&] {
    sleep_until(2_us);
    EXPECT_TRUE(core0.wait_for_interrupt(0x30, forever));
    EXPECT_EQ(now(), 2_us + 500_ns);
    EXPECT_FALSE(core0.wait_for_interrupt(0x30, 100_ns));
    EXPECT_EQ(now(), 2_us + 600_ns);
  });
}

TEST_F(CoreTest, OtherVectorsDoNotEndTheWait) {
  at(1_us, [&] { core0.interrupt(0x31); });
  run([&] {
    EXPECT_FALSE(core0.wait_for_interrupt(0x30, 3_us));
    EXPECT_EQ(now(), 3_us);
    EXPECT_TRUE(core0.wait_for_interrupt(0x31, forever));
  });
}

// An interrupt stays pending while an instruction runs, and does not shorten it.
class InterruptedTest : public CoreTest {
 protected:
  template <class Instruction>
  void expect_same_time(Instruction instruction) {
    registers.latency = 300_ns;
    Picoseconds undisturbed{};
    at(10_us + 12_ns, [&] { core0.interrupt(0x30); });
    at(10_us + 45_ns, [&] { core0.interrupt(0x30); });
    run([&] {
      undisturbed = time_of(instruction);
      sleep_until(10_us);
      EXPECT_EQ(time_of(instruction), undisturbed);
      EXPECT_TRUE(core0.wait_for_interrupt(0x30, 1_us));
    });
  }
};

TEST_F(InterruptedTest, Clflush) {
  expect_same_time([&] { core0.clflush(address); });
}

TEST_F(InterruptedTest, Load) {
  Hpa next = address;
  expect_same_time([&] { core0.load<std::uint64_t>(next += 0x1000); });
}

TEST_F(InterruptedTest, UncachedRead) {
  expect_same_time([&] { core0.read_uncached(device, 4); });
}

TEST_F(InterruptedTest, UncachedReadAnsweredLater) {
  registers.defer = true;
  expect_same_time([&] { core0.read_uncached(device, 4); });
}

TEST_F(InterruptedTest, Execute) {
  expect_same_time([&] { core0.execute(50_ns); });
}

TEST_F(InterruptedTest, Fence) {
  expect_same_time([&] { core0.mfence(); });
}

TEST_F(InterruptedTest, Wbinvd) {
  expect_same_time([&] { core0.wbinvd(); });
}

}  // namespace
}  // namespace ioasim::cpu
