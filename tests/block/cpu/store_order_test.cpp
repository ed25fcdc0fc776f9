// The store buffer: when stores become visible, in which order, and to whom before the others
// (SDM vol. 3, 9.2.2).
#include <gtest/gtest.h>

#include <array>

#include "base/prng.hpp"
#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

using test::Data;

constexpr Hpa x{0x1000};
constexpr Hpa y{0x1040};

class StoreOrderTest : public test::CorePairBench {
 protected:
  using CorePairBench::CorePairBench;

  // Makes core 0 the owner of the line.
  void own(Core& core, Hpa line) {
    core.lock_add(line, 0, 8);
    core.mfence();
  }
};

// ---- visible later, in order ----

TEST_F(StoreOrderTest, StoreEndsInTheBufferAndIsVisibleWhenItsLineMayBeWritten) {
  run([&] {
    core0.store<std::uint64_t>(x, 1);
    EXPECT_EQ(now(), cycle);
    sleep_until(reach_home - 1_ps);
    EXPECT_EQ(snooped(x), 0u);
    sleep_until(reach_home + 1_ps);
    EXPECT_EQ(snooped(x), 1u);
    own(core0, y);
    core0.store<std::uint64_t>(y, 1);
    EXPECT_EQ(snooped(y), 1u);  // its own line, and nothing before it: at once
  });
}

TEST_F(StoreOrderTest, StoreThatHitsWaitsForAnOlderOneThatMisses) {
  run([&] {
    own(core0, y);
    const auto begin = now();
    core0.store<std::uint64_t>(x, 1);
    core0.store<std::uint64_t>(y, 1);
    EXPECT_EQ(now() - begin, 2 * cycle);
    sleep_until(begin + miss - 1_ps);
    EXPECT_EQ(snooped(y), 0u);
    sleep_until(begin + miss + 1_ps);
    EXPECT_EQ(snooped(y), 1u);
  });
}

// Message passing: who sees the flag sees the data.
TEST_F(StoreOrderTest, FlagIsNeverSeenBeforeItsData) {
  constexpr unsigned rounds = 40;
  constexpr auto period = 1_us;
  const auto data = [](unsigned round) { return Hpa{0x10000} + round * 0x200; };
  const auto flag = [&](unsigned round) { return data(round) + 0x100; };
  unsigned early_loads = 0;
  also([&] {
    for (unsigned round = 0; round < rounds; ++round) {
      if (round % 2 == 0) core1.load<std::uint64_t>(flag(round));  // takes it from core 0
      sleep_until(period * (round + 1));
      if (round % 3 == 0) core1.load<std::uint64_t>(data(round));
      while (core1.load<std::uint64_t>(flag(round)) == 0) {
      }
      if (core1.load<std::uint64_t>(data(round)) != round + 1) ++early_loads;
    }
  });
  for (unsigned n = 0; n < rounds * 100; ++n) {
    at(period + n * 10_ns, [=, this] {
      const unsigned round = n / 100;
      if (snooped(flag(round)) != 0) {
        EXPECT_EQ(snooped(data(round)), round + 1);
      }
    });
  }
  run([&] {
    for (unsigned round = 0; round < rounds; ++round) {
      own(core0, flag(round));
      sleep_until(period * (round + 1) + (round % 20) * 5_ns);
      core0.store<std::uint64_t>(data(round), round + 1);
      core0.store<std::uint64_t>(flag(round), 1);
    }
  });
  EXPECT_EQ(early_loads, 0u);
}

