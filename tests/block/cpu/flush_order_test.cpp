// Flushes of lines: what they do, how long they take, and what orders them (hardware.md 3.4; SDM
// vol. 2, CLFLUSH, CLFLUSHOPT, CLWB).
#include <gtest/gtest.h>

#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

using cache::State;

constexpr Hpa x{0x1000};
constexpr Hpa y{0x1040};

class FlushOrderTest : public test::CorePairBench {
 protected:
  // One flush of an absent line, from the core's buffer to its end.
  static constexpr auto flush = reach_home + llc + 30_ns;

  // The line is modified in core 0, and nothing is under way.
  void dirty(Hpa line, std::uint64_t value) {
    core0.store(line, value);
    core0.mfence();
  }
  void ring() { core0.write_uncached(device, 1, 4); }
};

// ---- clflush: one after the other, ordered with everything ----

TEST_F(FlushOrderTest, ClflushIsSerial) {
  run([&] {
    for (unsigned n = 0; n < 16; ++n) core0.clflush(x + n * line_bytes);
    EXPECT_EQ(now(), 16 * flush);
  });
}

TEST_F(FlushOrderTest, ClflushComesAfterOlderStoresToAnyLine) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.clflush(y);
    EXPECT_EQ(now(), miss + flush);
    dirty(x, 6);
    core0.store<std::uint64_t>(x, 7);
    core0.clflush(x);
    EXPECT_EQ(memory(x), 7u);
    EXPECT_FALSE(cached(x));
  });
}

TEST_F(FlushOrderTest, ClflushNeedsNoFenceBeforeADoorbell) {
  run([&] {
    dirty(x, 5);
    core0.clflush(x);
    ring();
    EXPECT_EQ(not_snooped(x), 5u);
  });
}

// ---- clflushopt: side by side ----

// Four buffers, each for `flush`; the k-th flush of four begins k cycles after the first.
TEST_F(FlushOrderTest, ClflushoptGoesAsFastAsFillBuffersPermit) {
  run([&] {
    for (unsigned n = 0; n < 16; ++n) core0.clflushopt(x + n * line_bytes);
    core0.sfence();
    EXPECT_EQ(now(), 16 / 4 * flush + 3 * cycle + fence);
  });
}

// Eight entries of the store buffer, four of fill buffers.
TEST_F(FlushOrderTest, ClflushoptEndsInTheStoreBuffer) {
  run([&] {
    for (unsigned n = 0; n < 12; ++n) {
      EXPECT_EQ(time_of([&] { core0.clflushopt(x + n * line_bytes); }), cycle);
    }
    core0.clflushopt(y);
    EXPECT_EQ(now(), flush + cycle);
  });
}

TEST_F(FlushOrderTest, FencesWaitForFlushesInFlight) {
  run([&] {
    core0.clflushopt(x);
    core0.sfence();
    EXPECT_EQ(now(), flush + fence);
    core0.clwb(x);
    core0.mfence();
    EXPECT_EQ(now(), 2 * (flush + fence));
    core0.clflushopt(x);
    EXPECT_EQ(time_of([&] { core0.lfence(); }), fence);
  });
}

TEST_F(FlushOrderTest, LockedOperationWaitsForFlushesInFlight) {
  run([&] {
    core0.load<std::uint64_t>(y);
    core0.store<std::uint64_t>(y, 0);
    const auto begin = now();
    core0.clflushopt(x);
    core0.lock_add(y, 1, 8);
    EXPECT_EQ(now() - begin, flush + l1 + 8_ns);
  });
}

// The line is still on its way into the cache when the flush is executed.
TEST_F(FlushOrderTest, ClflushoptComesAfterAnOlderStoreToItsLineThatMisses) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.clflushopt(x);
    EXPECT_EQ(now(), 2 * cycle);
    core0.sfence();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_FALSE(cached(x));
    EXPECT_EQ(now(), miss + flush + snoop + fence);
  });
}

TEST_F(FlushOrderTest, ClflushoptComesAfterOlderStoresThatWaitBehindOthers) {
  run([&] {
    for (unsigned n = 1; n < 6; ++n) core0.store<std::uint64_t>(x + n * 0x1000, n);
    core0.store<std::uint64_t>(x, 5);
    core0.store<std::uint64_t>(x + 8, 6);
    core0.clflushopt(x);
    core0.sfence();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(memory(x + 8), 6u);
    EXPECT_FALSE(cached(x));
  });
}

TEST_F(FlushOrderTest, ClflushoptComesAfterALineThatIsBroughtIn) {
  run([&] {
    core0.prefetch(x);
    core0.clflushopt(x);
    core0.sfence();
    EXPECT_FALSE(cached(x));
    EXPECT_EQ(now(), miss + flush + snoop + fence);
  });
}

TEST_F(FlushOrderTest, YoungerStoreDoesNotWaitForAClflushopt) {
  run([&] {
    dirty(x, 5);
    dirty(y, 5);
    core0.clflushopt(x);
    core0.store<std::uint64_t>(y, 6);
    EXPECT_EQ(snooped(y), 6u);
    core0.store<std::uint64_t>(x, 7);  // before or after the flush: it is not lost
    core0.sfence();
    EXPECT_EQ(snooped(x), 7u);
  });
}

