// Tasks and what they wait for; software threads.
#include "sim/task.hpp"

#include <gtest/gtest.h>

#include "sim/credits.hpp"
#include "support/bench.hpp"

namespace ioasim::sim {
namespace {

class TaskTest : public test::Bench {
 protected:
  std::vector<std::pair<int, Picoseconds>> log;
  void note(int what) { log.emplace_back(what, now()); }
  using Log = std::vector<std::pair<int, Picoseconds>>;
};

Task<int> doubled(Clockwork& clock, int value) {
  co_await Delay{clock, 10_ns};
  co_return 2 * value;
}

TEST_F(TaskTest, RunsToItsFirstWaitWhenStarted) {
  auto body = [](TaskTest& test, Clockwork& engine, Log& out) -> Task<> {
    static_cast<void>(test);
    out.emplace_back(1, engine.now());
    co_await Delay{engine, 30_ns};
    out.emplace_back(2, engine.now());
    co_await Until{engine, 35_ns};
    out.emplace_back(3, engine.now());
    co_await Until{engine, 10_ns};  // past: goes on at once
    out.emplace_back(4, engine.now());
  };
  run([&] {
    body(*this, clock, log).start();
    note(0);
    sleep(1_us);
  });
  EXPECT_EQ(log, (Log{{1, 0_ns}, {0, 0_ns}, {2, 30_ns}, {3, 35_ns}, {4, 35_ns}}));
}

TEST_F(TaskTest, AwaitingATaskGivesItsValue) {
  auto body = [](Clockwork& engine, Log& out) -> Task<> {
    const int four = co_await doubled(engine, 2);
    const int eight = co_await doubled(engine, four);
    out.emplace_back(eight, engine.now());
  };
  run([&] {
    body(clock, log).start();
    sleep(1_us);
  });
  EXPECT_EQ(log, (Log{{8, 20_ns}}));
}

TEST_F(TaskTest, ATaskThatNobodyStartedDoesNothing) {
  run([&] {
    const auto task = doubled(clock, 1);
    sleep(1_us);
  });
  EXPECT_EQ(clock.pending(), 0u);
}

Task<> hold(Clockwork& clock, Credits& credits, unsigned count, Picoseconds time, int name,
            std::vector<std::pair<int, Picoseconds>>& log) {
  co_await credits.take(count);
  log.emplace_back(name, clock.now());
  co_await Delay{clock, time};
  credits.give(count);
}

TEST_F(TaskTest, CreditsAreGivenInOrderOfAsking) {
  Credits credits{clock, "walkers", 3};
  run([&] {
    hold(clock, credits, 2, 10_ns, 1, log).start();
    hold(clock, credits, 2, 10_ns, 2, log).start();  // waits for 1
    hold(clock, credits, 1, 10_ns, 3, log).start();  // one is free, but it is behind 2
    EXPECT_EQ(credits.taken(), 2u);
    EXPECT_FALSE(credits.try_take());
    EXPECT_EQ(credits.waiting(), "walkers: 2 of 3 taken, 2 waiting");
    sleep(1_us);
    EXPECT_EQ(credits.free(), 3u);
    EXPECT_EQ(credits.taken_max(), 3u);
    EXPECT_EQ(credits.waiting(), "");
  });
  EXPECT_EQ(log, (Log{{1, 0_ns}, {2, 10_ns}, {3, 10_ns}}));
}

TEST_F(TaskTest, PendingWaitsForAll) {
  Pending pending{clock, "pieces"};
  auto body = [](Clockwork& engine, Pending& work, Log& out) -> Task<> {
    co_await work.wait();
    out.emplace_back(1, engine.now());
  };
  run([&] {
    body(clock, pending, log).start();  // nothing to wait for
    pending.add();
    pending.add();
    body(clock, pending, log).start();
    sleep_until(20_ns);
    pending.done();
    EXPECT_EQ(pending.waiting(), "pieces: 1 not done, 1 waiting");
    sleep_until(30_ns);
    pending.done();
    sleep(1_us);
  });
  EXPECT_EQ(log, (Log{{1, 0_ns}, {1, 30_ns}}));
}

TEST_F(TaskTest, SignalLetsAllGoOnThatWaitThen) {
  Signal signal{clock, "tail"};
  auto body = [](Clockwork& engine, Signal& tail, Log& out, int name) -> Task<> {
    for (int i = 0; i < 2; ++i) {
      co_await tail.wait();
      out.emplace_back(name, engine.now());
    }
  };
  run([&] {
    signal.signal();  // nobody waits: lost
    body(clock, signal, log, 1).start();
    body(clock, signal, log, 2).start();
    sleep_until(10_ns);
    signal.signal();
    sleep_until(20_ns);
    signal.signal();
    sleep(1_us);
  });
  EXPECT_EQ(log, (Log{{1, 10_ns}, {2, 10_ns}, {1, 20_ns}, {2, 20_ns}}));
}

// ---- software threads ----

TEST_F(TaskTest, ThreadsThatWakeTogetherGoInTheOrderOfTheirSleep) {
  std::vector<int> order;
  also([&] {
    sleep_until(5_ns);
    sleep_until(100_ns);
    order.push_back(2);
    EXPECT_EQ(now(), 100_ns);
  });
  run([&] {
    sleep_until(3_ns);
    sleep_until(100_ns);
    order.push_back(1);
    EXPECT_EQ(now(), 100_ns);
  });
  EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST_F(TaskTest, ParkReturnsForAnUnparkBeforeOrAfter) {
  SoftwareThread thread{clock};
  at(40_ns, [&] { thread.unpark(70_ns); });
  run([&] {
    thread.park();
    EXPECT_EQ(now(), 70_ns);
    at(80_ns, [&] { thread.unpark(80_ns); });
    sleep_until(100_ns);
    thread.park();
    EXPECT_EQ(now(), 100_ns);
  });
}

TEST_F(TaskTest, SleepIsNotCutShortByAnUnpark) {
  SoftwareThread thread{clock};
  at(40_ns, [&] { thread.unpark(40_ns); });
  run([&] {
    thread.sleep_until(70_ns);
    EXPECT_EQ(now(), 70_ns);
  });
}

}  // namespace
}  // namespace ioasim::sim
