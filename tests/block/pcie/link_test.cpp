// The link between a requester and a responder at both ends.
#include "pcie/link.hpp"

#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/requester.hpp"
#include "support/responder.hpp"

namespace ioasim::pcie {
namespace {

using test::filled;
using test::Request;
using test::word;

// Gen3 x8: a byte takes 8 x 130/128 / 64 ns, rounded up for each packet.
constexpr Picoseconds propagation = 100_ns;
constexpr Picoseconds port_latency = 50_ns;

Picoseconds wire(std::uint64_t bytes) {
  const auto numerator = bytes * 81'250;
  return Picoseconds{static_cast<std::int64_t>((numerator + 639) / 640)};
}

LinkParams narrow() {
  return {.propagation = propagation,
          .posted_header_credits = 1,
          .posted_data_credits = 256,
          .nonposted_header_credits = 1};
}

class LinkTest : public test::Bench {
 protected:
  explicit LinkTest(const LinkParams& params = {.propagation = propagation})
      : link{"link", clock, bus, params, 256, port_latency} {
    device.socket.bind(link.from_device);
    link.to_port.bind(port.port());
    cores.socket.bind(link.from_port);
    link.to_device.bind(function.port());
  }

  Link link;
  test::Requester device{"device", clock};
  test::Responder port{"port", clock};
  test::Requester cores{"cores", clock};
  test::Responder function{"function", clock};
};

class NarrowLinkTest : public LinkTest {
 protected:
  NarrowLinkTest() : LinkTest{narrow()} {}
};

TEST_F(LinkTest, WriteArrivesAfterItsBytesAndThePropagation) {
  run([&] {
    device.write(0x1000, filled(256, 1));
    ASSERT_EQ(port.seen.size(), 1u);
    // 8 framing + 12 header (address below 4 GiB) + 256 payload.
    EXPECT_EQ(port.seen[0].at, wire(276) + propagation);
    EXPECT_EQ(port.seen[0].data, filled(256, 1));
  });
  EXPECT_EQ(link.stats().up_bytes.n, 276u);
}

TEST_F(LinkTest, AddressAboveFourGigabytesCostsAFourthHeaderDoubleWord) {
  run([&] {
    device.write(0x1'0000'0000, filled(64, 1));
    EXPECT_EQ(port.seen[0].at, wire(8 + 16 + 64) + propagation);
  });
}

TEST_F(LinkTest, PasidPrefixCostsFourBytes) {
  run([&] {
    device.tlp.has_pasid = true;
    device.write(0x1'0000'0000, filled(256, 1));
    EXPECT_EQ(port.seen[0].at, wire(284) + propagation);  // 280 without
  });
}

TEST_F(LinkTest, PacketsFollowOneAnother) {
  run([&] {
    device.write(0x1000, filled(256, 1));
    device.write(0x1100, filled(64, 2));
    device.read(0x2000, 512);
    ASSERT_EQ(port.seen.size(), 3u);
    EXPECT_EQ(port.seen[1].at, wire(276) + wire(84) + propagation);
    EXPECT_EQ(port.seen[2].at, wire(276) + wire(84) + wire(20) + propagation);
  });
}

TEST_F(LinkTest, RequestOfTheFutureStartsThen) {
  run([&] {
    device.write(0x1000, filled(64, 1), 500_ns);
    device.write(0x2000, filled(64, 2), 100_ns);
    sleep(1_us);
    ASSERT_EQ(port.seen.size(), 2u);
    EXPECT_EQ(port.seen[0].address, 0x2000u);
    EXPECT_EQ(port.seen[0].at, 100_ns + wire(84) + propagation);
    EXPECT_EQ(port.seen[1].at, 500_ns + wire(84) + propagation);
  });
}

TEST_F(LinkTest, ReadIsDoneWithItsLastCompletion) {
  port.latency = 300_ns;
  device.tlp.completion_payload = 64;
  run([&] {
    const Request& read = device.read(0x1000, 256);
    sleep(1_us);
    // Four completions of 8 framing + 12 header + 64 payload.
    const auto up = wire(20) + propagation;
    EXPECT_EQ(read.done_at, up + 300_ns + 4 * wire(84) + propagation);
  });
  EXPECT_EQ(link.stats().down_tlps.n, 4u);
}

TEST_F(LinkTest, CompletionsEndOnTheReadCompletionBoundary) {
  device.tlp.completion_payload = 128;
  run([&] {
    // 0x1010: 112 bytes to 0x1080, 128 to 0x1100, the last 16.
    const Request& read = device.read(0x1010, 256);
    sleep(1_us);
    EXPECT_EQ(read.done_at, wire(20) + propagation + wire(20 + 112) + wire(20 + 128) +
                                wire(20 + 16) + propagation);
  });
  EXPECT_EQ(link.stats().down_tlps.n, 3u);
}

TEST_F(LinkTest, CompletionWithAnErrorCarriesNoData) {
  port.broken = 0x1000;
  run([&] {
    device.tlp.status = CompletionStatus::unsupported_request;
    const Request& read = device.read(0x1000, 256);
    sleep(1_us);
    EXPECT_EQ(read.done_at, wire(20) + propagation + wire(20) + propagation);
  });
}

TEST_F(LinkTest, RegisterReadGoesDownAndItsCompletionUp) {
  function.defer = true;
  function.latency = 30_ns;
  function.put(0x10, 0x1234);
  run([&] {
    const Request& read = cores.read(0x10, 4);
    sleep(1_us);
    EXPECT_EQ(read.value(), 0x1234u);
    EXPECT_EQ(read.done_at, wire(20) + propagation + 30_ns + wire(24) + propagation);
  });
}

TEST_F(LinkTest, DirectionsDoNotShareTheWire) {
  run([&] {
    device.write(0x1000, filled(256, 1));
    cores.write(0x10, word(1, 4));
    sleep(1_us);
    EXPECT_EQ(port.seen[0].at, wire(276) + propagation);
    EXPECT_EQ(function.seen[0].at, wire(24) + propagation);
  });
}

// ---- flow control ----

TEST_F(NarrowLinkTest, PostedWaitsForItsCreditAndGoesWhenItIsBack) {
  port.latency = 200_ns;
  run([&] {
    device.write(0x1000, filled(64, 1));
    device.write(0x2000, filled(64, 2));
    sleep(10_us);
    ASSERT_EQ(port.seen.size(), 2u);
    const auto first = wire(84) + propagation;
    // The credit returns when the write is accepted and its UpdateFC has crossed.
    const auto back = first + 200_ns + propagation;
    EXPECT_EQ(port.seen[0].at, first);
    EXPECT_EQ(port.seen[1].at, back + wire(84) + propagation);
  });
  EXPECT_EQ(link.stats().credit_waits.n, 1u);
}

TEST_F(NarrowLinkTest, PostedCreditsStayAwayAsLongAsThePortHoldsTheWrite) {
  port.hold = true;
  run([&] {
    device.write(0x1000, filled(64, 1));
    device.write(0x2000, filled(64, 2));
    sleep_until(50_us);
    EXPECT_EQ(port.seen.size(), 1u);
    port.release();
    sleep_until(100_us);
    ASSERT_EQ(port.seen.size(), 2u);
    // An Ack and an UpdateFC (16 bytes) that fell due long ago cost no time.
    EXPECT_EQ(port.seen[1].at, 50_us + propagation + wire(84) + propagation);
    port.release();
  });
}

TEST_F(NarrowLinkTest, NonPostedCreditReturnsWhenThePortHasPassedTheRequestOn) {
  port.hold = true;
  run([&] {
    device.read(0x1000, 64);
    device.read(0x2000, 64);
    sleep(10_us);
    ASSERT_EQ(port.seen.size(), 2u);
    const auto back = wire(20) + propagation + port_latency + propagation;
    EXPECT_EQ(port.seen[1].at, back + wire(20) + propagation);
    port.release();
    port.release();
  });
}

// PCIe 2.4.1: a posted request passes a non-posted one that waits.
TEST_F(NarrowLinkTest, PostedPassesBlockedNonPosted) {
  run([&] {
    device.read(0x1000, 64);
    device.read(0x2000, 64);
    device.write(0x3000, filled(64, 3));
    sleep(10_us);
    ASSERT_EQ(port.seen.size(), 3u);
    EXPECT_EQ(port.seen[1].address, 0x3000u);
    EXPECT_EQ(port.seen[1].at, wire(20) + wire(84) + propagation);
    EXPECT_EQ(port.seen[2].address, 0x2000u);
  });
}

TEST_F(NarrowLinkTest, NonPostedDoesNotPassBlockedPosted) {
  port.hold = true;
  run([&] {
    device.write(0x1000, filled(64, 1));
    device.write(0x2000, filled(64, 2));
    device.read(0x3000, 64);
    sleep_until(10_us);
    EXPECT_EQ(port.seen.size(), 1u);
    port.release();
    sleep_until(20_us);
    ASSERT_EQ(port.seen.size(), 3u);
    EXPECT_EQ(port.seen[1].address, 0x2000u);
    EXPECT_EQ(port.seen[2].address, 0x3000u);
    EXPECT_EQ(port.seen[2].at, port.seen[1].at + wire(20));
    port.release();
    port.release();
  });
}

TEST_F(NarrowLinkTest, CompletionStaysBehindBlockedPosted) {
  port.hold = true;
  function.defer = true;
  run([&] {
    device.write(0x1000, filled(64, 1));
    device.write(0x2000, filled(64, 2));
    const Request& status = cores.read(0x10, 4);
    sleep_until(10_us);
    EXPECT_FALSE(status.done);
    port.release();
    sleep_until(20_us);
    ASSERT_TRUE(status.done);
    EXPECT_EQ(port.seen[1].address, 0x2000u);
    EXPECT_EQ(status.done_at, port.seen[1].at + wire(24));
    port.release();
  });
}

TEST_F(NarrowLinkTest, CompletionPassesBlockedNonPosted) {
  function.defer = true;
  run([&] {
    device.read(0x1000, 64);
    device.read(0x2000, 64);
    const Request& status = cores.read(0x10, 4);
    sleep(10_us);
    EXPECT_EQ(status.done_at, wire(20) + propagation + wire(24) + propagation);
    EXPECT_GT(port.seen[1].at, status.done_at);
  });
}

// The non-posted credit comes back while only a posted request waits: that must not stop it, nor
// go on for ever.
TEST_F(NarrowLinkTest, CreditsOfAnotherClassReturnWhilePostedWaits) {
  port.latency = 1_us;
  run([&] {
    device.read(0x1000, 64);
    device.write(0x2000, filled(64, 2));
    device.write(0x3000, filled(64, 3));
    sleep(10_us);
    ASSERT_EQ(port.seen.size(), 3u);
    const auto first = wire(20) + wire(84) + propagation;
    EXPECT_EQ(port.seen[1].at, first);
    EXPECT_EQ(port.seen[2].at, first + 1_us + propagation + wire(84) + propagation);
  });
}

TEST_F(NarrowLinkTest, DebugReachesTheOtherEndAtOnce) {
  run([&] {
    EXPECT_EQ(device.debug_write(0x1000, word(7)), 8u);
    EXPECT_EQ(port.get(0x1000), 7u);
    EXPECT_EQ(now(), 0_ps);
  });
}

}  // namespace
}  // namespace ioasim::pcie
