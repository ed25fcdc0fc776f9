// Flushes of whole caches while others look: every set is flushed at its own time, to the
// picosecond, whoever looks when.
//
// Level 2 has 8 sets of 2, the last level 128 sets of 8; a tag takes 1 ns. Flushes begin at
// `begin`.
#include <fmt/format.h>

#include "base/prng.hpp"
#include "block/cache/home_bench.hpp"
#include "support/forked.hpp"

namespace ioasim::cache {
namespace {

using test::Request;
using trace::Flush;

constexpr Picoseconds begin{100'000'000};
constexpr Picoseconds scan_of_level_2{16'000};
constexpr Picoseconds scan_of_set{8'000};
constexpr unsigned sets = 128;

// When the last level's set is flushed; and a line of it.
constexpr Picoseconds time_of(unsigned set) { return begin + scan_of_level_2 + set * scan_of_set; }
constexpr Picoseconds end_of_scan = time_of(sets);
constexpr std::uint64_t line_of(unsigned set, unsigned n = 0) {
  return set * 64 + (n + 1) * 0x2000;
}

class FlushRace : public HomeBench {
 protected:
  explicit FlushRace(const Params& params = small()) : HomeBench{params} {}

  // Modified lines in the last level, one a set.
  void dirty_sets() {
    for (unsigned set = 0; set < sets; ++set) write(line_of(set), 1), settle_short();
  }
  void settle_short() { sleep(200_ns); }
  const Result& start(Flush instruction, unsigned core = 0) {
    sleep_until(begin);
    return flush_all(core, instruction);
  }
  bool flushed(unsigned set) { return read_no_snoop(line_of(set)) != 0; }
};

// ---- what memory alone is seen to have ----

TEST_F(FlushRace, MemoryHasALineFromTheTimeOfItsSetOn) {
  run([&] {
    dirty_sets();
    start(Flush::wbinvd);
    for (const unsigned set : {0u, 1u, 64u, 127u}) {
      sleep_until(time_of(set) - 1_ps);
      EXPECT_FALSE(flushed(set)) << set;
      sleep(1_ps);
      EXPECT_TRUE(flushed(set)) << set;
    }
  });
}

// The same for one who looks once.
TEST_F(FlushRace, ALookInTheMiddleSeesTheFirstHalfFlushed) {
  run([&] {
    dirty_sets();
    start(Flush::wbnoinvd);
    sleep_until(time_of(64));
    for (unsigned set = 0; set < sets; ++set) EXPECT_EQ(flushed(set), set <= 64) << set;
  });
}

// Modified lines of level 2 come to the last level, and reach memory with its set.
TEST_F(FlushRace, Level2sLinesReachMemoryWithTheLastLevels) {
  run([&] {
    store(0, line_of(5), 7);
    const Result& done = start(Flush::wbinvd);
    sleep_until(begin + 10_ns);  // set 5 of level 2 begins
    EXPECT_FALSE(flushed(5));
    EXPECT_EQ(state(0, line_of(5)), State::invalid);
    sleep_until(time_of(5) - 1_ps);
    EXPECT_FALSE(flushed(5));
    sleep(1_ps);
    EXPECT_TRUE(flushed(5));
    settle();
    EXPECT_EQ(done.done_at, end_of_scan);
  });
}

TEST_F(FlushRace, ALineLeavesLevel2AtTheTimeOfItsSetThere) {
  run([&] {
    store(0, line_of(5), 7);
    start(Flush::wbinvd);
    sleep_until(begin + 10_ns - 1_ps);
    home.catch_up();
    EXPECT_EQ(state(0, line_of(5)), State::modified);
    sleep(1_ps);
    home.catch_up();
    EXPECT_EQ(state(0, line_of(5)), State::invalid);
  });
}

class FilterRace : public FlushRace {
 protected:
  static Params params() {
    auto changed = small();
    changed.llc.inclusive = false;
    changed.filter = {.covers = 64_KiB, .ways = 8};
    return changed;
  }
  FilterRace() : FlushRace{params()} {}
};

TEST_F(FilterRace, Level2sLinesReachMemoryAtOnce) {
  run([&] {
    store(0, line_of(5), 7);
    start(Flush::wbinvd);
    sleep_until(begin + 10_ns - 1_ps);
    EXPECT_FALSE(flushed(5));
    sleep(1_ps);
    EXPECT_TRUE(flushed(5));
  });
}

// ---- what coherent readers see ----

TEST_F(FlushRace, ReadersFindTheLineUntilItIsFlushed) {
  run([&] {
    dirty_sets();
    start(Flush::wbinvd);
    sleep_until(time_of(64) - 1_ps);
    const Request& before = read(line_of(64));
    sleep(1_ps);
    const Request& after = read(line_of(65));
    const Request& gone = read(line_of(63));
    settle();
    EXPECT_EQ(before.data, test::filled(64, 1));
    EXPECT_EQ(after.data, test::filled(64, 1));
    EXPECT_EQ(gone.data, test::filled(64, 1));
    EXPECT_EQ(before.done_at, time_of(64) + lookup);
    EXPECT_EQ(after.done_at, time_of(65) + lookup);
    EXPECT_EQ(gone.done_at, time_of(65) + lookup + dram);
  });
}

// The slice looks at tags for the flush: others wait until it has looked at a set.
TEST_F(FlushRace, NeighboursWaitForTheScanOfASet) {
  run([&] {
    write(line_of(100), 1);
    write(line_of(101), 1);
    start(Flush::wbnoinvd);
    sleep_until(time_of(20) + 3_ns);
    EXPECT_EQ(load(1, line_of(100)).done_at, time_of(21) + lookup);
    sleep_until(time_of(22));
    EXPECT_EQ(load(1, line_of(101)).done_at, time_of(23) + lookup);
  });
}

class PipelineRace : public FlushRace {
 protected:
  static constexpr Picoseconds cycle{2'000};
  static Params params() {
    auto changed = small();
    changed.llc.pipeline = cycle;
    return changed;
  }
  PipelineRace() : FlushRace{params()} {}
};

// ... and delay it by what they take of the pipeline, wherever it is.
TEST_F(PipelineRace, NeighboursDelayTheScan) {
  run([&] {
    for (unsigned n = 0; n < 10; ++n) write(line_of(n), 1), settle_short();
    const Result& done = start(Flush::wbnoinvd);
    for (unsigned n = 0; n < 10; ++n) {
      sleep(50_ns);
      read(line_of(n));
    }
    settle();
    EXPECT_EQ(done.done_at, end_of_scan + 10 * cycle);
  });
}

TEST_F(PipelineRace, AlsoInTheLastSet) {
  run([&] {
    write(line_of(0), 1);
    const Result& done = start(Flush::wbnoinvd);
    sleep_until(time_of(126) + 1_ns);
    EXPECT_EQ(read(line_of(0)).done_at, time_of(127) + lookup);
    settle();
    EXPECT_EQ(done.done_at, end_of_scan + cycle);
  });
}

// ---- what comes meanwhile ----

TEST_F(FlushRace, ALineThatComesBehindTheScanStays) {
  run([&] {
    start(Flush::wbinvd);
    sleep_until(time_of(64));
    store(1, line_of(10), 5);
    store(1, line_of(100), 6);
    settle();
    EXPECT_EQ(state(1, line_of(10)), State::modified);
    EXPECT_FALSE(flushed(10));
    EXPECT_EQ(state(1, line_of(100)), State::invalid);
    EXPECT_TRUE(flushed(100));
  });
}

TEST_F(FlushRace, ALockedLineIsWaitedFor) {
  run([&] {
    dirty_sets();
    const Result& done = start(Flush::wbinvd);
    lock(1, line_of(10), 500_ns);
    sleep_until(time_of(12));
    EXPECT_TRUE(flushed(9));
    sleep_until(begin + 500_ns - 1_ps);
    EXPECT_FALSE(flushed(10));
    EXPECT_FALSE(flushed(11));
    sleep(1_ps);
    EXPECT_TRUE(flushed(10));
    EXPECT_TRUE(flushed(11));
    settle();
    // The scan goes on with the next set; the last line's write ends after it.
    EXPECT_EQ(done.done_at, begin + 500_ns + 116 * scan_of_set + dram);
  });
}

TEST_F(FlushRace, ALockedLineOfLevel2IsWaitedFor) {
  run([&] {
    store(0, line_of(5), 7);
    const Result& done = start(Flush::wbinvd);
    lock(0, line_of(5), 500_ns);
    sleep_until(begin + 500_ns - 1_ps);
    home.catch_up();
    EXPECT_EQ(state(0, line_of(5)), State::modified);
    settle();
    EXPECT_TRUE(flushed(5));
    EXPECT_EQ(done.done_at, begin + 500_ns + 2 * 2_ns + sets * scan_of_set);
  });
}

TEST_F(FlushRace, ALineWithARequestInFlightIsWaitedFor) {
  run([&] {
    const Result& done = start(Flush::wbinvd);
    sleep_until(time_of(5));
    // Its lookup begins with the next set.
    const Request& request = write(line_of(10), 1, 4);
    EXPECT_EQ(request.done_at, time_of(6) + lookup + dram);
    sleep_until(request.done_at - 1_ps);
    EXPECT_FALSE(flushed(10));
    sleep(1_ps);
    EXPECT_TRUE(flushed(10));
    settle();
    EXPECT_EQ(done.done_at, request.done_at + 117 * scan_of_set);
  });
}

class OneMissRace : public FlushRace {
 protected:
  static Params params() {
    auto changed = small();
    changed.llc.misses = 1;
    return changed;
  }
  OneMissRace() : FlushRace{params()} {}
};

// The request waits for another's miss register itself, so that its end is not known.
TEST_F(OneMissRace, ALineWhoseRequestHasNoEndYetIsWaitedFor) {
  run([&] {
    const Result& done = start(Flush::wbinvd);
    sleep_until(time_of(5));
    read(line_of(0));
    const Request& request = write(line_of(10), 1, 4);
    EXPECT_FALSE(request.done);
    settle();
    EXPECT_EQ(request.done_at, time_of(6) + lookup + 2 * dram);
    EXPECT_EQ(done.done_at, request.done_at + 117 * scan_of_set);
  });
}

// ---- several flushes ----

TEST_F(FlushRace, TwoCoresOfASocketShareThePipelines) {
  run([&] {
    dirty_sets();
    const Result& first = start(Flush::wbinvd, 0);
    const Result& second = flush_all(1, Flush::wbinvd);
    settle();
    EXPECT_EQ(first.done_at, begin + scan_of_level_2 + (2 * sets - 2) * scan_of_set + dram);
    EXPECT_EQ(second.done_at, begin + scan_of_level_2 + 2 * sets * scan_of_set);
    EXPECT_EQ(memory.stats().writes.n, sets);
  });
}

class TwoSocketRace : public HomeBench {
 protected:
  TwoSocketRace() : HomeBench{small(), 2} {}
};

TEST_F(TwoSocketRace, FlushesOfTwoSocketsDoNotMeet) {
  run([&] {
    const Result& first = flush_all(0, Flush::wbinvd);
    const Result& second = flush_all(2, Flush::wbinvd);
    settle();
    EXPECT_EQ(first.done_at, scan_of_level_2 + sets * scan_of_set);
    EXPECT_EQ(second.done_at, scan_of_level_2 + sets * scan_of_set);
  });
}

// ---- the engine's two modes ----

// Random accesses of all kinds while two cores flush; everything that could be seen, as text.
class Walk final : public HomeBench {
 public:
  explicit Walk(bool run_ahead) : HomeBench{params(), 1, {.run_ahead = run_ahead}} {}
  void TestBody() override {}

  std::string text() {
    for (unsigned core = 0; core < 2; ++core) also([this, core] { core_walk(core); });
    run([this] { device_walk(); });
    return seen_ + fmt::format("{} writes", memory.stats().writes.n);
  }

 private:
  static Params params() {
    auto changed = small();
    changed.llc.slices = 2;
    changed.llc.pipeline = 300_ps;
    changed.llc.misses = 2;
    changed.home.write_buffers = 3;
    return changed;
  }
  void note(const char* what, std::uint64_t value) {
    seen_ += fmt::format("{} {} {}\n", now().count(), what, value);
  }
  void core_walk(unsigned core) {
    Prng random{core, "core"};
    for (unsigned n = 0; n < 600; ++n) {
      sleep(Picoseconds{static_cast<std::int64_t>(random.between(1, 9'000))});
      const auto address = random.between(0, 255) * 64 + random.between(0, 3) * 0x4000;
      if (n % 200 == 100) {
        const Result& result = flush_all(core, n == 100 ? Flush::wbinvd : Flush::wbnoinvd);
        while (!result.done) sleep(7_ns);
        note("flushed", static_cast<std::uint64_t>(result.done_at.count()));
      }
      Result& result = random.one_in(2) ? store(core, address, random.next()) : load(core, address);
      note(core == 0 ? "core0" : "core1", result.value);
    }
  }
  void device_walk() {
    Prng random{7, "device"};
    for (unsigned n = 0; n < 600; ++n) {
      sleep(Picoseconds{static_cast<std::int64_t>(random.between(1, 9'000))});
      const auto address = random.between(0, 255) * 64 + random.between(0, 3) * 0x4000;
      if (random.one_in(3)) {
        write(address, static_cast<unsigned>(n), random.one_in(2) ? 64 : 8);
      } else {
        note("device", random.one_in(2) ? read_no_snoop(address) : read(address).value());
      }
    }
  }

  std::string seen_;
};

TEST(FlushEngine, StepModeSeesWhatRunAheadSees) {
  const auto ahead = test::in_fork([] { return Walk{true}.text(); });
  const auto step = test::in_fork([] { return Walk{false}.text(); });
  ASSERT_EQ(ahead.why() + step.why(), "");
  EXPECT_GT(ahead.text.size(), 20'000u);
  EXPECT_EQ(ahead.text, step.text);
}

}  // namespace
}  // namespace ioasim::cache
