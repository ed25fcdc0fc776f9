// What is in flight at once: misses of a slice, and modified lines on their way to memory. Who
// finds no room waits, to the picosecond.
#include "block/cache/home_bench.hpp"

namespace ioasim::cache {
namespace {

using test::Request;

constexpr std::uint64_t a = 0x4000;  // of channel 1
constexpr std::uint64_t b = 0x4040;  // of channel 0
constexpr std::uint64_t c = 0x40c0;  // of channel 1

// ---- miss status registers ----

class OneMiss : public HomeBench {
 protected:
  static Params params() {
    auto changed = small();
    changed.llc.misses = 1;
    return changed;
  }
  OneMiss() : HomeBench{params()} {}
};

TEST_F(OneMiss, TheSecondMissWaitsForTheFirst) {
  run([&] {
    const Request& first = read(a);
    const Request& second = read(b);
    settle();
    EXPECT_EQ(first.done_at, lookup + dram);
    EXPECT_EQ(second.done_at, lookup + 2 * dram);  // its lookup was over long before
    EXPECT_EQ(home.stats().waited_for_miss.n, 1u);
  });
}

TEST_F(OneMiss, MissesGetTheRegisterInOrderOfArrival) {
  run([&] {
    Request* requests[5];
    for (unsigned n = 0; n < 5; ++n) {
      requests[n] = &read(a + n * 64);
      sleep(1_ns);
    }
    settle();
    for (unsigned n = 0; n < 5; ++n) EXPECT_EQ(requests[n]->done_at, lookup + (n + 1) * dram);
  });
}

TEST_F(OneMiss, HitsPassTheMissesThatWait) {
  run([&] {
    write(c, 1);
    settle();
    read(a);
    read(b);
    EXPECT_EQ(read(c).done_at, now() + lookup);
  });
}

TEST_F(OneMiss, AMissThatComesWhenTheRegisterIsFreeDoesNotWait) {
  run([&] {
    read(a);
    sleep(lookup + dram);
    EXPECT_EQ(read(b).done_at, now() + lookup + dram);
    EXPECT_EQ(home.stats().waited_for_miss.n, 0u);
  });
}

// What waits has not reserved memory: who comes later, but reaches it sooner, is not delayed.
TEST_F(OneMiss, MemoryServesInOrderOfArrivalThere) {
  run([&] {
    read(b);
    const Request& waits = read(a);
    sleep(20_ns);
    device().origin.snoop = false;
    EXPECT_EQ(device().read(c, 64).done_at, 20_ns + dram);  // a's channel
    settle();
    EXPECT_EQ(waits.done_at, lookup + 2 * dram);
  });
}

// The line of a request that waits for a register is that request's.
TEST_F(OneMiss, ARequestForALineWhoseMissWaitsComesAfterIt) {
  run([&] {
    read(a);
    const Request& first = write(b, 1, 4);
    sleep(1_ns);
    const Request& second = read(b);
    settle();
    EXPECT_EQ(first.done_at, lookup + 2 * dram);
    EXPECT_EQ(second.done_at, lookup + 2 * dram + lookup);
  });
}

// ---- write buffers ----

template <unsigned entries>
class Buffers : public HomeBench {
 protected:
  static Params params() {
    auto changed = small();
    changed.home.write_buffers = entries;
    return changed;
  }
  Buffers() : HomeBench{params()} {}

  // Fills both ways that writes may take in each of four sets with modified lines.
  void fill_ways() {
    for (unsigned set = 0; set < 4; ++set) {
      for (unsigned way = 0; way < 2; ++way) write(a + set * 64 + way * set_stride, 1);
    }
    settle();
  }
  // Takes the place of a modified line in one of the sets.
  Request& displace(unsigned set) { return write(a + set * 64 + 2 * set_stride, 1); }
  // Does so in the first sets, all at once; how long each takes.
  using Times = std::vector<Picoseconds>;
  Times displace_all(unsigned sets) {
    const auto begin = now();
    std::vector<const Request*> requests;
    for (unsigned set = 0; set < sets; ++set) requests.push_back(&displace(set));
    settle();
    Times times;
    for (const auto* request : requests) times.push_back(request->done_at - begin);
    return times;
  }
};
using ManyBuffers = Buffers<4>;
using TwoBuffers = Buffers<2>;
using OneBuffer = Buffers<1>;

TEST_F(ManyBuffers, ADisplacedLineIsNotWaitedFor) {
  run([&] {
    fill_ways();
    for (unsigned set = 0; set < 4; ++set) {
      EXPECT_EQ(displace(set).done_at, now() + lookup);
    }
    EXPECT_EQ(home.coherence_stats().writebacks.n, 4u);
  });
}

TEST_F(OneBuffer, ALineThatFindsItFullWaitsForTheOneBefore) {
  run([&] {
    fill_ways();
    EXPECT_EQ(displace_all(2), (Times{lookup, lookup + dram}));
  });
}

// It begins its way to memory when it is in the buffer.
TEST_F(OneBuffer, EachLineTakesAsLongAsMemory) {
  run([&] {
    fill_ways();
    EXPECT_EQ(displace_all(4),
              (Times{lookup, lookup + dram, lookup + 2 * dram, lookup + 3 * dram}));
  });
}

TEST_F(TwoBuffers, TwoLinesAreOnTheirWayAtOnce) {  // on two channels
  run([&] {
    fill_ways();
    EXPECT_EQ(displace_all(4), (Times{lookup, lookup, lookup + dram, lookup + dram}));
  });
}

// What waits for room has not reserved memory.
TEST_F(OneBuffer, ALineThatWaitsDelaysNobody) {
  run([&] {
    fill_ways();
    const auto begin = now();
    for (unsigned set = 0; set < 4; ++set) displace(set);
    EXPECT_EQ(load(0, 0x10'0040).done_at, begin + lookup + dram);  // the second line's channel
    settle();
  });
}

}  // namespace
}  // namespace ioasim::cache