// ---- invariant 32 ----

TEST_F(FlushOrderTest, DoorbellMayOvertakeAClflushopt) {
  run([&] {
    dirty(x, 5);
    core0.clflushopt(x);
    ring();
    EXPECT_EQ(not_snooped(x), 0u);
    EXPECT_EQ(snooped(x), 5u);
  });
}

// The store has left the store buffer when the doorbell rings, the flush behind it not its buffer.
TEST_F(FlushOrderTest, DoorbellWaitsForStoresNotForTheFlushesBehindThem) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.clflushopt(x);
    ring();
    EXPECT_EQ(registers.seen.at(0).at, miss);
    EXPECT_EQ(snooped(x), 5u);
    EXPECT_EQ(not_snooped(x), 0u);
    sleep(100_ns);
    EXPECT_EQ(not_snooped(x), 5u);
  });
}

TEST_F(FlushOrderTest, DoorbellAfterSfenceNeverOvertakesAFlush) {
  run([&] {
    for (unsigned n = 1; n < 64; ++n) {
      const Hpa at = x + n * line_bytes;
      Core& writer = n % 2 == 0 ? core0 : core1;
      writer.store<std::uint64_t>(at, n);
      if (n % 3 != 0) writer.mfence();
      if (n % 5 == 0) core0.load<std::uint64_t>(at);
      sleep(100_ns);
      core0.store<std::uint64_t>(at + 8, n);
      if (n % 4 == 0) {
        core0.clwb(at);
      } else {
        core0.clflushopt(at);
      }
      core0.sfence();
      ring();
      EXPECT_EQ(not_snooped(at), n);
      EXPECT_EQ(not_snooped(at + 8), n);
    }
  });
}

// ---- weakly ordered stores of the same core ----

// Ordered with all stores: each of two buffers goes to memory first.
TEST_F(FlushOrderTest, ClflushComesAfterOlderNonTemporalStores) {
  run([&] {
    core0.store_nt(x, test::word(7));
    core0.store_nt(y, test::word(8));
    core0.clflush(x);
    EXPECT_EQ(memory(x), 7u);
    EXPECT_EQ(memory(y), 8u);
    EXPECT_EQ(now(), 2 * cycle + miss + flush);
  });
}

// Ordered with those to their line, which must have left the core.
TEST_F(FlushOrderTest, WeakFlushesComeAfterOlderNonTemporalStoresToTheirLine) {
  run([&] {
    core0.store_nt(x, test::word(7));
    core0.store_nt(y, test::word(8));
    EXPECT_EQ(time_of([&] { core0.clflushopt(x); }), reach_home + cycle);
    sleep(1_us);
    EXPECT_EQ(memory(x), 7u);
    EXPECT_EQ(memory(y), 0u);
    EXPECT_EQ(time_of([&] { core0.clwb(y); }), reach_home + cycle);
    sleep(1_us);
    EXPECT_EQ(memory(y), 8u);
    EXPECT_EQ(time_of([&] { core0.clwb(y); }), cycle);
  });
}

// ---- clwb ----

// Invariant 33; that the line is kept is the model's choice (hardware.md 6.18).
TEST_F(FlushOrderTest, ClwbUpdatesMemoryAndKeepsTheLine) {
  run([&] {
    dirty(x, 5);
    core0.clwb(x);
    core0.sfence();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(state(0, x), State::exclusive);
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.load<std::uint64_t>(x), 5u); }), l1);
    dirty(x, 6);  // it may be written again, and be written back again
    EXPECT_EQ(memory(x), 5u);
    core0.clwb(x);
    core0.sfence();
    EXPECT_EQ(memory(x), 6u);
  });
}

TEST_F(FlushOrderTest, ClwbReachesALineOfAnotherCore) {
  run([&] {
    core1.store<std::uint64_t>(x, 5);
    core1.mfence();
    core0.clwb(x);
    core0.sfence();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(state(1, x), State::exclusive);
    EXPECT_EQ(state(0, x), State::invalid);
  });
}

TEST_F(FlushOrderTest, ClwbComesAfterAnOlderStoreToItsLineThatMisses) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.clwb(x);
    core0.sfence();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(state(0, x), State::exclusive);
  });
}

// ---- beside the point ----

TEST_F(FlushOrderTest, OutsideMemoryThereIsNothingToFlush) {
  run([&] {
    core0.clflush(device);
    core0.clflushopt(device);
    core0.clwb(device);
    core0.sfence();
    EXPECT_EQ(now(), 30_ns + 2 * cycle + fence);
    EXPECT_TRUE(registers.seen.empty());
  });
}

TEST_F(FlushOrderTest, FlushOfAMiddleByteTakesTheWholeLine) {
  run([&] {
    dirty(x, 5);
    core0.clflushopt(x + 63);
    core0.sfence();
    EXPECT_FALSE(cached(x));
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(core0.stats().flushes.n, 1u);
  });
}

}  // namespace
}  // namespace ioasim::cpu
