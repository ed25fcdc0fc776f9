// An initiator socket of ours in front of plain TLM-2.0 targets.
#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/plain_peers.hpp"
#include "support/requester.hpp"

namespace ioasim::sim {
namespace {

using test::filled;
using test::PlainTimedTarget;
using test::Request;
using test::word;
using Answer = PlainTimedTarget::Answer;

class LooseTargetTest : public test::Bench {
 protected:
  LooseTargetTest() { ours.socket.bind(plain.socket); }

  test::Requester ours{"ours", clock};
  test::PlainLooseTarget plain{"plain"};
};

class TimedTargetTest : public test::Bench {
 protected:
  TimedTargetTest() { ours.socket.bind(plain.socket); }

  // Two requests at once; both must be answered, each once.
  void run_two(Answer answer) {
    plain.answer = answer;
    run([&] {
      first = &ours.read(0x40, 4);
      second = &ours.read(0x80, 4);
      sleep(10_us);
      EXPECT_TRUE(first->ok() && second->ok());
      EXPECT_EQ(first->data, filled(4, 0xa5));
      EXPECT_EQ(plain.rule_broken, 0u);
      EXPECT_EQ(plain.freed_early, 0u);
    });
  }

  test::Requester ours{"ours", clock};
  test::PlainTimedTarget plain{"plain"};
  const Request* first = nullptr;
  const Request* second = nullptr;
};

TEST_F(LooseTargetTest, AnnotatedDelayIsTheResponseTime) {
  plain.delay_ps = 33'333;
  run([&] {
    sleep(1_ns);
    const Request& write = ours.write(0x40, word(0x77));
    sleep(1_us);
    EXPECT_TRUE(write.ok());
    EXPECT_EQ(write.done_at, 34'333_ps);
    const Request& read = ours.read(0x40, 8);
    sleep(1_us);
    EXPECT_EQ(read.value(), 0x77u);
  });
}

TEST_F(LooseTargetTest, WaitInsideTheTargetIsTheResponseTime) {
  plain.wait_ps = 20'000;
  run([&] {
    const Request& read = ours.read(0x40, 8);
    sleep(1_us);
    EXPECT_EQ(read.done_at, 20_ns);
  });
}

// The kernel is brought to the time of the request, though the engine may run ahead of it.
TEST_F(LooseTargetTest, TargetIsCalledWhenTheRequestArrives) {
  run([&] {
    ours.read(0x40, 8, 500_ns);
    ours.read(0x40, 8, 100_ns);
    sleep(1_us);
    EXPECT_EQ(plain.called_at, (std::vector<std::uint64_t>{100'000, 500'000}));
  });
}

TEST_F(LooseTargetTest, BackDoorReachesIt) {
  run([&] {
    EXPECT_EQ(ours.debug_write(0x40, word(3)), 8u);
    EXPECT_EQ(plain.memory[0x40], 3u);
  });
}

// Request exclusion: the second BEGIN_REQ comes at the END_REQ of the first, 20 ns on.
TEST_F(TimedTargetTest, Accepted) {
  run_two(Answer::accepted);
  EXPECT_EQ(plain.begin_request_at, (std::vector<std::uint64_t>{0, 20'000}));
  EXPECT_EQ(first->done_at, 50_ns);
  EXPECT_EQ(second->done_at, 70_ns);
  EXPECT_EQ(plain.end_responses, 2u);
}

TEST_F(TimedTargetTest, EndRequestReturned) {
  run_two(Answer::end_request);
  EXPECT_EQ(plain.begin_request_at, (std::vector<std::uint64_t>{0, 20'000}));
  EXPECT_EQ(first->done_at, 50_ns);
  EXPECT_EQ(second->done_at, 70_ns);
}

TEST_F(TimedTargetTest, ResponseImpliesTheEndOfTheRequest) {
  run_two(Answer::no_end_request);
  EXPECT_EQ(plain.begin_request_at, (std::vector<std::uint64_t>{0, 50'000}));
  EXPECT_EQ(second->done_at, 100_ns);
}

// The target is told the end of a response that it returned, while the transaction is still held.
TEST_F(TimedTargetTest, BeginResponseReturned) {
  run_two(Answer::begin_response);
  EXPECT_EQ(first->done_at, 50_ns);
  EXPECT_EQ(plain.end_responses, 2u);
}

TEST_F(TimedTargetTest, Completed) {
  run_two(Answer::completed);
  EXPECT_EQ(first->done_at, 50_ns);
  EXPECT_EQ(plain.end_responses, 0u);
}

class Unbound : public test::Bench {};

TEST_F(Unbound, SocketIsNamed) {
  test::Requester lonely{"lonely", clock};
  expect_report("lonely.socket is not bound");
  run([] {});
  EXPECT_EQ(wanted_reports(), 1u);
}

}  // namespace
}  // namespace ioasim::sim
