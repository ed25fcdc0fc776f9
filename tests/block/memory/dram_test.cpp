// Main memory behind a requester: contents, and when it answers.
#include "memory/dram.hpp"

#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/plain_peers.hpp"
#include "support/requester.hpp"

namespace ioasim::memory {
namespace {

using test::filled;
using test::Request;
using test::word;

// 64 bytes take 4 ns on one of two channels, which the parity of the line's number chooses.
constexpr Params params{
    .capacity = 16_MiB, .channels = 2, .channel_bandwidth = 16'000_MBps, .latency = 50_ns};

class DramTest : public test::Bench {
 protected:
  DramTest() { asker.socket.bind(dram.home); }

  Dram dram{"dram", clock, params};
  test::Requester asker{"asker", clock};
};

TEST_F(DramTest, LatencyAndTransferOfOneLine) {
  run([&] {
    EXPECT_EQ(asker.read(0, 64).done_at, 54_ns);
    sleep_until(1_us);
    EXPECT_EQ(asker.write(0x40, filled(64, 1)).done_at, 1_us + 54_ns);
  });
}

TEST_F(DramTest, PartOfALineTakesAsLongAsTheLine) {
  run([&] { EXPECT_EQ(asker.read(0x13, 1).done_at, 54_ns); });
}

TEST_F(DramTest, LinesOfOneChannelFollowOneAnother) {
  run([&] {
    EXPECT_EQ(asker.read(0x000, 64).done_at, 54_ns);
    EXPECT_EQ(asker.read(0x0c0, 64).done_at, 58_ns);
    EXPECT_EQ(asker.read(0x140, 64).done_at, 62_ns);
    EXPECT_EQ(asker.read(0x040, 64).done_at, 54_ns);  // the other channel is idle
  });
}

TEST_F(DramTest, ChannelIsFreeAgainAfterItsTransfer) {
  run([&] {
    asker.read(0, 64);
    sleep_until(4_ns - 1_ps);
    EXPECT_EQ(asker.read(0xc0, 64).done_at, 58_ns);
    sleep_until(8_ns);
    EXPECT_EQ(asker.read(0x140, 64).done_at, 62_ns);
    sleep_until(1_us);
    EXPECT_EQ(asker.read(0x140, 64).done_at, 1_us + 54_ns);
  });
}

TEST_F(DramTest, LongAccessIsDoneWithItsLastLine) {
  run([&] {
    EXPECT_EQ(asker.read(0, 256).done_at, 58_ns);    // two lines on each channel
    EXPECT_EQ(asker.read(0x20, 64).done_at, 62_ns);  // straddles two lines
  });
  EXPECT_EQ(dram.stats().reads.n, 6u);
  EXPECT_EQ(dram.stats().read_bytes.n, 320u);
}

TEST_F(DramTest, KeepsWhatIsWritten) {
  const auto data = test::pattern(5000, 9);
  run([&] {
    EXPECT_EQ(asker.read(0x1f'ff00, 64).data, filled(64, 0));
    asker.write(0x1f'ff00, data);  // over the boundary of 2 MiB
    EXPECT_EQ(asker.read(0x1f'ff00, 5000).data, data);
  });
}

TEST_F(DramTest, ByteEnablesRepeatOverTheData) {
  asker.enables = {TLM_BYTE_ENABLED, TLM_BYTE_DISABLED, TLM_BYTE_DISABLED, TLM_BYTE_ENABLED};
  run([&] {
    asker.write(0x10, filled(8, 0xff));
    asker.enables.clear();
    EXPECT_EQ(asker.read(0x10, 8).value(), 0xff00'00ff'ff00'00ffu);
  });
}

TEST_F(DramTest, OutsideIsAnError) {
  run([&] {
    const Request& read = asker.read((16u << 20) - 32, 64);
    EXPECT_EQ(read.status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(asker.write(~0ull - 7, word(1)).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    test::Data data(64);
    EXPECT_EQ(asker.debug_read(16u << 20, data), 0u);
  });
}

TEST_F(DramTest, BackDoor) {
  run([&] {
    EXPECT_EQ(asker.debug_write(0x40, word(77)), 8u);
    EXPECT_EQ(asker.read(0x40, 8).value(), 77u);
    EXPECT_EQ(dram.stats().writes.n, 0u);
  });
}

class PlainDramTest : public test::Bench {
 protected:
  PlainDramTest() { plain.socket.bind(dram.home); }

  Dram dram{"dram", clock, params};
  test::PlainLooseInitiator plain{"plain"};
};

TEST_F(PlainDramTest, PlainInitiatorWaitsAsLong) {
  run([&] {
    std::uint64_t value = 5;
    const auto write = plain.access(tlm::TLM_WRITE_COMMAND, 0x40, &value, 8);
    EXPECT_EQ(write.returned_at + write.delay.value(), 54'000u);
    value = 0;
    plain.access(tlm::TLM_READ_COMMAND, 0x40, &value, 8);
    EXPECT_EQ(value, 5u);
  });
}

// IEEE 1666 14.9: an ignored command moves nothing.
TEST_F(PlainDramTest, IgnoredCommandMovesNothing) {
  run([&] {
    std::uint64_t value = 5;
    const auto outcome = plain.access(tlm::TLM_IGNORE_COMMAND, 0x40, &value, 8);
    EXPECT_EQ(outcome.status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(value, 5u);
    std::uint64_t held = 1;
    plain.access(tlm::TLM_READ_COMMAND, 0x40, &held, 8);
    EXPECT_EQ(held, 0u);
  });
}

}  // namespace
}  // namespace ioasim::memory
