#include "sim/event_wheel.hpp"

#include <gmock/gmock.h>

#include <map>
#include <utility>

#include "base/prng.hpp"

namespace ioasim::sim {
namespace {

constexpr std::int64_t horizon = 4096 * 256;  // picoseconds that the calendar covers

Event event(Picoseconds due, std::uint64_t order) {
  return {.due = due, .order = order, .argument = order * 7};
}

using Key = std::pair<Picoseconds, std::uint64_t>;

// The wheel beside a map from (due, order) to argument; each step is checked.
class Pair {
 public:
  void push(Picoseconds due, std::uint64_t order) {
    wheel_.push(event(due, order));
    map_.emplace(Key{due, order}, order * 7);
  }
  void push_next(Picoseconds due) { push(due, next_order_++); }
  void peek() {
    ASSERT_FALSE(wheel_.empty());
    const auto& [key, argument] = *map_.begin();
    const Event& first = wheel_.peek();
    ASSERT_EQ(first.due, key.first);
    ASSERT_EQ(first.order, key.second);
    ASSERT_EQ(first.argument, argument);
  }
  void pop() {
    const auto [key, argument] = *map_.begin();
    map_.erase(map_.begin());
    const Event popped = wheel_.pop();
    ASSERT_EQ(popped.due, key.first);
    ASSERT_EQ(popped.order, key.second);
    ASSERT_EQ(popped.argument, argument);
    ASSERT_EQ(wheel_.size(), map_.size());
    now_ = key.first;
  }
  void advance(Picoseconds to) {
    wheel_.advance(to);
    now_ = to;
  }
  Picoseconds next_due() const { return map_.begin()->first.first; }
  Picoseconds now() const { return now_; }
  bool empty() const {
    EXPECT_EQ(wheel_.empty(), map_.empty());
    return map_.empty();
  }

