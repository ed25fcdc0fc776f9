// The copy engine, and with it the endpoint that every device is: what it puts on its link.
#include "devices/dma_engine.hpp"

#include <gtest/gtest.h>

#include <set>

#include "support/engine_bench.hpp"

namespace ioasim::devices {
namespace {

using test::filled;
using test::Request;
using test::word;

using DmaEngineTest = test::EngineBench;

TEST_F(DmaEngineTest, CopiesAndTellsSo) {
  const auto data = test::pattern(1000, 3);
  upstream.put(source + 5, data);
  run([&] {
    EXPECT_EQ(get(0x00, 4), 0x444d'4101u);
    EXPECT_EQ(status(), idle);
    copy({.source = source + 5, .target = target + 9, .bytes = 1000});
    EXPECT_EQ(status(), done);
    EXPECT_EQ(get(0x18, 8), 1u);
    EXPECT_EQ(upstream.get(target + 9, 1000), data);
  });
}

TEST_F(DmaEngineTest, TimesOfItsRequests) {
  run([&] {
    copy({.source = source, .target = target, .bytes = 1024});
    const auto& all = upstream.seen;
    EXPECT_EQ(all.at(0).at, 100_ns);  // setup, then the descriptor
    const auto reads = requests(false);
    ASSERT_EQ(reads.size(), 2u);
    EXPECT_EQ(reads[0].at, 500_ns);
    EXPECT_EQ(reads[1].at, 510_ns);
    const auto writes = requests(true);
    ASSERT_EQ(writes.size(), 4u);
    EXPECT_EQ(writes[0].at, 900_ns);
    EXPECT_EQ(writes[1].at, 900_ns);
    EXPECT_EQ(writes[2].at, 910_ns);
  });
  EXPECT_EQ(engine.function_stats().read_ps.count(), 3u);
}

TEST_F(DmaEngineTest, KeepsItsLimitOfRequestsInFlight) {
  run([&] {
    copy({.source = source, .target = target, .bytes = 8 * 512});
    const auto reads = requests(false);
    ASSERT_EQ(reads.size(), 8u);
    EXPECT_EQ(reads[3].at, 530_ns);
    EXPECT_EQ(reads[4].at, 900_ns);  // the first is back
  });
}

// Invariant 113.
TEST_F(DmaEngineTest, SplitsAtPayloadReadRequestAndPage) {
  run([&] {
    copy({.source = source + 0xf80, .target = target + 0xfc0, .bytes = 3000});
    for (const auto& entry : upstream.seen) {
      EXPECT_LE(entry.bytes, entry.write ? 256u : 512u);
      EXPECT_EQ(entry.address / 4096, (entry.address + entry.bytes - 1) / 4096);
    }
    const auto reads = requests(false);
    EXPECT_EQ(reads.at(0).bytes, 128u);  // to the page's end
    EXPECT_EQ(reads.at(1).bytes, 512u);
  });
}

TEST_F(DmaEngineTest, DeviceControlSetsTheSizes) {
  run([&] {
    const auto control = config(device_control(), 2);
    EXPECT_EQ(control >> 5 & 7, 1u);   // 256
    EXPECT_EQ(control >> 12 & 7, 2u);  // 512
    set_config(device_control(), (control & ~0x70e0u) | 0 << 5 | 1 << 12, 2);
    copy({.source = source, .target = target, .bytes = 1024});
    for (const auto& entry : requests(false)) EXPECT_EQ(entry.bytes, 256u);
    for (const auto& entry : requests(true)) EXPECT_EQ(entry.bytes, 128u);
  });
}

// Invariant 115.
TEST_F(DmaEngineTest, TagsOfOutstandingReadsDiffer) {
  run([&] {
    upstream.hold = true;
    put_descriptor({.source = source, .target = target, .bytes = 8 * 512});
    start();
    sleep(1_us);
    upstream.release();
    sleep(1_us);
    std::set<unsigned> tags;
    const auto reads = requests(false);
    ASSERT_EQ(reads.size(), 4u);
    for (const auto& entry : reads) EXPECT_TRUE(tags.insert(entry.tlp.tag).second);
    while (upstream.kept() > 0) {
      upstream.release();
      sleep(1_us);
    }
    EXPECT_EQ(status(), done);
  });
}

class UnextendedTags : public DmaEngineTest {
 protected:
  static DmaEngineParams params() {
    auto params = simple();
    params.function.extended_tag = false;
    params.requests_max = 64;
    return params;
  }
  UnextendedTags() : DmaEngineTest{params()} {}
};

TEST_F(UnextendedTags, AreThirtyTwo) {
  upstream.latency = 10_us;
  run([&] {
    put_descriptor({.source = source, .target = target, .bytes = 64 * 512});
    start();
    sleep(19_us);
    EXPECT_EQ(requests(false).size(), 32u);
    sleep(100_us);
    EXPECT_EQ(status(), done);
    for (const auto& entry : requests(false)) EXPECT_LT(entry.tlp.tag, 32u);
  });
}

TEST_F(DmaEngineTest, RequestsCarryItsId) {
  run([&] {
    copy({.source = source, .target = target, .bytes = 64});
    for (const auto& entry : upstream.seen) EXPECT_EQ(entry.tlp.requester, id);
  });
}

// ---- No Snoop: invariants 19, 20 ----

TEST_F(DmaEngineTest, NoSnoopIsPerDirectionAndNotForDescriptors) {
  run([&] {
    copy({.source = source,
          .target = target,
          .bytes = 512,
          .flags = DmaDescriptor::source_no_snoop});
    EXPECT_FALSE(upstream.seen.at(0).tlp.no_snoop);
    for (const auto& entry : requests(false)) EXPECT_TRUE(entry.tlp.no_snoop);
    for (const auto& entry : requests(true)) EXPECT_FALSE(entry.tlp.no_snoop);
    upstream.seen.clear();
    copy({.source = source,
          .target = target,
          .bytes = 512,
          .flags = DmaDescriptor::target_no_snoop});
    for (const auto& entry : requests(false)) EXPECT_FALSE(entry.tlp.no_snoop);
    for (const auto& entry : requests(true)) EXPECT_TRUE(entry.tlp.no_snoop);
  });
}

TEST_F(DmaEngineTest, NoSnoopNeedsItsBitInDeviceControl) {
  run([&] {
    set_control_bit(11, false);
    copy({.source = source, .target = target, .bytes = 512, .flags = 3});
    for (const auto& entry : upstream.seen) EXPECT_FALSE(entry.tlp.no_snoop);
    set_control_bit(11, true);
    upstream.seen.clear();
    copy({.source = source, .target = target, .bytes = 512, .flags = 3});
    EXPECT_TRUE(requests(false).at(0).tlp.no_snoop);
  });
}

class WithoutNoSnoop : public DmaEngineTest {
 protected:
  static DmaEngineParams params() {
    auto params = simple();
    params.function.no_snoop = false;
    return params;
  }
  WithoutNoSnoop() : DmaEngineTest{params()} {}
};

TEST_F(WithoutNoSnoop, BitIsHardWiredToZero) {
  run([&] {
    EXPECT_EQ(config(device_control(), 2) >> 11 & 1, 0u);
    set_control_bit(11, true);
    EXPECT_EQ(config(device_control(), 2) >> 11 & 1, 0u);
    copy({.source = source, .target = target, .bytes = 512, .flags = 3});
    for (const auto& entry : upstream.seen) EXPECT_FALSE(entry.tlp.no_snoop);
  });
}

// ---- interrupts ----

TEST_F(DmaEngineTest, InterruptIsAMessageBehindTheData) {
  run([&] {
    enable_message(0xfee0'1000, 0x41);
    copy(
        {.source = source, .target = target, .bytes = 1024, .flags = 3 | DmaDescriptor::interrupt});
    const auto& last = upstream.seen.back();
    EXPECT_TRUE(last.write);
    EXPECT_EQ(last.address, 0xfee0'1000u);
    EXPECT_EQ(last.data, word(0x41, 4));
    EXPECT_FALSE(last.tlp.no_snoop);  // invariant 21
    EXPECT_EQ(requests(true).size(), 5u);
  });
  EXPECT_EQ(engine.function_stats().interrupts.n, 1u);
}

TEST_F(DmaEngineTest, NoMessageWhileMsiIsDisabled) {
  run([&] {
    copy({.source = source, .target = target, .bytes = 64, .flags = DmaDescriptor::interrupt});
    EXPECT_EQ(requests(true).size(), 1u);
  });
}

// ---- chains, errors ----

TEST_F(DmaEngineTest, ChainRunsToItsEnd) {
  run([&] {
    put_descriptor({.source = source, .target = target, .bytes = 64, .next = 0}, list + 0x40);
    copy({.source = source,
          .target = target + 0x1000,
          .bytes = 64,
          .flags = DmaDescriptor::chain,
          .next = list + 0x40});
    EXPECT_EQ(get(0x18, 8), 2u);
    EXPECT_EQ(status(), done);
  });
}

TEST_F(DmaEngineTest, StopEndsTheChain) {
  run([&] {
    put_descriptor({.source = source,
                    .target = target,
                    .bytes = 64,
                    .flags = DmaDescriptor::chain,
                    .next = list});
    start();
    sleep(20_us);
    EXPECT_EQ(status(), running);
    set(0x20, 1, 4);
    sleep(5_us);
    EXPECT_EQ(status(), done);
    EXPECT_GT(get(0x18, 8), 10u);
  });
}

TEST_F(DmaEngineTest, WithoutBusMasterItDoesNothing) {
  run([&] {
    put_descriptor({.source = source, .target = target, .bytes = 64});
    set(0x08, list, 8);
    set(0x10, 1, 4);
    sleep(10_us);
    EXPECT_TRUE(upstream.seen.empty());
    EXPECT_EQ(status(), halted);
    EXPECT_EQ(get(0x28, 8), list);
  });
}

TEST_F(DmaEngineTest, RegistersAreBehindMemorySpaceEnable) {
  run([&] {
    set_config(0x04, 0, 2);
    cores.tlp.kind = pcie::TlpKind::memory_read;
    test::Data data(4);
    EXPECT_EQ(cores.debug_read(bar, data), 0u);
    const Request& read = cores.read(bar, 4);
    sleep(1_us);
    EXPECT_EQ(read.completion, pcie::CompletionStatus::unsupported_request);
  });
}

}  // namespace
}  // namespace ioasim::devices
