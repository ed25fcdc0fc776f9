// The root port between fakes: a link below, a remapping unit and cores above.
#include "pcie/root_port.hpp"

#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/requester.hpp"
#include "support/responder.hpp"

namespace ioasim::pcie {
namespace {

using test::filled;
using test::Request;
using test::word;

constexpr auto latency = 50_ns;
constexpr Hpa ecam{0xe000'0000};

class RootPortTest : public test::Bench {
 protected:
  explicit RootPortTest(const RootPortParams& params = {.latency = latency}, bool plugged = true)
      : port{"port", clock, params, {RequesterId::of(0, 1, 0), 1, ecam}} {
    below.socket.bind(port.from_link);
    port.iommu.bind(unit.port());
    if (plugged) port.to_link.bind(link.port());
    window.socket.bind(port.window);
    own.socket.bind(port.own_config);
    lower.socket.bind(port.lower_config);
  }

  RootPort port;
  test::Requester below{"below", clock};
  test::Responder unit{"unit", clock};
  test::Responder link{"link", clock};
  test::Requester window{"window", clock};
  test::Requester own{"own", clock};
  test::Requester lower{"lower", clock};
};

// ---- upward ----

TEST_F(RootPortTest, RequestTakesItsLatencyEachWay) {
  unit.latency = 30_ns;
  run([&] {
    const Request& read = below.read(0x1000, 64);
    EXPECT_EQ(unit.seen.at(0).at, latency);
    EXPECT_EQ(read.done_at, latency + 30_ns + latency);
    EXPECT_EQ(read.completion, CompletionStatus::successful);
  });
}

TEST_F(RootPortTest, AnswerMayComeLater) {
  unit.latency = 30_ns;
  unit.defer = true;
  run([&] {
    const Request& read = below.read(0x1000, 64);
    sleep(1_us);
    EXPECT_EQ(read.done_at, latency + 30_ns + latency);
  });
}

TEST_F(RootPortTest, RequestOverAPageBoundaryIsRejected) {
  run([&] {
    EXPECT_EQ(below.read(0x1fc0, 128).completion, CompletionStatus::unsupported_request);
    EXPECT_EQ(below.write(0x1ff0, filled(32, 1)).completion, CompletionStatus::unsupported_request);
    EXPECT_TRUE(below.read(0x1fc0, 64).ok());
    EXPECT_TRUE(below.read(0x1000, 4096).ok());
    EXPECT_EQ(unit.seen.size(), 2u);
  });
  EXPECT_EQ(port.stats().rejected.n, 2u);
}

TEST_F(RootPortTest, PayloadBeyondTheLargestIsRejected) {
  run([&] {
    EXPECT_FALSE(below.write(0x1000, filled(257, 1)).ok());
    EXPECT_TRUE(below.write(0x1000, filled(256, 1)).ok());
    EXPECT_EQ(unit.seen.size(), 1u);
  });
}

TEST_F(RootPortTest, ErrorAboveIsAnUnsupportedRequestBelow) {
  unit.broken = 0x1000;
  run([&] { EXPECT_EQ(below.read(0x1000, 64).completion, CompletionStatus::unsupported_request); });
  EXPECT_EQ(port.stats().unsupported.n, 1u);
}

TEST_F(RootPortTest, NoSnoopIsHandedOn) {
  below.tlp.no_snoop = true;
  run([&] {
    below.read(0x1000, 64);
    EXPECT_TRUE(unit.seen.at(0).tlp.no_snoop);
  });
}

class DisregardsNoSnoop : public RootPortTest {
 protected:
  DisregardsNoSnoop() : RootPortTest{{.latency = latency, .honor_no_snoop = false}} {}
};

// Invariant 7.
TEST_F(DisregardsNoSnoop, AttributeIsCleared) {
  below.tlp.no_snoop = true;
  run([&] {
    below.read(0x1000, 64);
    below.write(0x1000, filled(64, 1));
    EXPECT_FALSE(unit.seen.at(0).tlp.no_snoop);
    EXPECT_FALSE(unit.seen.at(1).tlp.no_snoop);
  });
}

// ---- downward ----

TEST_F(RootPortTest, RegisterReadGoesDownAndComesBack) {
  link.latency = 300_ns;
  link.defer = true;
  link.put(0xc000'0010, 0x55);
  run([&] {
    const Request& read = window.read(0xc000'0010, 4);
    sleep(10_us);
    EXPECT_EQ(read.value(), 0x55u);
    EXPECT_EQ(read.done_at, latency + 300_ns + latency);
    EXPECT_EQ(link.seen.at(0).tlp.kind, TlpKind::memory_read);
  });
}

TEST_F(RootPortTest, DeviceThatAnswersAtOnceIsHeard) {
  link.latency = 300_ns;
  run([&] {
    const Request& read = window.read(0xc000'0010, 4);
    sleep(10_us);
    EXPECT_TRUE(read.done);
    EXPECT_EQ(read.done_at, latency + 300_ns + latency);
  });
}

TEST_F(RootPortTest, ConfigurationRequestOfTheFunctionBelow) {
  link.defer = true;
  run([&] {
    const Request& read = lower.read(ecam.value + (1 << 20) + 8, 4);
    const Request& absent = lower.read(ecam.value + (1 << 20) + 4096, 4);
    sleep(10_us);
    EXPECT_TRUE(read.ok());
    EXPECT_EQ(link.seen.at(0).tlp.kind, TlpKind::config_read);
    EXPECT_FALSE(absent.ok());  // no other function
    EXPECT_EQ(link.seen.size(), 1u);
  });
}

TEST_F(RootPortTest, OwnConfigurationIsABridge) {
  run([&] {
    EXPECT_EQ(own.read(0x0a, 2).value(), 0x0604u);
    EXPECT_EQ(own.read(0x0e, 1).value(), 1u);
    EXPECT_EQ(own.read(0x19, 1).value(), 1u);
    EXPECT_EQ(own.read(0x00, 4).done_at, latency);
    EXPECT_FALSE(own.read(0x00, 8).ok());
    EXPECT_FALSE(own.read(0x0a, 4).ok());
    test::Data data(8);
    EXPECT_EQ(own.debug_read(0x00, data), 0u);
  });
}

// PCIe 6.32: a memory request, which no configuration space takes.
TEST_F(RootPortTest, DeferrableWriteGoesToMemoryWindowsOnly) {
  for (auto* from : {&window, &own, &lower}) from->tlp.kind = TlpKind::deferrable_write;
  run([&] {
    const Request& taken = window.write(0xc000'0000, filled(64, 1));
    const Request& at_port = own.write(0x00, filled(64, 1));
    const Request& at_device = lower.write(ecam.value + (1 << 20), filled(64, 1));
    sleep(10_us);
    EXPECT_TRUE(taken.ok());
    for (const auto* refused : {&at_port, &at_device}) {
      EXPECT_EQ(refused->status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
      EXPECT_EQ(refused->done_at, latency);
    }
    ASSERT_EQ(link.seen.size(), 1u);
    EXPECT_EQ(link.seen[0].tlp.kind, TlpKind::deferrable_write);
  });
}

// PCIe 2.4.1: the completion of a register read pushes posted writes that came before it.
TEST_F(RootPortTest, ReadCompletionWaitsForEarlierWrites) {
  unit.hold = true;
  link.defer = true;
  run([&] {
    const Request& write = below.write(0x1000, filled(64, 1));
    const Request& read = window.read(0xc000'0010, 4);
    sleep_until(5_us);
    EXPECT_FALSE(read.done);
    unit.release();
    sleep_until(10_us);
    EXPECT_EQ(write.done_at, 5_us + latency);
    EXPECT_EQ(read.done_at, 5_us + latency);
  });
}

TEST_F(RootPortTest, ReadCompletionDoesNotWaitForLaterWritesNorForReads) {
  unit.hold = true;
  link.defer = true;
  run([&] {
    below.read(0x1000, 64);
    const Request& read = window.read(0xc000'0010, 4);
    sleep_until(5_us);
    EXPECT_EQ(read.done_at, 2 * latency);
    below.write(0x1000, filled(64, 1));
    unit.release();
    unit.release();
  });
}

TEST_F(RootPortTest, RegisterWriteIsNotHeld) {
  unit.hold = true;
  link.defer = true;
  run([&] {
    below.write(0x1000, filled(64, 1));
    const Request& posted = window.write(0xc000'0010, word(1, 4));
    sleep_until(5_us);
    EXPECT_EQ(posted.done_at, 2 * latency);
    unit.release();
  });
}

class Unplugged : public RootPortTest {
 protected:
  Unplugged() : RootPortTest{{.latency = latency}, false} {}
};

TEST_F(Unplugged, NothingAnswers) {
  run([&] {
    const Request& read = window.read(0xc000'0010, 4);
    EXPECT_EQ(read.status, tlm::TLM_ADDRESS_ERROR_RESPONSE);  // all ones at the core
    EXPECT_EQ(read.done_at, latency);
    EXPECT_FALSE(lower.read(ecam.value + (1 << 20), 4).ok());
    test::Data data(4);
    EXPECT_EQ(window.debug_read(0xc000'0010, data), 0u);
    EXPECT_TRUE(own.read(0, 4).ok());
  });
}

}  // namespace
}  // namespace ioasim::pcie