 private:
  EventWheel wheel_;
  std::multimap<Key, std::uint64_t> map_;
  Picoseconds now_{};
  std::uint64_t next_order_ = 1;
};

// From "now" to hours ahead, most of them near, many at the edges of bucket and calendar.
Picoseconds draw_hold(Prng& prng) {
  const auto in = [&](std::uint64_t low, std::uint64_t high) {
    return Picoseconds{static_cast<std::int64_t>(prng.between(low, high))};
  };
  switch (prng.between(0, 9)) {
    case 0:
      return 0_ps;
    case 1:
      return in(horizon - 600, horizon + 600);
    case 2:
      return in(0, 4 * horizon);
    case 3:
      return in(0, 1'000'000'000);
    case 4:
      return prng.one_in(50) ? in(0, 7'200'000'000'000'000) : in(250, 260);
    case 5:
      return 256_ps * static_cast<std::int64_t>(prng.between(0, 4100));
    default:
      return in(0, 30'000);
  }
}

void random_holds(std::uint64_t seed, std::size_t pending, int steps) {
  Prng prng{seed, "event_wheel"};
  Pair pair;
  for (std::size_t i = 0; i < pending; ++i) pair.push_next(draw_hold(prng));
  for (int i = 0; i < steps; ++i) {
    if (prng.one_in(3)) pair.peek();
    if (prng.one_in(5)) {
      const auto gap = static_cast<std::uint64_t>((pair.next_due() - pair.now()).count());
      pair.advance(pair.now() + Picoseconds{static_cast<std::int64_t>(prng.between(0, gap))});
      pair.push_next(pair.now() + draw_hold(prng));
      if (prng.one_in(2)) pair.peek();
    }
    pair.pop();
    if (testing::Test::HasFatalFailure()) return;
    if (prng.between(0, 4) != 0 || pair.empty()) pair.push_next(pair.now() + draw_hold(prng));
  }
  while (!pair.empty()) {
    pair.pop();
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(EventWheel, AgreesWithAnOrderedMapUnderRandomHolds) {
  for (const std::size_t pending : {1u, 2u, 7u, 64u, 1000u}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(testing::Message() << pending << " pending, seed " << seed);
      random_holds(seed, pending, 3000);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(EventWheel, TiesFollowTheOrderNumberAndNotTheOrderOfPushes) {
  Prng prng{1, "ties"};
  for (int round = 0; round < 50; ++round) {
    Pair pair;
    for (std::uint64_t i = 0; i < 100; ++i) {
      pair.push(Picoseconds{static_cast<std::int64_t>(prng.between(0, 3)) * horizon},
                (i * 37 + 11) % 100);
    }
    while (!pair.empty()) {
      pair.peek();
      pair.pop();
      if (HasFatalFailure()) return;
    }
  }
}

// The calendar turns over every 4096 x 256 ps: distances around whole turns, from any start.
TEST(EventWheel, WrapsAroundAtWholeTurns) {
  for (const std::int64_t start : {0ll, 1ll, 255ll, 256ll, horizon - 1ll, 12'345'678'901ll}) {
    Pair pair;
    pair.push_next(Picoseconds{start});
    pair.pop();
    for (std::int64_t turn = 0; turn <= 3; ++turn) {
      for (const std::int64_t off : {-257, -256, -255, -1, 0, 1, 255, 256, 257}) {
        const auto due = start + turn * horizon + off;
        if (due >= start) pair.push_next(Picoseconds{due});
      }
    }
    while (!pair.empty()) {
      pair.peek();
      pair.pop();
      if (HasFatalFailure()) return;
    }
  }
}

TEST(EventWheel, AnEarlierPushAfterAPeekComesFirst) {
  for (const auto late : {500_ps, 5'000_ns}) {
    EventWheel wheel;
    wheel.push(event(late, 1));
    EXPECT_EQ(wheel.peek().order, 1u);
    wheel.push(event(late - 1_ps, 2));
    EXPECT_EQ(wheel.peek().order, 2u);
    wheel.push(event(late - 1_ps, 0));
    EXPECT_EQ(wheel.pop().order, 0u);
    EXPECT_EQ(wheel.pop().order, 2u);
    EXPECT_EQ(wheel.pop().order, 1u);
    EXPECT_TRUE(wheel.empty());
  }
}

TEST(EventWheel, AFarEventThatHasComeNearKeepsItsPlaceAmongTies) {
  EventWheel wheel;
  const auto due = 3_us;
  wheel.push(event(due, 5));  // far from 0
  wheel.push(event(due - 100_ns, 1));
  EXPECT_EQ(wheel.pop().order, 1u);
  wheel.push(event(due, 9));  // near by now
  wheel.push(event(due, 3));
  EXPECT_EQ(wheel.pop().order, 3u);
  EXPECT_EQ(wheel.pop().order, 5u);
  EXPECT_EQ(wheel.pop().order, 9u);
}

TEST(EventWheel, CarriesTheWholeEvent) {
  EventWheel wheel;
  int object = 0;
  const Event::Handler handler = [](void* what, std::uint64_t argument) {
    *static_cast<int*>(what) += static_cast<int>(argument);
  };
  wheel.push({.due = 5_ps,
              .order = 1,
              .handler = handler,
              .object = &object,
              .argument = 3,
              .in_kernel = true});
  const Event popped = wheel.pop();
  popped.handler(popped.object, popped.argument);
  EXPECT_EQ(object, 3);
  EXPECT_EQ(popped.handler, handler);
  EXPECT_TRUE(popped.in_kernel);
}

TEST(EventWheel, AdvancesOverEmptyTime) {
  EventWheel wheel;
  wheel.advance(1'000_ms);
  EXPECT_TRUE(wheel.empty());
  wheel.push(event(1'000_ms, 1));
  wheel.push(event(1'000_ms + 2_us, 2));
  wheel.advance(1'000_ms);
  EXPECT_EQ(wheel.pop().order, 1u);
  wheel.advance(1'000_ms + 2_us);
  EXPECT_EQ(wheel.pop().due, 1'000_ms + 2_us);
  EXPECT_EQ(wheel.size(), 0u);
}

}  // namespace
}  // namespace ioasim::sim
