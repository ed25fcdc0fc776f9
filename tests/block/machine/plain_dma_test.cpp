// A plain TLM-2.0 initiator, which knows none of our extensions, does DMA through a root port, a
// remapping unit and the caches.
#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/host.hpp"
#include "support/plain_peers.hpp"

namespace ioasim {
namespace {

using test::filled;
using test::Host;
using test::MemorySystem;

constexpr auto read_command = tlm::TLM_READ_COMMAND;
constexpr auto write_command = tlm::TLM_WRITE_COMMAND;

class PlainDma : public test::Bench {
 protected:
  PlainDma() : host{clock, bus, 0} { plain.socket.bind(host.port.from_link); }

  std::uint64_t load(std::uint64_t address) {
    return host.core().load<std::uint64_t>(Hpa{address});
  }

  Host host;
  test::PlainLooseInitiator plain{"plain"};
};

TEST_F(PlainDma, UntranslatedWithDefaultAttributes) {
  run([&] {
    host.core().store<std::uint64_t>(Hpa{0x4000}, 0x1234);  // modified in a cache
    host.core().mfence();
    std::uint64_t value = 0;
    const auto begin = now();
    const auto read = plain.access(read_command, 0x4000, &value, 8);
    EXPECT_EQ(value, 0x1234u);  // it was snooped
    EXPECT_EQ(Picoseconds{static_cast<std::int64_t>(read.returned_at)} - begin,
              2 * Host::port_latency + Host::lookup + MemorySystem::lookup + MemorySystem::snoop);
    value = 0x99;
    EXPECT_EQ(plain.access(write_command, 0x4000, &value, 8).status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(load(0x4000), 0x99u);
  });
}

TEST_F(PlainDma, TranslatedAsRequesterZero) {
  constexpr std::uint64_t iova = 0x7000'0000;
  run([&] {
    host.tables.build();
    host.tables.map(iova, 0x8000);
    host.enable_translation();
    auto data = test::pattern(256, 4);
    EXPECT_EQ(plain.access(write_command, iova + 0x40, data.data(), 256).status,
              tlm::TLM_OK_RESPONSE);
    test::Data got(256);
    host.core().load(Hpa{0x8040}, got);
    EXPECT_EQ(got, data);
    got = filled(256, 0);
    plain.access(read_command, iova + 0x40, got.data(), 256);
    EXPECT_EQ(got, data);
  });
}

TEST_F(PlainDma, FaultIsATlmError) {
  run([&] {
    host.tables.build();
    host.enable_translation();
    std::uint64_t value = 5;
    EXPECT_EQ(plain.access(read_command, 0x7000'0000, &value, 8).status,
              tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(plain.access(write_command, 0x7000'0ff8, &value, 16).status,
              tlm::TLM_BURST_ERROR_RESPONSE);  // crosses a page
  });
}

TEST_F(PlainDma, InterruptMessage) {
  bool taken = false;
  also([&] { taken = host.core().wait_for_interrupt(0x55, 100_us); });
  run([&] {
    sleep(1_us);
    std::uint32_t message = 0x55;
    plain.access(write_command, 0xfee0'0000, &message, 4);
  });
  EXPECT_TRUE(taken);
}

class PlainTimedDma : public test::Bench {
 protected:
  PlainTimedDma() : host{clock, bus, 0} { plain.socket.bind(host.port.from_link); }

  Host host;
  test::PlainTimedInitiator plain{"plain"};
};

TEST_F(PlainTimedDma, PipelinedInFourPhases) {
  plain.end_after_ps = 1'000;
  run([&] {
    for (unsigned n = 0; n < 8; ++n) {
      plain.start(write_command, 0x4000 + 64 * n, 64, static_cast<unsigned char>(n + 1));
    }
    sleep(10_us);
    EXPECT_EQ(plain.answered.size(), 8u);
    EXPECT_EQ(plain.rule_broken, 0u);
    for (unsigned n = 0; n < 8; ++n) {
      EXPECT_EQ(host.core().load<std::uint8_t>(Hpa{0x4000 + 64 * n}), n + 1);
    }
  });
}

}  // namespace
}  // namespace ioasim
