// The shared event queue alone, and beside threads of the SystemC kernel.
#include "sim/clockwork.hpp"

#include <gtest/gtest.h>

#include "sim/credits.hpp"
#include "sim/task.hpp"
#include "support/bench.hpp"
#include "support/plain_peers.hpp"

namespace ioasim::sim {
namespace {

// A thread that knows only SystemC.
class Foreign final : public sc_core::sc_module {
 public:
  Foreign(const sc_core::sc_module_name& name, std::function<void()> body)
      : sc_module{name}, body_{std::move(body)} {
    SC_HAS_PROCESS(Foreign);
    SC_THREAD(run);
  }

 private:
  void run() { body_(); }
  std::function<void()> body_;
};

class ClockworkTest : public test::Bench {
 protected:
  explicit ClockworkTest(const ClockworkParams& params = {}) : Bench{params} {}

  // Notes `what` when the engine's time is `time`.
  void note_at(Picoseconds time, int what) {
    at(time, [this, time, what] {
      EXPECT_EQ(now(), time);
      order.push_back(what);
    });
  }

  std::vector<int> order;
};

class Step : public ClockworkTest {
 protected:
  Step() : ClockworkTest{{.run_ahead = false}} {}
};
class Shuffled : public ClockworkTest {
 protected:
  Shuffled() : ClockworkTest{{.shuffle_ties = true, .seed = 3}} {}
};
class ShortLeash : public ClockworkTest {
 protected:
  ShortLeash() : ClockworkTest{{.run_ahead_max = 100_ns}} {}
};
class Watched : public ClockworkTest {
 protected:
  Watched() : ClockworkTest{{.stall_after = 1_us}} {}
};

TEST_F(ClockworkTest, FiresByTimeThenInTheOrderOfPosting) {
  note_at(20_ns, 3);
  note_at(10_ns, 1);
  note_at(20_ns, 4);
  note_at(10_ns, 2);
  note_at(5_ms, 6);
  note_at(20_ns + 1_ps, 5);
  run([] {});
  EXPECT_EQ(order, (std::vector{1, 2, 3, 4, 5, 6}));
}

TEST_F(ClockworkTest, AnEventMayPostForItsOwnInstant) {
  at(10_ns, [&] {
    order.push_back(1);
    note_at(10_ns, 3);
  });
  note_at(10_ns, 2);
  run([] {});
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST_F(ClockworkTest, RunsAheadWhileTheKernelHasNothingToDo) {
  at(10_ns, [&] {
    EXPECT_EQ(now(), 10_ns);
    EXPECT_EQ(clock.delay_until(30_ns), test::picoseconds(20'000));
  });
  at(1_us, [&] { EXPECT_LT(test::kernel_now(), 1_us); });
  run([] {});
}

// Rule 1: never past the kernel's next activity.
TEST_F(ClockworkTest, StopsAtTheNextActivityOfAForeignThread) {
  Foreign foreign{"foreign", [&] {
                    for (int i = 0; i < 3; ++i) {
                      sc_core::wait(test::picoseconds(100'000));
                      EXPECT_LE(now(), test::kernel_now());
                      order.push_back(100 * (i + 1));
                    }
                  }};
  for (int t = 50; t < 400; t += 50) {
    if (t % 100 != 0) note_at(Picoseconds{t * 1000}, t);
  }
  run([] {});
  EXPECT_EQ(order, (std::vector{50, 100, 150, 200, 250, 300, 350}));
}

TEST_F(ClockworkTest, ForeignThreadSeesWhatWasDueBeforeIt) {
  bool happened = false;
  at(100_ns - 1_ps, [&] { happened = true; });
  bool later = false;
  at(100_ns + 1_ps, [&] { later = true; });
  Foreign foreign{"foreign", [&] {
                    sc_core::wait(test::picoseconds(100'000));
                    EXPECT_TRUE(happened);
                    EXPECT_FALSE(later);
                  }};
  run([] {});
}

// Rule 2.
TEST_F(ClockworkTest, KernelIsAtTheTimeOfAnInKernelEvent) {
  struct Probe {
    std::vector<Picoseconds> kernel;
    void fire(int) { kernel.push_back(test::kernel_now()); }
  } probe;
  clock.in_kernel_at<&Probe::fire>(70_ns, &probe, 0);
  clock.in_kernel_at<&Probe::fire>(70_ns, &probe, 0);
  clock.in_kernel_at<&Probe::fire>(90_ns, &probe, 0);
  note_at(80_ns, 1);
  run([] {});
  EXPECT_EQ(probe.kernel, (std::vector{70_ns, 70_ns, 90_ns}));
}

// Rule 5.
TEST_F(ShortLeash, NeverRunsFartherAheadThanAllowed) {
  for (int i = 1; i <= 50; ++i) {
    at(30_ns * i, [&] {
      order.push_back(0);
      EXPECT_LE(now(), test::kernel_now() + 100_ns);
    });
  }
  run([] {});
  EXPECT_EQ(order.size(), 50u);
}

TEST_F(ShortLeash, ThreadIsNotAdvancedFartherEither) {
  run([&] {
    EXPECT_TRUE(clock.try_advance(100_ns));
    EXPECT_FALSE(clock.try_advance(1_ps));
    EXPECT_EQ(now(), 100_ns);
  });
}

TEST_F(ClockworkTest, ThreadIsAdvancedWhenNothingElseIsDue) {
  run([&] {
    note_at(50_ns, 1);
    EXPECT_TRUE(clock.try_advance(50_ns - 1_ps));
    EXPECT_EQ(now(), 50_ns - 1_ps);
    EXPECT_FALSE(clock.try_advance(1_ps));
    EXPECT_EQ(now(), 50_ns - 1_ps);
    sleep_until(50_ns);
    EXPECT_EQ(order, std::vector{1});
    EXPECT_TRUE(clock.try_advance(3_us));
    EXPECT_EQ(now(), 3_us + 50_ns);
  });
}

TEST_F(ClockworkTest, ThreadIsNotAdvancedPastAForeignOne) {
  Foreign foreign{"foreign", [&] {
                    sc_core::wait(test::picoseconds(100'000));
                    EXPECT_LE(now(), 100_ns);
                  }};
  run([&] {
    sleep_until(10_ns);
    EXPECT_FALSE(clock.try_advance(90_ns));
    EXPECT_TRUE(clock.try_advance(90_ns - 1_ps));
    sleep_until(200_ns);
    EXPECT_EQ(now(), 200_ns);
  });
}

TEST_F(ClockworkTest, ThreadIsNotAdvancedPastWhatItHasItselfNotified) {
  sc_core::sc_event event;
  Foreign foreign{"foreign", [&] {
                    sc_core::wait(event);
                    EXPECT_EQ(now(), 30_ns);
                  }};
  run([&] {
    EXPECT_TRUE(clock.try_advance(10_ns));
    event.notify(test::picoseconds(30'000));
    EXPECT_TRUE(clock.try_advance(20_ns - 1_ps));
    EXPECT_FALSE(clock.try_advance(1_ps));
    sleep_until(40_ns);
  });
}

// ---- step mode ----

TEST_F(Step, KernelGoesAlong) {
  for (int i = 1; i <= 10; ++i) {
    at(30_ns * i, [&] { EXPECT_EQ(now(), test::kernel_now()); });
  }
  run([&] { EXPECT_FALSE(clock.try_advance(1_ns)); });
}

// A little machine of events, tasks and threads whose order must not depend on the mode.
Task<> worker(Clockwork& clock, Credits& credits, std::vector<int>& order, int name) {
  for (int i = 0; i < 5; ++i) {
    co_await credits.take();
    order.push_back(10 * name + i);
    co_await Delay{clock, Picoseconds{700 * name}};
    credits.give();
  }
}

void play(test::Bench&, Clockwork& clock, std::vector<int>& order) {
  static std::unique_ptr<Credits> credits;
  credits = std::make_unique<Credits>(clock, "credits", 2);
  for (int name = 1; name <= 4; ++name) worker(clock, *credits, order, name).start();
}

// Two hold a credit at a time, worker n for 0.7 ns x n; who gives asks again behind the others.
const std::vector<int> expected_play{10, 20, 30, 40, 11, 21, 31, 12, 41, 22,
                                     13, 32, 23, 42, 14, 24, 33, 43, 34, 44};

TEST_F(ClockworkTest, PlayRunningAhead) {
  run([&] {
    play(*this, clock, order);
    for (int i = 0; i < 20; ++i) sleep(1_ns);
  });
  EXPECT_EQ(order, expected_play);
}

TEST_F(Step, PlayInStepsHasTheSameOrder) {
  run([&] {
    play(*this, clock, order);
    for (int i = 0; i < 20; ++i) sleep(1_ns);
  });
  EXPECT_EQ(order, expected_play);
}

TEST_F(Shuffled, EqualTimesComeInAnotherOrderAndTimesInTheirs) {
  for (int i = 0; i < 16; ++i) note_at(10_ns, i);
  note_at(11_ns, 16);
  note_at(9_ns, 17);
  run([] {});
  ASSERT_EQ(order.size(), 18u);
  EXPECT_EQ(order.front(), 17);
  EXPECT_EQ(order.back(), 16);
  EXPECT_FALSE(std::is_sorted(order.begin() + 1, order.end() - 1));
}

// ---- no progress ----

TEST_F(Watched, StallIsReportedWithWhatWaits) {
  Credits credits{clock, "unit.walkers", 1};
  std::vector<std::string> reports;
  clock.on_stall([&](const std::string& waiting) { reports.push_back(waiting); });
  auto starve = [](Credits& from) -> Task<> {
    co_await from.take();
    co_await from.take();
  };
  run([&] {
    starve(credits).start();
    // A thread that polls is advanced without the engine, for 10 us at most.
    for (int i = 0; i < 200; ++i) sleep(100_ns);
  });
  ASSERT_GE(reports.size(), 1u);
  EXPECT_EQ(reports[0], "unit.walkers: 1 of 1 taken, 1 waiting\n");
}

TEST_F(Watched, ProgressPutsItOff) {
  unsigned reports = 0;
  clock.on_stall([&](const std::string&) { ++reports; });
  for (int i = 1; i < 100; ++i) at(100_ns * i, [&] { clock.progress(); });
  run([] {});
  EXPECT_EQ(reports, 0u);
}

}  // namespace
}  // namespace ioasim::sim
