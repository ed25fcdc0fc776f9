// Effective data bandwidth of a link against its closed forms:
//   writes  W(S) = B x S / (S + 24 x ceil(S / MPS))
//   reads   R(S) = B x S / (S + 20 x completions)
// with B the link's own rate: the line rate without the DLLPs and SKPs that it really sends. An
// Ack and an UpdateFC, 16 bytes, per Ack latency limit L of the other direction's traffic, 4
// symbols of every 1538 for SKPs. Tolerance 1 %.
#include "pcie/link.hpp"

#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/requester.hpp"
#include "support/responder.hpp"

namespace ioasim::pcie {
namespace {

constexpr std::uint64_t base = 0x1'0000'0000;  // 4 DW headers

struct Shape {
  TransferRate rate;
  unsigned width;
  unsigned max_payload;
  double ack_limit;  // symbols (PCIe 3.6.3.1)
  double raw;        // bytes per ns
};

// GT/s x lanes x 128/130 / 8.
constexpr Shape gen3_x8{8_GTps, 8, 256, 203, 8.0 * 8 * 128 / 130 / 8};
constexpr Shape gen4_x16{16_GTps, 16, 256, 168, 16.0 * 16 * 128 / 130 / 8};

class LinkLaw : public test::Bench {
 protected:
  explicit LinkLaw(const Shape& link_shape = gen3_x8)
      : shape{link_shape},
        link{"link",
             clock,
             bus,
             {.rate = link_shape.rate,
              .width = link_shape.width,
              .posted_header_credits = 127,
              .posted_data_credits = 2047,
              .nonposted_header_credits = 127},
             link_shape.max_payload,
             10_ns} {
    device.socket.bind(link.from_device);
    link.to_port.bind(port.port());
    cores.socket.bind(link.from_port);
    link.to_device.bind(function.port());
    device.tlp.completion_payload = static_cast<std::uint16_t>(link_shape.max_payload);
  }

  double without_skp() const { return shape.raw * (1 - 4.0 / 1538); }
  double without_dllp() const {
    return shape.raw * (1 - 4.0 / 1538 - 16.0 / (shape.ack_limit * shape.width));
  }

  // Bytes per ns of many writes.
  double write_rate(std::uint64_t bytes) {
    constexpr unsigned count = 4000;
    for (unsigned n = 0; n < count; ++n) device.write(base, test::filled(bytes, 1));
    sleep(1_ms);
    const auto& seen = port.seen;
    EXPECT_EQ(seen.size(), count);
    const auto time = seen[count - 1].at - seen[0].at;
    return static_cast<double>(bytes) * (count - 1) * 1000 / static_cast<double>(time.count());
  }
  // Of many reads, 256 of them in flight: more than the round trip needs.
  double read_rate(std::uint64_t bytes) {
    constexpr unsigned count = 4000;
    for (unsigned n = 0; n < count; ++n) {
      while (n >= 256 + device.completed().size()) sleep(1_ns);
      if (n >= 256) sleep_until(device.completed()[n - 256]->done_at);
      device.read(base, bytes);
    }
    sleep(1_ms);
    const auto& done = device.completed();
    EXPECT_EQ(done.size(), count);
    const auto time = done[count - 1]->done_at - done[count / 2]->done_at;
    return static_cast<double>(bytes) * (count / 2 - 1) * 1000 / static_cast<double>(time.count());
  }
  void expect_writes(std::uint64_t bytes) {
    run([&] {
      const auto s = static_cast<double>(bytes);
      const auto expected = without_skp() * s / (s + 24);
      EXPECT_NEAR(write_rate(bytes), expected, expected * 0.01);
    });
  }
  void expect_reads(std::uint64_t bytes) {
    run([&] {
      const auto s = static_cast<double>(bytes);
      const auto completions = (s + shape.max_payload - 1) / shape.max_payload;
      const auto down = without_dllp() * s / (s + 20 * std::floor(completions));
      const auto up = without_dllp() * s / 24;
      const auto expected = std::min(down, up);
      EXPECT_NEAR(read_rate(bytes), expected, expected * 0.01);
    });
  }

  Shape shape;
  Link link;
  test::Requester device{"device", clock};
  test::Responder port{"port", clock};
  test::Requester cores{"cores", clock};
  test::Responder function{"function", clock};
};

class WideLinkLaw : public LinkLaw {
 protected:
  WideLinkLaw() : LinkLaw{gen4_x16} {}
};

TEST_F(LinkLaw, Write64) { expect_writes(64); }
TEST_F(LinkLaw, Write128) { expect_writes(128); }
TEST_F(LinkLaw, Write256) { expect_writes(256); }
TEST_F(LinkLaw, Read64) { expect_reads(64); }
TEST_F(LinkLaw, Read128) { expect_reads(128); }
TEST_F(LinkLaw, Read256) { expect_reads(256); }
TEST_F(LinkLaw, Read512) { expect_reads(512); }
TEST_F(WideLinkLaw, Write64) { expect_writes(64); }
TEST_F(WideLinkLaw, Write256) { expect_writes(256); }
TEST_F(WideLinkLaw, Read64) { expect_reads(64); }
TEST_F(WideLinkLaw, Read512) { expect_reads(512); }

// A PASID prefix costs 4 bytes a request: 64-byte writes fall by 4/92.
TEST_F(WideLinkLaw, PasidPrefix) {
  device.tlp.has_pasid = true;
  run([&] {
    const auto expected = without_skp() * 64 / 92;
    EXPECT_NEAR(write_rate(64), expected, expected * 0.003);
  });
}

}  // namespace
}  // namespace ioasim::pcie
