// When the home agent of one socket answers: tag pipelines, requests for one line one after the
// other, locks, snoops. To the picosecond.
#include "base/slice_hash.hpp"
#include "block/cache/home_bench.hpp"

namespace ioasim::cache {
namespace {

using test::Request;

constexpr std::uint64_t a = 0x4000;  // of channel 1
constexpr std::uint64_t b = 0x4040;  // of channel 0
constexpr std::uint64_t c = 0x40c0;  // of channel 1

class OneSocket : public HomeBench {
 protected:
  using HomeBench::HomeBench;

  // The line is in the last level, and nothing is under way.
  void bring_in(std::uint64_t address) {
    write(address, 1);
    settle();
  }
};

// ---- the tag pipeline of a slice ----

class Pipeline : public OneSocket {
 protected:
  static constexpr unsigned slices = 4;
  static constexpr Picoseconds cycle{2'000};

  static Params params() {
    auto changed = small();
    changed.llc.slices = slices;
    changed.llc.pipeline = cycle;
    return changed;
  }
  Pipeline() : OneSocket{params()} {}

  // The n-th line of a slice.
  static std::uint64_t line_of(unsigned slice, unsigned n) {
    constexpr std::uint64_t sets = 64 * 1024 / line_bytes / 8 / slices;
    const SliceHash hash{slices, static_cast<unsigned>(std::countr_zero(sets))};
    for (std::uint64_t line = 0;; ++line) {
      if (hash.of(line) == slice && n-- == 0) return line * line_bytes;
    }
  }
};

TEST_F(Pipeline, LookupsOfASliceFollowEachOther) {
  run([&] {
    for (unsigned n = 0; n < 6; ++n) bring_in(line_of(1, n));
    const auto begin = now();
    for (unsigned n = 0; n < 6; ++n) {
      EXPECT_EQ(read(line_of(1, n)).done_at, begin + n * cycle + lookup) << n;
    }
  });
}

TEST_F(Pipeline, SlicesWorkSideBySide) {
  run([&] {
    for (unsigned slice = 0; slice < slices; ++slice) bring_in(line_of(slice, 0));
    const auto begin = now();
    for (unsigned slice = 0; slice < slices; ++slice) {
      EXPECT_EQ(read(line_of(slice, 0)).done_at, begin + lookup);
    }
  });
}

TEST_F(Pipeline, ALookupThatComesAtItsEndIsNotDelayed) {
  run([&] {
    for (unsigned n = 0; n < 3; ++n) bring_in(line_of(2, n));
    const auto begin = now();
    read(line_of(2, 0));
    sleep(cycle - 1_ps);
    EXPECT_EQ(read(line_of(2, 1)).done_at, begin + cycle + lookup);
    sleep_until(begin + 2 * cycle);
    EXPECT_EQ(read(line_of(2, 2)).done_at, begin + 2 * cycle + lookup);
  });
}

// Lines of one slice are of one channel here. With two hits between them, the second miss comes
// when memory has transferred the first.
TEST_F(Pipeline, MissesReachMemoryAsTheyLeaveIt) {
  run([&] {
    for (unsigned n = 1; n < 3; ++n) bring_in(line_of(0, n));
    const auto begin = now();
    EXPECT_EQ(read(line_of(0, 0)).done_at, begin + lookup + dram);
    for (unsigned n = 1; n < 3; ++n) read(line_of(0, n));
    EXPECT_EQ(read(line_of(0, 3)).done_at, begin + 3 * cycle + lookup + dram);
  });
}

// ---- one line ----

using SameLine = OneSocket;

// P-16: two requests for one line are served one after the other.
TEST_F(SameLine, AHitFollowsAHit) {
  run([&] {
    bring_in(a);
    const auto begin = now();
    EXPECT_EQ(read(a).done_at, begin + lookup);
    EXPECT_EQ(read(a).done_at, begin + 2 * lookup);
    EXPECT_EQ(read(a).done_at, begin + 3 * lookup);
    EXPECT_EQ(read(c).done_at, begin + lookup + dram);  // another line is not delayed
    EXPECT_EQ(home.stats().waited_for_line.n, 2u);
  });
}

TEST_F(SameLine, AHitWaitsForTheMissThatBringsTheLineIn) {
  run([&] {
    EXPECT_EQ(load(0, a).done_at, lookup + dram);
    sleep(1_ns);
    // The core holds it alone, and is asked.
    EXPECT_EQ(load(1, a).done_at, (lookup + dram) + lookup + snoop);
  });
}

TEST_F(SameLine, ReadsThatDoNotAllocateReadMemoryEachInItsTurn) {
  run([&] {
    const Request& first = read(a);
    const Request& second = read(a);
    const Request& third = read(a);
    EXPECT_FALSE(second.done);  // not known yet
    settle();
    EXPECT_EQ(first.done_at, lookup + dram);
    EXPECT_EQ(second.done_at, 2 * (lookup + dram));
    EXPECT_EQ(third.done_at, 3 * (lookup + dram));
    EXPECT_EQ(memory.stats().reads.n, 3u);
  });
}

TEST_F(SameLine, AReadAfterAWriteWaitsForIt) {
  run([&] {
    EXPECT_EQ(write(a, 1, 4).done_at, lookup + dram);
    sleep(1_ns);
    const Request& got = read(a, 4);
    EXPECT_EQ(got.done_at, lookup + dram + lookup);
    EXPECT_EQ(got.value(), 0x0101'0101u);
  });
}

TEST_F(SameLine, AWriteAfterAReadWaitsForIt) {
  run([&] {
    EXPECT_EQ(read(a).done_at, lookup + dram);
    const Request& second = write(a, 1);
    settle();
    EXPECT_EQ(second.done_at, lookup + dram + lookup);
  });
}

TEST_F(SameLine, ARequestThatComesAtTheEndOfAnotherDoesNotWait) {
  run([&] {
    read(a);
    sleep(lookup + dram - 1_ps);
    const Request& early = read(b);  // of no interest: another line
    EXPECT_EQ(early.done_at, now() + lookup + dram);
    sleep(1_ps);
    EXPECT_EQ(read(a).done_at, now() + lookup + dram);
    EXPECT_EQ(home.stats().waited_for_line.n, 0u);
  });
}

// A request that waits for another has the line too.
TEST_F(SameLine, AThirdRequestComesAfterTheSecond) {
  run([&] {
    const Request& first = read(a);
    const Request& second = write(a, 1, 4);
    const Request& third = read(a);
    settle();
    EXPECT_EQ(first.done_at, lookup + dram);
    EXPECT_EQ(second.done_at, 2 * (lookup + dram));
    EXPECT_EQ(third.done_at, 2 * (lookup + dram) + lookup);
  });
}

TEST_F(SameLine, ALockedLineIsWaitedFor) {
  run([&] {
    bring_in(a);
    bring_in(b);
    const auto begin = now();
    lock(0, a, 100_ns);
    EXPECT_EQ(read(a).done_at, begin + 100_ns + lookup);
    EXPECT_EQ(read(b).done_at, begin + lookup);
  });
}

TEST_F(SameLine, ALineIsFreeAtTheEndOfItsLock) {
  run([&] {
    bring_in(a);
    lock(0, a, 100_ns);
    sleep(100_ns);
    EXPECT_EQ(read(a).done_at, now() + lookup);
  });
}

// A no-snoop access goes round the line's request too.
TEST_F(SameLine, NoSnoopAccessesWaitForNothing) {
  run([&] {
    lock(0, a, 100_ns);
    EXPECT_EQ(write_no_snoop(a, 3).done_at, dram);
  });
}

// ---- snoops ----

using Snoops = OneSocket;

TEST_F(Snoops, ALineThatAnotherCoreHasModifiedTakesASnoop) {
  run([&] {
    store(0, a, 5);
    settle();
    const Result& got = load(1, a);
    EXPECT_EQ(got.done_at, now() + lookup + snoop);
    EXPECT_EQ(got.value, 5u);
    settle();
    EXPECT_EQ(read(a).done_at, now() + lookup);  // the last level has it now
  });
}

TEST_F(Snoops, AnUpgradeTakesTheOtherCopiesOutInOneSnoop) {
  run([&] {
    load(0, a);
    settle();
    load(1, a);
    settle();
    EXPECT_EQ(store(1, a, 5).done_at, now() + lookup + snoop);
    EXPECT_EQ(state(0, a), State::invalid);
  });
}

TEST_F(Snoops, AnUpgradeOfAnUnsharedLineTakesNone) {
  run([&] {
    load(0, a);
    settle();
    load(1, a);
    settle();
    for (const auto other : {a + l2_stride, a + 2 * l2_stride}) {  // displace core 1's copy
      load(1, other);
      settle();
    }
    EXPECT_EQ(state(0, a), State::shared);
    EXPECT_EQ(state(1, a), State::invalid);
    EXPECT_EQ(store(0, a, 5).done_at, now() + lookup);
    EXPECT_EQ(state(0, a), State::modified);
  });
}

TEST_F(Snoops, AFlushAsksThoseThatHoldTheLine) {
  run([&] {
    using enum trace::Flush;
    EXPECT_EQ(flush(0, a, clflush).done_at, now() + lookup);
    settle();
    store(1, a, 5);
    settle();
    EXPECT_EQ(flush(0, a, clwb).done_at, now() + lookup + snoop);
    settle();
    EXPECT_EQ(in_memory(a), 5u);
    EXPECT_EQ(flush(0, a, clflush).done_at, now() + lookup + snoop);
    settle();
    write(a, 1);
    settle();
    EXPECT_EQ(flush(0, a, clflush).done_at, now() + lookup);  // only the last level has it
  });
}

}  // namespace
}  // namespace ioasim::cache
