// What waits for its turn holds up nobody else: one line's requests, of one socket and of several,
// and the misses and memory accesses behind them.
#include "block/cache/home_bench.hpp"

namespace ioasim::cache {
namespace {

constexpr std::uint64_t a = 0x4000;  // of channel 0
constexpr std::uint64_t b = 0x4040;  // of channel 1
constexpr std::uint64_t c = 0x40c0;  // of channel 0

using Times = std::vector<Picoseconds>;

Times since(Picoseconds begin, const std::vector<const Result*>& results) {
  Times times;
  for (const auto* result : results) times.push_back(result->done_at - begin);
  return times;
}

using OneSocket = HomeBench;

// A line that a device polls is read again and again, and enters no cache.
TEST_F(OneSocket, RequestsForOneLineDoNotDelayAnothersMiss) {
  run([&] {
    for (int i = 0; i < 32; ++i) read(a, 8);
    const auto& other = load(0, b);
    settle();
    EXPECT_EQ(other.done_at, lookup + dram);
  });
}

class WithoutDdio : public HomeBench {
 protected:
  static Params params() {
    auto changed = small();
    changed.llc.ddio = false;
    return changed;
  }
  WithoutDdio() : HomeBench{params()} {}
};

// The second write reaches memory when the first has ended, and not before in its name.
TEST_F(WithoutDdio, WritesToOneLineDoNotReserveMemoryAhead) {
  run([&] {
    std::vector<const test::Request*> writes;
    for (unsigned i = 0; i < 32; ++i) writes.push_back(&write(a, i, 8));
    const auto& other = load(0, c);  // by the same channel, behind the first write
    settle();
    EXPECT_EQ(other.done_at, lookup + dram + transfer);
    EXPECT_EQ(writes.front()->done_at, lookup + dram);
    EXPECT_EQ(writes.back()->done_at, 32 * (lookup + dram));
    EXPECT_EQ(in_memory(a), test::value_of(test::filled(8, 31)));
  });
}

class TwoSockets : public HomeBench {
 protected:
  TwoSockets() : HomeBench{small(), 2} {}

  // Stores to one line by two cores in turn, all asked for at once: how long each takes.
  Times stores_in_turn(unsigned other, unsigned count) {
    store(0, a, 1);
    settle();
    const auto begin = now();
    std::vector<const Result*> stores;
    for (unsigned i = 0; i < count; ++i) stores.push_back(&store(i % 2 == 0 ? other : 0, a, i));
    settle();
    return since(begin, stores);
  }
  Times a_multiple(Picoseconds each, int count) {
    Times times;
    for (int i = 1; i <= count; ++i) times.push_back(each * i);
    return times;
  }
};

TEST_F(TwoSockets, ALineGoesFromCoreToCoreOneRequestAfterTheOther) {
  run([&] { EXPECT_EQ(stores_in_turn(1, 8), a_multiple(lookup + snoop, 8)); });
}

TEST_F(TwoSockets, AndFromSocketToSocket) {
  run([&] {
    const auto alone = stores_in_turn(2, 1).front();
    settle();
    store(0, a, 1);
    settle();
    const auto back = stores_in_turn(2, 2);
    EXPECT_EQ(back.front(), alone);
    settle();
    const auto eight = stores_in_turn(2, 8);
    for (std::size_t i = 2; i < 8; ++i) EXPECT_EQ(eight[i] - eight[i - 2], back[1]) << i;
  });
}

TEST_F(TwoSockets, ALockedLineIsWaitedForAtTheOtherToo) {
  run([&] {
    for (const unsigned other : {1u, 2u}) {
      store(0, a, 1);
      settle();
      auto begin = now();
      const auto& alone = store(other, a, 2);
      settle();
      const auto takes = alone.done_at - begin;
      store(0, a, 1);
      settle();
      begin = now();
      lock(0, a, 5_us);
      const auto& waits = store(other, a, 2);
      settle();
      // At another socket the line has been looked up meanwhile.
      const auto saved = other == 2 ? lookup : Picoseconds{};
      EXPECT_EQ(waits.done_at, begin + 5_us + takes - saved) << "core " << other;
    }
  });
}

// The owner is at the socket that is not the line's home.
TEST_F(TwoSockets, ALineLockedAwayFromHomeIsWaitedForAtHome) {
  run([&] {
    store(2, a, 1);
    settle();
    const auto begin = now();
    lock(2, a, 5_us);
    const auto& waits = load(0, a);
    const auto& elsewhere = load(1, b);
    settle();
    EXPECT_GT(waits.done_at, begin + 5_us + lookup + hop);
    EXPECT_LT(elsewhere.done_at, begin + 1_us);
    EXPECT_EQ(waits.value, 1u);
  });
}

}  // namespace
}  // namespace ioasim::cache