// What a snooping device sees at one instant is what memory would be after some number of the
// core's stores, however their lines come and go.
TEST_F(StoreOrderTest, DeviceSeesAPrefixOfTheStores) {
  constexpr unsigned lines = 12;
  constexpr unsigned stores = 600;
  const auto line = [](std::uint64_t n) { return Hpa{0x8000} + n * line_bytes; };
  Prng random{1, "stores"};
  std::array<unsigned, stores + 1> target{};
  for (unsigned n = 1; n <= stores; ++n) {
    target[n] = static_cast<unsigned>(random.between(0, lines - 1));
  }
  unsigned snapshots = 0;
  bool over = false;
  also([&] {
    Prng times{2, "device"};
    while (!over) {
      sleep(Picoseconds{static_cast<std::int64_t>(times.between(500, 20'000))});
      std::array<std::uint64_t, lines> seen{};
      for (unsigned n = 0; n < lines; ++n) seen[n] = snooped(line(n));
      std::array<std::uint64_t, lines> expected{};
      for (unsigned n = 1; n <= *std::ranges::max_element(seen); ++n) expected[target[n]] = n;
      EXPECT_EQ(seen, expected);
      ++snapshots;
      if (times.one_in(3)) core1.load<std::uint64_t>(line(times.between(0, lines - 1)));
      if (times.one_in(3)) core1.lock_add(line(times.between(0, lines - 1)) + 8, 1, 8);
    }
  });
  run([&] {
    for (std::uint64_t n = 1; n <= stores; ++n) {
      core0.store(line(target[n]), n);
      if (random.one_in(8)) core0.execute(40_ns);
    }
    core0.mfence();
    over = true;
  });
  EXPECT_GT(snapshots, 50u);
}

// ---- store buffering: both may miss the other's store, unless something is in between. An older
// store that misses keeps it in the buffer for a while ----

class StoreBufferingTest : public StoreOrderTest {
 protected:
  // How often both cores read 0.
  template <class Between>
  unsigned both_zero(Between between) {
    constexpr unsigned rounds = 81;
    std::array<std::array<std::uint64_t, rounds>, 2> seen{};
    const auto play = [&, between](unsigned me) {
      Core& core = me == 0 ? core0 : core1;
      for (unsigned round = 0; round < rounds; ++round) {
        const std::array mine{Hpa{0x10000} + round * 0x100, Hpa{0x10080} + round * 0x100};
        core.load<std::uint64_t>(mine[0]);
        core.load<std::uint64_t>(mine[1]);
        const auto lead = me == 0 ? 200_ns : 4_ns * static_cast<std::int64_t>(round + 10);
        sleep_until(2_us * static_cast<std::int64_t>(round + 1) + lead);
        core.store<std::uint64_t>(Hpa{0x20000} + (2 * round + me) * line_bytes, 1);  // misses
        core.store<std::uint64_t>(mine[me], 1);
        between(core);
        seen[me][round] = core.load<std::uint64_t>(mine[1 - me]);
      }
    };
    also([=] { play(1); });
    run([=] { play(0); });
    unsigned count = 0;
    for (unsigned round = 0; round < rounds; ++round) {
      if (seen[0][round] == 0 && seen[1][round] == 0) ++count;
    }
    return count;
  }
};

TEST_F(StoreBufferingTest, BothLoadsMayOvertakeTheStores) {
  EXPECT_GT(both_zero([](Core&) {}), 0u);
}

TEST_F(StoreBufferingTest, LfenceDoesNotForbidIt) {
  EXPECT_GT(both_zero([](Core& core) { core.lfence(); }), 0u);
}

TEST_F(StoreBufferingTest, MfenceForbidsIt) {
  EXPECT_EQ(both_zero([](Core& core) { core.mfence(); }), 0u);
}

TEST_F(StoreBufferingTest, LockedOperationForbidsIt) {
  EXPECT_EQ(both_zero([](Core& core) { core.lock_add(Hpa{0x800 + core.number() * 0x40}, 1, 8); }),
            0u);
}

// ---- a load sees its own core's stores ----

TEST_F(StoreOrderTest, LoadIsAnsweredByTheStoreThatHoldsAllOfIt) {
  run([&] {
    core0.store<std::uint64_t>(x, 0x1111'2222'3333'4444);
    EXPECT_EQ(time_of([&] { EXPECT_EQ(core0.load<std::uint16_t>(x + 4), 0x2222u); }), l1);
    EXPECT_EQ(core0.stats().forwarded.n, 1u);
    core0.store<std::uint64_t>(x, 5);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 5u);  // the youngest
    EXPECT_EQ(core0.stats().forwarded.n, 2u);
    EXPECT_NE(snooped(x), 5u);  // of others nobody sees it yet
  });
}

TEST_F(StoreOrderTest, LoadOfMoreThanAStoreHoldsWaitsUntilItIsVisible) {
  run([&] {
    pair.system.device.debug_write(x.value, test::word(0x8877'6655'4433'2211));
    core0.store<std::uint16_t>(x + 2, 0xaaaa);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 0x8877'6655'aaaa'2211u);
    EXPECT_EQ(now(), miss + l1);
    EXPECT_EQ(core0.stats().forwarded.n, 0u);
  });
}

TEST_F(StoreOrderTest, SeveralStoresThatTogetherHoldALoadDoNotAnswerIt) {
  run([&] {
    core0.store<std::uint32_t>(x, 0x1111'1111);
    core0.store<std::uint32_t>(x + 4, 0x2222'2222);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 0x2222'2222'1111'1111u);
    EXPECT_EQ(now(), miss + l1);
    core0.clflush(x);
    core0.store<std::uint64_t>(x, 0x3333'3333'3333'3333);
    core0.store<std::uint8_t>(x + 7, 0x44);  // younger than what holds all of the load
    EXPECT_EQ(core0.load<std::uint64_t>(x), 0x4433'3333'3333'3333u);
    EXPECT_EQ(core0.stats().forwarded.n, 0u);
  });
}

TEST_F(StoreOrderTest, LoadAcrossLinesIsAnsweredLineByLine) {
  run([&] {
    const auto data = test::pattern(100, 3);
    core0.store(x + 30, data);
    Data got(100);
    EXPECT_EQ(time_of([&] { core0.load(x + 30, got); }), 2 * cycle + l1);
    EXPECT_EQ(got, data);
    EXPECT_EQ(core0.stats().forwarded.n, 3u);
    core0.mfence();
    core1.load(x + 30, got);
    EXPECT_EQ(got, data);
  });
}

TEST_F(StoreOrderTest, LoadOfOtherBytesUsesTheLineThatTheStoreBrings) {
  run([&] {
    pair.system.device.debug_write(x.value + 8, test::word(7));
    core0.store<std::uint64_t>(x, 1);
    EXPECT_EQ(core0.load<std::uint64_t>(x + 8), 7u);
    EXPECT_EQ(now(), miss);
    EXPECT_EQ(pair.system.home.stats().core_reads.n, 0u);
  });
}

// The store and the load of one line that wait for fill buffers get one each.
TEST_F(StoreOrderTest, LoadThatWaitsForABufferDoesNotUndoAStoreToItsLine) {
  run([&] {
    for (unsigned n = 0; n < 4; ++n) core0.prefetch(Hpa{0x4000} + n * line_bytes);
    core0.store<std::uint64_t>(x, 5);
    EXPECT_EQ(core0.load<std::uint64_t>(x + 8), 0u);
    core0.mfence();
    EXPECT_EQ(state(0, x), cache::State::modified);
    EXPECT_EQ(core1.load<std::uint64_t>(x), 5u);
  });
}

// ---- room, and misses side by side ----

// Eight entries: the first store has left at the home agent when the ninth comes, the second
// leaves when its line, claimed a cycle later than the first, is there.
TEST_F(StoreOrderTest, FullBufferHoldsUpTheNextStore) {
  run([&] {
    for (unsigned n = 0; n < 9; ++n) {
      EXPECT_EQ(time_of([&] { core0.store<std::uint64_t>(x + n * line_bytes, 1); }), cycle);
    }
    core0.store<std::uint64_t>(x + 9 * line_bytes, 1);
    EXPECT_EQ(now(), cycle + miss + cycle);
  });
}

// As MissesOfOneAccessOverlap of the loads: four lines on two channels.
TEST_F(StoreOrderTest, MissesOfSeveralStoresOverlap) {
  run([&] {
    for (unsigned n = 0; n < 4; ++n) core0.store<std::uint64_t>(x + n * line_bytes, 1);
    core0.mfence();
    EXPECT_EQ(now(), 3 * cycle + miss + 2_ns + fence);
  });
}

TEST_F(StoreOrderTest, StoreIsNotLostIfItsLineIsTakenAfterTheClaim) {
  at(20_ns, [&] { pair.system.device.write(y.value + 8, test::word(7)); });
  also([&] {
    sleep_until(30_ns);
    core1.store<std::uint64_t>(y + 16, 8);
  });
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.store<std::uint64_t>(y, 6);  // claims its line at 5 ns, and waits for x
    sleep_until(15_ns);
    EXPECT_EQ(state(0, y), cache::State::exclusive);
    sleep_until(50_ns);
    EXPECT_EQ(state(0, y), cache::State::invalid);
    core0.mfence();
    EXPECT_EQ(snooped(x), 5u);
    EXPECT_EQ(snooped(y), 6u);
    EXPECT_EQ(snooped(y + 8), 7u);
    EXPECT_EQ(snooped(y + 16), 8u);
  });
}

TEST_F(StoreOrderTest, StoresToDifferentWordsOfSharedLinesAreAllThere) {
  constexpr unsigned rounds = 300;
  const auto work = [&](Core& core) {
    Prng random{core.number(), "words"};
    std::array<std::uint64_t, 4> last{};
    for (std::uint64_t n = 1; n <= rounds; ++n) {
      const auto line = random.between(0, 3);
      core.store(x + line * line_bytes + core.number() * 8, n);
      last[line] = n;
      if (random.one_in(4)) {
        const auto other = random.between(0, 3);
        EXPECT_EQ(core.load<std::uint64_t>(x + other * line_bytes + core.number() * 8),
                  last[other]);
      }
    }
    core.mfence();
    for (unsigned line = 0; line < 4; ++line) {
      EXPECT_EQ(core.load<std::uint64_t>(x + line * line_bytes + core.number() * 8), last[line]);
    }
  };
  also([&] { work(core1); });
  run([&] { work(core0); });
}

// ---- what waits for stores ----

TEST_F(StoreOrderTest, FencesWaitUntilStoresAreVisible) {
  run([&] {
    core0.store<std::uint64_t>(x, 1);
    core0.mfence();
    EXPECT_EQ(now(), miss + fence);
    const auto begin = now();
    core0.store<std::uint64_t>(x + 0x1000, 1);
    core0.sfence();
    EXPECT_EQ(now() - begin, miss + fence);
    core0.store<std::uint64_t>(x + 0x2000, 1);
    EXPECT_EQ(time_of([&] { core0.lfence(); }), fence);
  });
}

TEST_F(StoreOrderTest, DoorbellComesAfterEveryOlderStore) {
  at(miss - 1_ps, [&] { EXPECT_TRUE(registers.seen.empty()); });
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.write_uncached(device, 1, 4);
    ASSERT_EQ(registers.seen.size(), 1u);
    EXPECT_EQ(registers.seen[0].at, miss);
    EXPECT_EQ(snooped(x), 5u);
  });
}

TEST_F(StoreOrderTest, UncachedReadComesAfterEveryOlderStore) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.read_uncached(device, 4);
    EXPECT_EQ(registers.seen.at(0).at, miss);
  });
}

}  // namespace
}  // namespace ioasim::cpu
