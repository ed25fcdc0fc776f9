// Plain TLM-2.0 initiators in front of a target socket of ours.
#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/plain_peers.hpp"
#include "support/responder.hpp"

namespace ioasim::sim {
namespace {

using test::PlainTimedInitiator;

constexpr auto read_command = tlm::TLM_READ_COMMAND;
constexpr auto write_command = tlm::TLM_WRITE_COMMAND;

class LooseTest : public test::Bench {
 protected:
  LooseTest() { plain.socket.bind(target.port()); }

  test::PlainLooseInitiator plain{"plain"};
  test::Responder target{"target", clock};
};

class TimedTest : public test::Bench {
 protected:
  TimedTest() { plain.socket.bind(target.port()); }

  test::PlainTimedInitiator plain{"plain"};
  test::Responder target{"target", clock};
};

TEST_F(LooseTest, RequestArrivesAfterItsDelayAndReturnsWithTheResponse) {
  target.latency = 30_ns;
  run([&] {
    std::uint32_t value = 0x1234;
    const auto write = plain.access(write_command, 0x40, &value, 4, test::picoseconds(7'001));
    EXPECT_EQ(target.seen.at(0).at, 7'001_ps);
    EXPECT_EQ(write.status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(write.returned_at + write.delay.value(), 37'001u);
    value = 0;
    const auto read = plain.access(read_command, 0x40, &value, 4);
    EXPECT_EQ(value, 0x1234u);
    EXPECT_EQ(read.returned_at + read.delay.value(), 67'001u);
  });
}

TEST_F(LooseTest, ResponseMayComeLater) {
  target.hold = true;
  at(50_ns, [&] { target.release(); });
  run([&] {
    std::uint32_t value = 0;
    EXPECT_EQ(plain.access(read_command, 0x40, &value, 4).returned_at, 50'000u);
  });
}

TEST_F(LooseTest, TwoThreadsShareTheSocket) {
  target.latency = 30_ns;
  also([&] {
    std::uint32_t value = 0;
    const auto read = plain.access(read_command, 0x80, &value, 4, test::picoseconds(10'000));
    EXPECT_EQ(read.returned_at, 40'000u);
    EXPECT_EQ(value, 7u);
  });
  target.put(0x80, 7);
  target.put(0x40, 5);
  run([&] {
    std::uint32_t value = 0;
    EXPECT_EQ(plain.access(read_command, 0x40, &value, 4).returned_at, 30'000u);
    EXPECT_EQ(value, 5u);
  });
}

TEST_F(LooseTest, ErrorIsReported) {
  target.broken = 0x40;
  run([&] {
    std::uint32_t value = 0;
    EXPECT_EQ(plain.access(read_command, 0x40, &value, 4).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  });
}

TEST_F(LooseTest, IgnoredCommandReachesNobody) {
  run([&] {
    std::uint32_t value = 7;
    target.put(0x40, 5);
    EXPECT_EQ(plain.access(tlm::TLM_IGNORE_COMMAND, 0x40, &value, 4).status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(value, 7u);
    EXPECT_TRUE(target.seen.empty());
  });
}

TEST_F(LooseTest, BackDoorTakesNoTime) {
  run([&] {
    std::uint64_t value = 9;
    tlm::tlm_generic_payload payload;
    payload.set_command(write_command);
    payload.set_address(0x100);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    payload.set_data_length(8);
    EXPECT_EQ(plain.socket->transport_dbg(payload), 8u);
    EXPECT_EQ(target.get(0x100), 9u);
    EXPECT_TRUE(target.seen.empty());
    EXPECT_EQ(test::kernel_ps(), 0u);
  });
}

TEST_F(LooseTest, DirectMemoryIsRefused) {
  run([&] {
    tlm::tlm_generic_payload payload;
    payload.set_command(read_command);
    tlm::tlm_dmi dmi;
    EXPECT_FALSE(plain.socket->get_direct_mem_ptr(payload, dmi));
    EXPECT_TRUE(dmi.is_none_allowed());
  });
}

TEST_F(TimedTest, FourPhases) {
  target.latency = 30_ns;
  run([&] {
    auto& access = plain.start(write_command, 0x40, 4, 0x11);
    EXPECT_EQ(access.end_request_at, 0u);
    sleep(1_us);
    EXPECT_EQ(access.begin_response_at, 30'000u);
    EXPECT_EQ(access.payload.get_response_status(), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(plain.references(), 0u);
  });
  EXPECT_EQ(target.get(0x40), 0x1111'1111u);
}

TEST_F(TimedTest, DelayOfTheRequestIsHonoured) {
  plain.request_delay = test::picoseconds(12'345);
  run([&] {
    auto& access = plain.start(read_command, 0x40, 4);
    sleep(1_us);
    EXPECT_EQ(target.seen.at(0).at, 12'345_ps);
    EXPECT_EQ(access.begin_response_at, 12'345u);
  });
}

TEST_F(TimedTest, RequestsArePipelined) {
  target.latency = 30_ns;
  plain.end = PlainTimedInitiator::EndResponse::returned_completed;
  run([&] {
    auto& first = plain.start(read_command, 0x40, 4);
    sleep(5_ns);
    auto& second = plain.start(read_command, 0x80, 4);
    sleep(1_us);
    EXPECT_EQ(first.begin_response_at, 30'000u);
    EXPECT_EQ(second.begin_response_at, 35'000u);
  });
}

// IEEE 1666 15.2.6: no BEGIN_RESP before the END_RESP of the response before.
void expect_responses_in_turn(test::Bench&, const PlainTimedInitiator& plain, unsigned count) {
  ASSERT_EQ(plain.answered.size(), count);
  EXPECT_EQ(plain.rule_broken, 0u);
  EXPECT_EQ(plain.references(), 0u);
  for (unsigned n = 0; n < count; ++n) {
    EXPECT_EQ(plain.answered[n]->begin_response_at, 30'000u + 10'000u * n) << n;
    EXPECT_EQ(plain.answered[n]->responses, 1u);
  }
}

TEST_F(TimedTest, SecondResponseWaitsForTheEndOfTheFirst) {
  target.latency = 30_ns;
  run([&] {
    for (unsigned n = 0; n < 2; ++n) plain.start(read_command, 0x40 * n, 4);
    sleep(1_us);
    expect_responses_in_turn(*this, plain, 2);
  });
}

TEST_F(TimedTest, ManyResponsesWaitInTheirOrder) {
  target.latency = 30_ns;
  run([&] {
    for (unsigned n = 0; n < 5; ++n) plain.start(read_command, 0x40 * n, 4);
    sleep(1_us);
    expect_responses_in_turn(*this, plain, 5);
    for (unsigned n = 0; n < plain.answered.size(); ++n) {
      EXPECT_EQ(plain.answered[n]->payload.get_address(), 0x40 * n);
    }
  });
}

TEST_F(TimedTest, EndOfResponseAsReturnedPhase) {
  target.latency = 30_ns;
  plain.end = PlainTimedInitiator::EndResponse::returned_updated;
  run([&] {
    for (unsigned n = 0; n < 3; ++n) plain.start(read_command, 0x40 * n, 4);
    sleep(1_us);
    ASSERT_EQ(plain.answered.size(), 3u);
    for (const auto* access : plain.answered) EXPECT_EQ(access->begin_response_at, 30'000u);
    EXPECT_EQ(plain.references(), 0u);
  });
}

}  // namespace
}  // namespace ioasim::sim
