// A last level that is not inclusive, with its snoop filter; and the ways of the last level that
// device writes may take.
#include "block/cache/home_bench.hpp"

namespace ioasim::cache {
namespace {

using test::Request;

constexpr std::uint64_t line = 0x4000;
constexpr std::uint64_t filter_stride = 0x800;  // lines of one set of the filter

// The filter has 32 sets of 2 ways, level 2 8 sets of 2, the last level 128 sets of 8.
class Filter : public HomeBench {
 protected:
  static Params params(bool inclusive) {
    auto changed = small();
    changed.l1d.replacement = Replacement::lru;
    changed.l2.replacement = Replacement::lru;
    changed.llc.inclusive = inclusive;
    changed.filter = {.covers = 4_KiB, .ways = 2};
    return changed;
  }
  explicit Filter(bool inclusive = false) : HomeBench{params(inclusive)} {}

  void loaded(unsigned core, std::uint64_t address) {
    load(core, address);
    settle();
    EXPECT_EQ(breach(address), "");
  }
  void stored(unsigned core, std::uint64_t address, std::uint64_t value) {
    store(core, address, value);
    settle();
    EXPECT_EQ(breach(address), "");
  }
  // Level 2 displaces `line`, by lines that are in other sets of the filter.
  void leave_level_2(unsigned core) {
    loaded(core, line + l2_stride);
    loaded(core, line + 2 * l2_stride);
    EXPECT_EQ(state(core, line), State::invalid);
  }
  // How long a device's read takes tells where the line is: `lookup` in the last level, with
  // `snoop` in a core, with `dram` nowhere.
  Picoseconds where(std::uint64_t address = line) {
    const auto begin = now();
    const Request& request = read(address);
    settle();
    return request.done_at - begin;
  }
  static constexpr auto in_last_level = lookup;
  static constexpr auto in_core_only = lookup + snoop;
  static constexpr auto nowhere = lookup + dram;
};

class Inclusive : public Filter {
 protected:
  Inclusive() : Filter{true} {}
};

TEST_F(Filter, ALineThatACoreReadsIsTrackedAndNotInTheLastLevel) {
  run([&] {
    loaded(0, line);
    EXPECT_EQ(where(), in_core_only);
    EXPECT_EQ(home.coherence_stats().llc_hits.n, 0u);
    EXPECT_EQ(load(1, line).done_at, now() + lookup + snoop);  // the core gives it, not memory
    EXPECT_EQ(memory.stats().reads.n, 1u);
  });
}

TEST_F(Inclusive, ALineThatACoreReadsIsInTheLastLevel) {
  run([&] {
    loaded(0, line);
    loaded(1, line);
    EXPECT_EQ(where(), in_last_level);
  });
}

// The last level takes in what leaves the last core that holds it.
TEST_F(Filter, ACleanLineMovesToTheLastLevelWhenItLeavesLevel2) {
  run([&] {
    loaded(0, line);
    leave_level_2(0);
    EXPECT_EQ(where(), in_last_level);
    EXPECT_EQ(load(0, line).done_at, now() + lookup);
  });
}

TEST_F(Filter, ALineThatAnotherCoreStillHoldsDoesNot) {
  run([&] {
    loaded(0, line);
    loaded(1, line);
    leave_level_2(0);
    EXPECT_EQ(where(), in_core_only);
    EXPECT_EQ(state(1, line), State::forward);
  });
}

TEST_F(Filter, AModifiedLineMovesToTheLastLevelWhenItLeavesLevel2) {
  run([&] {
    stored(0, line, 5);
    leave_level_2(0);
    EXPECT_EQ(in_memory(line), 0u);
    EXPECT_EQ(memory.stats().writes.n, 0u);
    EXPECT_EQ(where(), in_last_level);
    const Result& got = load(1, line);
    EXPECT_EQ(got.done_at, now() + lookup);
    EXPECT_EQ(got.value, 5u);
  });
}

// Invariant 38: a third line of a set of the filter.
TEST_F(Filter, ALineThatTheFilterDropsLeavesTheCores) {
  run([&] {
    loaded(0, line);
    loaded(1, line);
    loaded(1, line + filter_stride);
    const auto dropped = home.coherence_stats().back_invalidations.n;
    loaded(0, line + 2 * filter_stride);
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(state(1, line), State::invalid);
    EXPECT_EQ(home.coherence_stats().back_invalidations.n, dropped + 2);
    EXPECT_EQ(memory.stats().writes.n, 0u);
    EXPECT_EQ(where(), nowhere);
  });
}

TEST_F(Filter, AModifiedLineThatTheFilterDropsIsWrittenBack) {
  run([&] {
    stored(0, line, 5);
    loaded(1, line + filter_stride);
    EXPECT_EQ(in_memory(line), 0u);
    loaded(1, line + 2 * filter_stride);
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(where(), nowhere);
    EXPECT_EQ(load(0, line).value, 5u);
  });
}

// The filter has no say over lines that the last level holds.
TEST_F(Filter, ALineInTheLastLevelTakesNoRoomInTheFilter) {
  run([&] {
    loaded(0, line);
    leave_level_2(0);
    loaded(0, line);  // held by the core and by the last level
    for (unsigned way = 1; way <= 3; ++way) loaded(1, line + way * filter_stride);
    EXPECT_EQ(state(0, line), State::exclusive);
  });
}

TEST_F(Filter, ALineThatTheLastLevelDropsStaysInTheCore) {
  run([&] {
    loaded(0, line);
    leave_level_2(0);
    loaded(0, line);
    // Eight device writes into any way displace the last level's copy.
    device().origin.io_ways = 0xff;
    home.set_io_ways(0, 0xff);
    for (unsigned way = 1; way <= 8; ++way) write(line + way * set_stride, 1), settle();
    EXPECT_EQ(state(0, line), State::exclusive);
    EXPECT_EQ(where(), in_core_only);
  });
}

// Invariant 37.
TEST_F(Inclusive, ALineThatTheLastLevelDropsLeavesTheCore) {
  run([&] {
    stored(0, line, 5);
    home.set_io_ways(0, 0xff);
    for (unsigned way = 1; way <= 8; ++way) write(line + way * set_stride, 1), settle();
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(home.coherence_stats().back_invalidations.n, 1u);
  });
}

TEST_F(Filter, AWriterIsTheOnlyOneThatIsTracked) {
  run([&] {
    loaded(0, line);
    leave_level_2(0);  // in the last level
    stored(1, line, 5);
    EXPECT_EQ(where(), in_core_only);
    EXPECT_EQ(flush(0, line, trace::Flush::clflush).done_at, now() + lookup + snoop);
    settle();
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(where(), nowhere);
  });
}

TEST_F(Filter, ADeviceWriteMovesATrackedLineToTheLastLevel) {
  run([&] {
    stored(0, line, 5);
    const Request& done = write(line + 8, 6, 8);
    EXPECT_EQ(done.done_at, now() + lookup + snoop);
    settle();
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(where(), in_last_level);
    EXPECT_EQ(load(0, line).value, 5u);
    EXPECT_EQ(in_memory(line), 0u);
  });
}

// ---- DDIO ways ----

class Ways : public HomeBench {
 protected:
  static constexpr unsigned tries = 24;

