// wbinvd, wbnoinvd and invd: how long they take, to the picosecond, and what they leave. What
// others see meanwhile is in cache_flush_race_test.cpp.
//
// Of the two channels of memory, that of a line is the parity of its number.
// Level 2 has 16 lines, the last level 128 sets of 8; a tag takes 1 ns.
#include "base/slice_hash.hpp"
#include "block/cache/home_bench.hpp"

namespace ioasim::cache {
namespace {

using trace::Flush;

constexpr std::uint64_t line = 0x4000;
constexpr Picoseconds scan_of_level_2{16'000};
constexpr Picoseconds scan_of_set{8'000};
constexpr Picoseconds whole_scan = scan_of_level_2 + 128 * scan_of_set;

class CacheFlush : public HomeBench {
 protected:
  using HomeBench::HomeBench;

  Picoseconds duration(Flush instruction, unsigned core = 0) {
    const auto begin = now();
    const Result& result = flush_all(core, instruction);
    settle();
    EXPECT_TRUE(result.done);
    return result.done_at - begin;
  }
  // Modified lines in the last level: the first `ways` of each of the first `sets`.
  void dirty_lines(unsigned sets, unsigned ways) {
    home.set_io_ways(0, 0xff);
    for (unsigned way = 0; way < ways; ++way) {
      for (unsigned set = 0; set < sets; ++set) {
        write(set * 64 + way * set_stride, 0x11 + way);
        settle();
      }
    }
  }
};

// ---- nothing to write ----

TEST_F(CacheFlush, OfEmptyCachesTakesTheScan) {
  run([&] {
    for (const auto instruction : {Flush::wbinvd, Flush::wbnoinvd, Flush::invd}) {
      EXPECT_EQ(duration(instruction), whole_scan);
    }
  });
}

TEST_F(CacheFlush, OfCleanLinesTakesTheScan) {
  run([&] {
    for (const auto instruction : {Flush::wbnoinvd, Flush::invd, Flush::wbinvd}) {
      for (unsigned n = 0; n < 100; ++n) load(n % 2, line + n * 64), settle();
      EXPECT_EQ(duration(instruction), whole_scan);
    }
    EXPECT_EQ(memory.stats().writes.n, 0u);
  });
}

class SlicedFlush : public CacheFlush {
 protected:
  static Params params() {
    auto changed = small();
    changed.llc.slices = 4;
    changed.flush.tag_scan = 700_ps;
    return changed;
  }
  SlicedFlush() : CacheFlush{params()} {}
};

TEST_F(SlicedFlush, SlicesAreScannedSideBySide) {
  run([&] {
    for (unsigned n = 0; n < 100; ++n) load(0, line + n * 64), settle();
    EXPECT_EQ(duration(Flush::wbinvd), (16 + 128 / 4 * 8) * 700_ps);
  });
}

// ---- modified lines ----

// The write of the last one ends after the scan.
TEST_F(CacheFlush, TheLastWriteIsWaitedFor) {
  run([&] {
    dirty_lines(128, 1);
    EXPECT_EQ(duration(Flush::wbinvd), scan_of_level_2 + 127 * scan_of_set + dram);
    EXPECT_EQ(memory.stats().writes.n, 128u);
    dirty_lines(100, 1);  // within the time of the 28 sets after them
    EXPECT_EQ(duration(Flush::wbinvd), whole_scan);
  });
}

// A scan that takes next to nothing: what is left is memory.
template <unsigned entries>
class FastScan : public CacheFlush {
 protected:
  static constexpr Picoseconds level_2{16};
  static constexpr Picoseconds set{8};

  static Params params() {
    auto changed = small();
    changed.flush.tag_scan = 1_ps;
    changed.home.write_buffers = entries;
    return changed;
  }
  FastScan() : CacheFlush{params()} {}
};
using NoLimit = FastScan<4096>;
using SixtyFour = FastScan<64>;
using Four = FastScan<4>;
using One = FastScan<1>;

// Of the eight lines of each set, four are of each channel: both begin with the first set.
TEST_F(NoLimit, DirtyLinesAreBoundByTheChannels) {
  run([&] {
    dirty_lines(128, 8);
    EXPECT_EQ(duration(Flush::wbinvd), level_2 + 512 * transfer + 50_ns);
    EXPECT_EQ(memory.stats().writes.n, 1024u);
  });
}

TEST_F(NoLimit, OneChannelIsTheBoundIfAllAreOfIt) {
  run([&] {
    const SliceHash channel{2, 0};
    for (unsigned n = 0; n < 128; ++n) {
      if (channel.of(n) == 0) write(n * 64, 1), settle();
    }
    EXPECT_EQ(duration(Flush::wbinvd), level_2 + 64 * transfer + 50_ns);
    EXPECT_EQ(memory.stats().writes.n, 64u);
  });
}

// 64 lines cover the latency of memory many times: the channels stay the bound. Of one line a set,
// channel 1 has its first in the second set.
TEST_F(SixtyFour, EnoughBuffersChangeNothing) {
  run([&] {
    dirty_lines(128, 1);
    EXPECT_EQ(duration(Flush::wbinvd), level_2 + set + 64 * transfer + 50_ns);
  });
}

// Four lines are on their way at once, two of each channel: four each time that memory takes.
TEST_F(Four, FewBuffersAreTheBound) {
  run([&] {
    dirty_lines(100, 1);
    EXPECT_EQ(duration(Flush::wbinvd), level_2 + set + 25 * dram + transfer);
  });
}

TEST_F(One, WithOneBufferEachLineTakesTheLatencyOfMemory) {
  run([&] {
    dirty_lines(100, 1);
    EXPECT_EQ(duration(Flush::wbinvd), level_2 + 100 * dram);
  });
}

// What level 2 holds modified goes to the last level, without a write buffer, and to memory from
// there.
TEST_F(One, Level2IsFlushedIntoTheLastLevel) {
  run([&] {
    for (unsigned n = 0; n < 8; ++n) store(0, line + n * 64, n + 1), settle();
    EXPECT_EQ(duration(Flush::wbinvd), level_2 + 8 * dram);
    EXPECT_EQ(memory.stats().writes.n, 8u);
    for (unsigned n = 0; n < 8; ++n) EXPECT_EQ(in_memory(line + n * 64), n + 1);
  });
}

// It drops lines, and writes none.
TEST_F(One, InvdNeedsNoBuffer) {
  run([&] {
    dirty_lines(100, 1);
    EXPECT_EQ(duration(Flush::invd), level_2 + 128 * set);
    EXPECT_EQ(memory.stats().writes.n, 0u);
  });
}

// ---- what is left ----

TEST_F(CacheFlush, WbinvdLeavesNothing) {
  run([&] {
    store(0, line, 5);
    settle();
    load(1, line + 64);
    settle();
    duration(Flush::wbinvd);
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(state(1, line + 64), State::invalid);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(load(0, line).done_at, now() + lookup + dram);
  });
}

// Invariant 29.
TEST_F(CacheFlush, WbnoinvdLeavesLinesCleanAndValid) {
  run([&] {
    store(0, line, 5);
    write(line + 64, 6);
    settle();
    duration(Flush::wbnoinvd);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(in_memory(line + 64) & 0xff, 6u);
    EXPECT_EQ(state(0, line), State::exclusive);
    EXPECT_EQ(read(line + 64).done_at, now() + lookup);
    settle();
    const auto writes = memory.stats().writes.n;
    EXPECT_EQ(duration(Flush::wbnoinvd), whole_scan);
    EXPECT_EQ(memory.stats().writes.n, writes);
    write_no_snoop(line, 9);
    settle();
    EXPECT_EQ(load(0, line).value, 5u);
  });
}

// Of what another core holds modified too, through an inclusive last level.
TEST_F(CacheFlush, WbnoinvdCleansOtherCoresLines) {
  run([&] {
    store(1, line, 5);
    settle();
    duration(Flush::wbnoinvd);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(state(1, line), State::exclusive);
    EXPECT_EQ(breach(line), "");
  });
}

// Invariant 30.
TEST_F(CacheFlush, InvdLosesWhatMemoryDoesNotHave) {
  test::Recorder<trace::LineLost> lost;
  bus.add(lost);
  run([&] {
    store(0, line, 5);
    write(line + 64, 6);
    load(0, line + 128);
    settle();
    EXPECT_EQ(duration(Flush::invd), whole_scan);
    EXPECT_EQ(memory.stats().writes.n, 0u);
    EXPECT_EQ(load(0, line).value, 0u);
    EXPECT_EQ(load(0, line + 64).value, 0u);
    ASSERT_EQ(lost.entries.size(), 2u);
    EXPECT_EQ(lost.entries[0].event.address, Hpa{line});
    EXPECT_EQ(lost.entries[1].event.address, Hpa{line + 64});
  });
}

TEST_F(CacheFlush, TellsWhatItDid) {
  test::Recorder<trace::CachesFlushed> told;
  bus.add(told);
  run([&] {
    store(0, line, 5);     // in level 2 and in the last level
    load(0, line + 64);    // the same
    write(line + 128, 6);  // in the last level
    settle();
    duration(Flush::wbnoinvd);
    store(1, line, 7);
    settle();
    duration(Flush::wbinvd, 1);
    ASSERT_EQ(told.entries.size(), 2u);
    EXPECT_EQ(told.entries[0].event.core, 0u);
    EXPECT_EQ(told.entries[0].event.lines, 0u);
    EXPECT_EQ(told.entries[0].event.written_back, 2u);
    EXPECT_EQ(told.entries[0].event.duration, whole_scan);
    EXPECT_EQ(told.entries[1].event.core, 1u);
    EXPECT_EQ(told.entries[1].event.instruction, Flush::wbinvd);
    EXPECT_EQ(told.entries[1].event.lines, 1u + 3u);
    EXPECT_EQ(told.entries[1].event.written_back, 1u);
  });
}

// ---- a last level that is not inclusive ----

class FilterFlush : public CacheFlush {
 protected:
  static Params params() {
    auto changed = small();
    changed.llc.inclusive = false;
    changed.filter = {.covers = 64_KiB, .ways = 8};
    return changed;
  }
  FilterFlush() : CacheFlush{params()} {}
};

TEST_F(FilterFlush, TakesTheOwnLinesAndTheSharedLevelsAndNobodyElses) {
  run([&] {
    store(0, line, 5);
    store(1, line + 64, 6);
    write(line + 128, 7);
    settle();
    EXPECT_EQ(duration(Flush::wbinvd), whole_scan);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(in_memory(line + 64), 0u);
    EXPECT_EQ(in_memory(line + 128) & 0xff, 7u);
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(state(1, line + 64), State::modified);
    EXPECT_EQ(load(0, line + 64).value, 6u);
  });
}

// A line of both: the last level's copy goes, the other core's stays.
TEST_F(FilterFlush, AnotherCoresCopyOfAFlushedLineIsStillTracked) {
  run([&] {
    store(0, line, 5);
    settle();
    load(1, line);  // and so in the last level, newer than memory
    settle();
    duration(Flush::wbinvd);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(state(1, line), State::shared);
    EXPECT_EQ(breach(line), "");
    store(0, line, 6);
    settle();
    EXPECT_EQ(state(1, line), State::invalid);
  });
}

}  // namespace
}  // namespace ioasim::cache
