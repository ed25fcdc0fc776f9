// Accesses that another socket's memory or caches take part in, by directory and by broadcast, to
// the picosecond; and which socket's caches a device looks into.
//
// In the directory's way home is asked first (half a hop, if it is elsewhere), reads the line with
// its directory, and only then asks those that hold it; who is home itself looks into its own
// caches meanwhile.
#include "block/cache/home_bench.hpp"

namespace ioasim::cache {
namespace {

using test::Request;

constexpr std::uint64_t offset = 0x4000;
constexpr Picoseconds grant{7'000};

// Cores 2n and 2n + 1 are at socket n.
template <unsigned count, SocketSnoop by>
class Sockets : public HomeBench {
 protected:
  static Params params() {
    auto changed = small();
    changed.home.snoop = by;
    changed.home.grant = grant;
    return changed;
  }
  Sockets() : HomeBench{params(), count} {}

  // A line whose home is that socket.
  std::uint64_t line_at(unsigned socket) const { return at_socket(socket) + offset; }

  Picoseconds time_of(const Result& result) {
    const auto begin = now();
    settle();
    EXPECT_TRUE(result.done);
    expect_no_breach();
    return result.done_at - begin;
  }
  Picoseconds time_of(const Request& request) {
    const auto begin = now();
    settle();
    EXPECT_TRUE(request.ok());
    expect_no_breach();
    return request.done_at - begin;
  }

 private:
  void expect_no_breach() {
    for (unsigned socket = 0; socket < count; ++socket) {
      EXPECT_EQ(breach(line_at(socket)), "") << socket;
    }
  }
};
using Directory = Sockets<2, SocketSnoop::directory>;
using FourSockets = Sockets<4, SocketSnoop::directory>;
using Broadcast = Sockets<2, SocketSnoop::broadcast>;
using FourByBroadcast = Sockets<4, SocketSnoop::broadcast>;

// ---- nobody holds the line ----

TEST_F(Directory, AMissAtHomeIsAsOnOneSocket) {
  run([&] {
    EXPECT_EQ(time_of(load(0, line_at(0))), lookup + dram);
    EXPECT_EQ(memory.stats().reads.n, 1u);  // the directory comes with the data
    EXPECT_EQ(home.stats().other_sockets.n, 0u);
  });
}

// P-12: a hop more.
TEST_F(Directory, AMissInAnotherSocketsMemoryTakesAHop) {
  run([&] {
    EXPECT_EQ(time_of(load(0, line_at(1))), lookup + half + dram + half);
    EXPECT_EQ(time_of(load(2, line_at(0))), lookup + hop + dram);
    EXPECT_EQ(memory.stats().reads.n, 2u);
    EXPECT_EQ(home.stats().other_sockets.n, 2u);
  });
}

TEST_F(Directory, AHitDoesNotLeaveTheSocket) {
  run([&] {
    load(0, line_at(1));
    settle();
    EXPECT_EQ(time_of(load(1, line_at(1))), lookup + snoop);
    EXPECT_EQ(time_of(store(1, line_at(1), 1)), lookup + snoop);
    EXPECT_EQ(memory.stats().reads.n, 1u);
  });
}

// ---- another socket has it modified ----

TEST_F(Directory, ModifiedInACoreOfAnotherSocket) {
  run([&] {
    store(2, line_at(0), 5);
    settle();
    const Result& got = load(0, line_at(0));
    EXPECT_EQ(time_of(got), lookup + dram + half + lookup + snoop + half);
    EXPECT_EQ(got.value, 5u);
    EXPECT_EQ(state(2, line_at(0)), State::shared);
  });
}

TEST_F(Directory, ModifiedInTheLastLevelOfAnotherSocket) {
  run([&] {
    write(line_at(0), 5, 64, 1);
    settle();
    EXPECT_EQ(time_of(load(0, line_at(0))), lookup + dram + half + lookup + half);
  });
}

// Home looks into its caches while it reads the directory, which takes longer.
TEST_F(Directory, ModifiedInTheCachesOfItsHome) {
  run([&] {
    store(2, line_at(1), 5);
    settle();
    const Result& got = load(0, line_at(1));
    EXPECT_EQ(time_of(got), lookup + half + dram + half);
    EXPECT_EQ(got.value, 5u);
  });
}

TEST_F(FourSockets, ModifiedInAThirdSocket) {
  run([&] {
    store(2, line_at(2), 5);  // core 2 is at socket 1
    settle();
    const Result& got = load(0, line_at(2));
    EXPECT_EQ(time_of(got), lookup + half + dram + half + lookup + snoop + half);
    EXPECT_EQ(got.value, 5u);
  });
}

TEST_F(FourSockets, AWriteTakesTheLineFromAThirdSocket) {
  run([&] {
    store(2, line_at(2), 5);
    settle();
    EXPECT_EQ(time_of(store(0, line_at(2), 6)),
              lookup + half + dram + half + lookup + snoop + half);
    EXPECT_EQ(state(2, line_at(2)), State::invalid);
    EXPECT_EQ(state(0, line_at(2)), State::modified);
  });
}

// ---- ownership of a line that is shared ----

TEST_F(Directory, UpgradeOfALineThatTwoSocketsShare) {
  run([&] {
    load(2, line_at(0));
    settle();
    load(0, line_at(0));
    settle();
    // Home's directory, then the other socket's core.
    EXPECT_EQ(time_of(store(0, line_at(0), 1)), lookup + dram + half + lookup + snoop + half);
    EXPECT_EQ(state(2, line_at(0)), State::invalid);
  });
}

// Home asks its own cores at once, and answers when it has read the directory.
TEST_F(Directory, UpgradeOfALineThatItsHomeShares) {
  run([&] {
    load(2, line_at(1));
    settle();
    load(0, line_at(1));
    settle();
    EXPECT_EQ(time_of(store(0, line_at(1), 1)), lookup + half + dram + half + grant);
  });
}

TEST_F(Directory, UpgradeOfALineThatAnotherSocketHasDroppedTakesTheGrantAlone) {
  run([&] {
    load(2, line_at(0));
    settle();
    load(0, line_at(0));
    settle();
    // Eight lines of the set displace it there.
    for (unsigned way = 1; way <= 8; ++way) load(2, line_at(0) + way * set_stride), settle();
    EXPECT_EQ(time_of(store(0, line_at(0), 1)), lookup + dram + grant);
  });
}

// ---- devices ----

// P-13: a device looks into the last level of its own socket, and memory's home answers for all
// that it does not find there: as fast, whether home's caches have the line or not.
TEST_F(Directory, WarmRemoteReadEqualsColdRemoteRead) {
  run([&] {
    const auto cold = time_of(read(line_at(1)));
    EXPECT_EQ(cold, lookup + half + dram + half);
    write(line_at(1), 5, 64, 1);  // modified in the last level there
    settle();
    const Request& warm = read(line_at(1));
    EXPECT_EQ(time_of(warm), cold);
    EXPECT_EQ(warm.data, test::filled(64, 5));
    store(2, line_at(1), 6);  // ... and in a core
    settle();
    const Request& hot = read(line_at(1));
    EXPECT_EQ(time_of(hot), cold);
    EXPECT_EQ(hot.value(), 6u);
    EXPECT_EQ(state(2, line_at(1)), State::modified);
  });
}

TEST_F(Directory, ALocalReadOfALineWarmInTheOtherSocketTakesItsCaches) {
  run([&] {
    write(line_at(0), 5, 64, 1);
    settle();
    const Request& got = read(line_at(0));
    EXPECT_EQ(time_of(got), lookup + dram + half + lookup + half);
    EXPECT_EQ(got.data, test::filled(64, 5));
  });
}

TEST_F(Directory, AWholeWriteOfAnAbsentLineAsksHomeForOwnership) {
  run([&] {
    EXPECT_EQ(time_of(write(line_at(0), 5)), lookup + dram + grant);
    EXPECT_EQ(time_of(write(line_at(1), 5)), lookup + half + dram + half + grant);
    EXPECT_EQ(time_of(write(line_at(1), 6)), lookup);  // its own by now
  });
}

TEST_F(Directory, ADeviceWriteTakesTheLineFromTheOtherSocket) {
  run([&] {
    store(2, line_at(0), 0x6666'6666'6666'6666);
    settle();
    const Request& done = write(line_at(0), 5, 4);
    EXPECT_EQ(time_of(done), lookup + dram + half + lookup + snoop + half);
    EXPECT_EQ(state(2, line_at(0)), State::invalid);
    const Result& got = load(2, line_at(0));
    settle();
    EXPECT_EQ(got.value, 0x6666'6666'0505'0505u);  // merged with what the core had
  });
}

TEST_F(Directory, ADevicesLineIsInTheLastLevelOfItsSocket) {
  run([&] {
    write(line_at(0), 5, 64, 1);
    settle();
    EXPECT_EQ(time_of(read(line_at(0), 64, 1)), lookup);
    EXPECT_EQ(time_of(load(2, line_at(0))), lookup);
  });
}

// ---- flushes ----

TEST_F(Directory, AFlushReachesEverySocket) {
  run([&] {
    store(2, line_at(0), 5);
    settle();
    const auto time = time_of(flush(0, line_at(0), trace::Flush::clflush));
    EXPECT_EQ(time, lookup + dram + half + lookup + snoop + half);
    EXPECT_EQ(state(2, line_at(0)), State::invalid);
    EXPECT_EQ(in_memory(line_at(0)), 5u);
  });
}

// Invariant 28, one level up: whole-cache flushes keep to their socket.
TEST_F(Directory, WbinvdDoesNotReachAnotherSocket) {
  run([&] {
    store(2, line_at(0), 5);
    settle();
    flush_all(0, trace::Flush::wbinvd);
    settle();
    EXPECT_EQ(state(2, line_at(0)), State::modified);
    EXPECT_EQ(in_memory(line_at(0)), 0u);
    flush_all(3, trace::Flush::wbinvd);
    settle();
    EXPECT_EQ(in_memory(line_at(0)), 5u);
  });
}

// ---- broadcast: all are asked at once, and each must answer ----

TEST_F(Broadcast, AMissAtHomeWaitsForMemoryIfThatTakesLonger) {
  run([&] {
    ASSERT_GT(lookup + dram, lookup + half + lookup + half);
    EXPECT_EQ(time_of(load(0, line_at(0))), lookup + dram);
  });
}

class FarBroadcast : public HomeBench {
 protected:
  static constexpr Picoseconds far_half{100'000};

  static Params params() {
    auto changed = small();
    changed.home.snoop = SocketSnoop::broadcast;
    changed.home.hop = 2 * far_half;
    return changed;
  }
  FarBroadcast() : HomeBench{params(), 4} {}
};

// Nobody has anything to say, but all are waited for.
TEST_F(FarBroadcast, AMissAtHomeWaitsForTheFarthestAnswer) {
  run([&] { EXPECT_EQ(load(0, offset).done_at, lookup + far_half + lookup + far_half); });
}

TEST_F(Broadcast, AMissInAnotherSocketsMemoryTakesAHop) {
  run([&] { EXPECT_EQ(time_of(load(0, line_at(1))), lookup + half + dram + half); });
}

TEST_F(Broadcast, ModifiedInACoreOfAnotherSocketReadsNoMemory) {
  run([&] {
    store(2, line_at(0), 5);
    settle();
    const auto reads = memory.stats().reads.n;
    const Result& got = load(0, line_at(0));
    EXPECT_EQ(time_of(got), lookup + half + lookup + snoop + half);
    EXPECT_EQ(got.value, 5u);
    EXPECT_EQ(memory.stats().reads.n, reads);
  });
}

TEST_F(Broadcast, ModifiedInTheLastLevelOfItsHome) {
  run([&] {
    write(line_at(1), 5, 64, 1);
    settle();
    EXPECT_EQ(time_of(load(0, line_at(1))), lookup + half + lookup + half);
  });
}

TEST_F(Broadcast, UpgradeOfALineThatTwoSocketsShare) {
  run([&] {
    load(2, line_at(0));
    settle();
    load(0, line_at(0));
    settle();
    EXPECT_EQ(time_of(store(0, line_at(0), 1)), lookup + half + lookup + snoop + half);
  });
}

TEST_F(FourByBroadcast, WhoHoldsTheLineIsNotAskedByWayOfHome) {
  run([&] {
    store(2, line_at(2), 5);
    settle();
    EXPECT_EQ(time_of(load(0, line_at(2))), lookup + half + lookup + snoop + half);
    write(line_at(0), 5);
    settle();
    EXPECT_EQ(time_of(write(line_at(0), 6)), lookup);  // its own: nobody is asked
  });
}

// ---- what holds for both ----

TEST_F(Directory, MemoryOfASocketHasChannelsOfItsOwn) {
  run([&] {
    const Result& near = load(0, line_at(0));
    const Result& far = load(2, line_at(1));
    settle();
    EXPECT_EQ(near.done_at, lookup + dram);
    EXPECT_EQ(far.done_at, lookup + dram);
  });
}

// A request from afar reserves memory when it gets there.
TEST_F(Directory, MemoryServesInOrderOfArrivalAtHome) {
  run([&] {
    const Result& from_afar = load(0, line_at(1));       // there after lookup + half = 30 ns
    const Result& later = load(2, line_at(1) + 3 * 64);  // the same channel, there after 10 ns
    settle();
    EXPECT_EQ(later.done_at, lookup + dram);
    EXPECT_EQ(from_afar.done_at, lookup + half + dram + half);
  });
}

TEST_F(Directory, TheSecondRequestForALineWaitsForTheWayOfTheFirst) {
  run([&] {
    load(0, line_at(1));
    sleep(1_ns);
    const Result& second = load(1, line_at(1));
    EXPECT_FALSE(second.done);  // the end of the first is not known yet
    settle();
    EXPECT_EQ(second.done_at, (lookup + hop + dram) + lookup + snoop);
  });
}

}  // namespace
}  // namespace ioasim::cache