  explicit Ways(const Params& params = small(), unsigned sockets = 1)
      : HomeBench{params, sockets} {}

  // Writes misses into one set, and returns how many of them the last level still has.
  unsigned ways_taken(unsigned socket = 0) {
    for (unsigned n = 0; n < tries; ++n) {
      write(at(n, socket), 1, 64, socket);
      settle();
    }
    unsigned present = 0;
    for (unsigned n = 0; n < tries; ++n) {
      const auto begin = now();
      const Request& request = read(at(n, socket), 64, socket);
      settle();
      present += request.done_at - begin == lookup ? 1u : 0u;
    }
    return present;
  }
  std::uint64_t at(unsigned n, unsigned socket) const {
    return at_socket(socket) + 0x10'0000 + n * set_stride;
  }
  // Fills the set with lines that a core reads, and returns how many `writes` leave there.
  unsigned cores_lines_left() {
    const auto core_line = [](unsigned n) { return 0x20'0000 + n * set_stride; };
    for (unsigned n = 0; n < 8; ++n) load(0, core_line(n)), settle();
    ways_taken();
    unsigned left = 0;
    for (unsigned n = 0; n < 8; ++n) {
      const auto begin = now();
      const Request& request = read(core_line(n));
      settle();
      left += request.done_at - begin < lookup + dram ? 1u : 0u;
    }
    return left;
  }
};

// Invariant 39.
TEST_F(Ways, WritesTakeTwoWaysByDefault) {
  run([&] {
    EXPECT_EQ(ways_taken(), 2u);
    EXPECT_EQ(cores_lines_left(), 6u);
  });
}

TEST_F(Ways, WritesTakeTheWaysOfTheSocketsRegister) {
  run([&] {
    EXPECT_EQ(home.io_ways(0), 0b11u);
    for (const std::uint32_t ways : {0b1u, 0b1110'0000u, 0b0101'0101u, 0xffu}) {
      home.set_io_ways(0, ways);
      EXPECT_EQ(home.io_ways(0), ways);
      EXPECT_EQ(ways_taken(), static_cast<unsigned>(std::popcount(ways)));
      flush_all(0, trace::Flush::wbinvd);
      settle();
    }
  });
}

TEST_F(Ways, ARequestMayHaveWaysOfItsOwn) {
  run([&] {
    device().origin.io_ways = 0b1111'0000;
    EXPECT_EQ(ways_taken(), 4u);
    EXPECT_EQ(home.io_ways(0), 0b11u);
    flush_all(0, trace::Flush::wbinvd);
    settle();
    device().origin.io_ways = 0b1000'0000;
    EXPECT_EQ(cores_lines_left(), 7u);
  });
}

// A line that is there is updated in place, in whatever way.
TEST_F(Ways, AWriteThatHitsTakesNoOtherWay) {
  run([&] {
    device().origin.io_ways = 0b1000'0000;
    write(line, 1);
    settle();
    device().origin.io_ways = ~0u;
    for (unsigned n = 0; n < tries; ++n) write(line, n + 2), settle();
    for (unsigned n = 1; n <= tries; ++n) write(line + n * set_stride, 9), settle();
    const Request& got = read(line);
    EXPECT_EQ(got.done_at, now() + lookup);
    EXPECT_EQ(got.data, test::filled(64, tries + 1));
  });
}

TEST_F(Ways, ReadsAllocateNothing) {
  run([&] {
    device().origin.io_ways = 0xff;
    for (unsigned n = 0; n < 2; ++n) {
      const auto begin = now();
      const Request& request = read(line);
      settle();
      EXPECT_EQ(request.done_at - begin, lookup + dram);
    }
  });
}

class WaysOfTwo : public Ways {
 protected:
  WaysOfTwo() : Ways{small(), 2} {}
};

TEST_F(WaysOfTwo, EachSocketHasWaysOfItsOwn) {
  run([&] {
    home.set_io_ways(1, 0b1111'1000);
    EXPECT_EQ(ways_taken(0), 2u);
    EXPECT_EQ(ways_taken(1), 5u);
  });
}

class NoWays : public Ways {
 protected:
  static Params off() {
    auto changed = small();
    changed.llc.ddio = false;
    return changed;
  }
  NoWays() : Ways{off()} {}
};

TEST_F(NoWays, WritesGoToMemory) {
  run([&] {
    EXPECT_EQ(home.io_ways(0), 0u);
    const Request& done = write(line, 5);
    EXPECT_EQ(done.done_at, lookup + dram);
    EXPECT_EQ(in_memory(line), 0x0505'0505'0505'0505u);
    settle();
    EXPECT_EQ(ways_taken(), 0u);
  });
}

// Off is off, whatever a request says.
TEST_F(NoWays, ARequestsOwnWaysDoNotTurnItOn) {
  run([&] {
    device().origin.io_ways = 0xff;
    EXPECT_EQ(ways_taken(), 0u);
  });
}

TEST_F(NoWays, AWriteTakesTheLineOutOfEveryCacheAndMergesWithIt) {
  run([&] {
    store(0, line, 5);
    settle();
    const Request& done = write(line + 8, 6, 8);
    settle();
    EXPECT_EQ(done.done_at, 10_us + lookup + snoop + dram + transfer);  // the core's data, its own
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(in_memory(line + 8), 0x0606'0606'0606'0606u);
    EXPECT_EQ(load(0, line).done_at, now() + lookup + dram);
  });
}

}  // namespace
}  // namespace ioasim::cache
