// What a device sees of the caches and does to them: every row of the tables of snooped and
// non-snooped access, with data and exact times.
#include <gtest/gtest.h>

#include "cache/oracle.hpp"
#include "support/bench.hpp"
#include "support/core_pair.hpp"

namespace ioasim::cache {
namespace {

using test::filled;
using test::MemorySystem;
using test::Request;

constexpr std::uint64_t line = 0x4000;
constexpr Hpa address{line};
constexpr auto old_data = 0x11u;   // in memory
constexpr auto core_data = 0x22u;  // written by a core
constexpr auto new_data = 0x33u;   // written by the device
constexpr auto lookup = MemorySystem::lookup;
constexpr auto snoop = MemorySystem::snoop;
constexpr auto dram = MemorySystem::dram;

class DeviceAccessTest : public test::Bench {
 protected:
  explicit DeviceAccessTest(const Params& caches = MemorySystem::small_caches())
      : pair{clock, bus, caches}, system{pair.system}, core{pair.core0}, device{system.device} {}

  // The line holds old_data in memory and is in no cache.
  void start_absent() { EXPECT_EQ(device.debug_write(line, filled(64, old_data)), 64u); }
  void start_clean() {
    start_absent();
    load();
  }
  // ... and core_data, modified, in core 0's cache.
  void start_dirty() {
    start_absent();
    store(filled(64, core_data));
  }
  void settle() { sleep(1_us); }

  test::Data load() {
    test::Data data(64);
    core.load(address, data);
    return data;
  }
  // ... and waits until everybody can see it.
  void store(const test::Data& data) {
    core.store(address, data);
    core.mfence();
  }

  // From the request to its response.
  Picoseconds latency(const Request& request) { return request.done_at - sent_at_; }
  const Request& read(bool snooped, std::uint64_t from = line, std::size_t bytes = 64) {
    device.origin.snoop = snooped;
    sent_at_ = now();
    return device.read(from, bytes);
  }
  const Request& write(bool snooped, const test::Data& data, std::uint64_t to = line) {
    device.origin.snoop = snooped;
    sent_at_ = now();
    return device.write(to, data);
  }
  test::Data memory() const { return system.in_memory(line, 64); }
  // Like `base`, with `count` bytes from `first` on replaced.
  static test::Data merged(unsigned base, std::size_t first, std::size_t count, unsigned value) {
    auto data = filled(64, base);
    std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(first), count,
                static_cast<std::byte>(value));
    return data;
  }

  test::CorePair pair;
  MemorySystem& system;
  cpu::Core& core;
  test::Requester& device;

 private:
  Picoseconds sent_at_{};
};

// ---- reads ----

TEST_F(DeviceAccessTest, SnoopedReadOfAnAbsentLine) {
  run([&] {
    start_absent();
    const Request& got = read(true);
    EXPECT_EQ(got.data, filled(64, old_data));
    EXPECT_EQ(latency(got), lookup + dram);
    // Not allocated: a second one takes as long.
    settle();
    EXPECT_EQ(latency(read(true)), lookup + dram);
  });
}

TEST_F(DeviceAccessTest, SnoopedReadOfALineThatTheLastLevelHas) {
  run([&] {
    start_absent();
    write(true, filled(64, new_data));
    settle();
    const Request& got = read(true);
    EXPECT_EQ(got.data, filled(64, new_data));
    EXPECT_EQ(latency(got), lookup);
  });
}

TEST_F(DeviceAccessTest, SnoopedReadOfADirtyLineLeavesItDirty) {
  run([&] {
    start_dirty();
    const Request& got = read(true);
    EXPECT_EQ(got.data, filled(64, core_data));
    EXPECT_EQ(latency(got), lookup + snoop);
    EXPECT_EQ(memory(), filled(64, old_data));
    EXPECT_EQ(system.home.caches(0).state(address.line()), State::modified);
  });
}

TEST_F(DeviceAccessTest, NoSnoopReadSeesMemoryOnly) {
  run([&] {
    start_dirty();
    settle();
    const Request& got = read(false);
    EXPECT_EQ(got.data, filled(64, old_data));
    EXPECT_EQ(latency(got), dram);
    EXPECT_EQ(system.home.stats().io_no_snoop_reads.n, 1u);
  });
}

TEST_F(DeviceAccessTest, NoSnoopReadOfACleanLine) {
  run([&] {
    start_clean();
    settle();
    EXPECT_EQ(read(false).data, filled(64, old_data));
  });
}

// Invariant 40.
TEST_F(DeviceAccessTest, NoSnoopAccessesDoNotAllocate) {
  run([&] {
    start_absent();
    read(false);
    settle();
    EXPECT_EQ(latency(read(true)), lookup + dram);
    settle();
    write(false, filled(64, new_data));
    settle();
    EXPECT_EQ(latency(read(true)), lookup + dram);
  });
}

// ---- writes past the caches ----

// Invariant 14.
TEST_F(DeviceAccessTest, NoSnoopWriteOfAnAbsentLineIsSeenByCores) {
  run([&] {
    start_absent();
    const Request& done = write(false, filled(64, new_data));
    EXPECT_EQ(latency(done), dram);
    EXPECT_EQ(memory(), filled(64, new_data));
    EXPECT_EQ(load(), filled(64, new_data));
  });
}

// Invariant 11.
TEST_F(DeviceAccessTest, NoSnoopWriteLeavesACleanCopyStaleUntilItIsFlushed) {
  run([&] {
    start_clean();
    write(false, filled(64, new_data));
    EXPECT_EQ(memory(), filled(64, new_data));
    EXPECT_EQ(load(), filled(64, old_data));
    core.clflush(address);
    EXPECT_EQ(load(), filled(64, new_data));
  });
}

TEST_F(DeviceAccessTest, StaleCleanCopyEndsWithWbinvdAndWithEviction) {
  run([&] {
    start_clean();
    write(false, filled(64, new_data));
    core.wbinvd();
    EXPECT_EQ(load(), filled(64, new_data));
    write(false, filled(64, core_data));
    EXPECT_EQ(load(), filled(64, new_data));
    // 128 sets of 8 ways: eight more lines of the set push it out of the last level.
    for (unsigned way = 1; way <= 8; ++way) core.load<std::uint64_t>(address + way * 0x2000);
    EXPECT_EQ(load(), filled(64, core_data));
  });
}

// Invariant 12.
TEST_F(DeviceAccessTest, NoSnoopWriteUnderADirtyLineIsLostWithTheWriteBack) {
  run([&] {
    start_dirty();
    write(false, filled(64, new_data));
    EXPECT_EQ(memory(), filled(64, new_data));
    core.clflush(address);
    EXPECT_EQ(memory(), filled(64, core_data));
    EXPECT_EQ(load(), filled(64, core_data));
  });
}

// Invariant 13.
TEST_F(DeviceAccessTest, NoSnoopPartialWriteUnderADirtyLineIsLostToo) {
  run([&] {
    start_dirty();
    write(false, filled(4, new_data), line + 8);
    EXPECT_EQ(memory(), merged(old_data, 8, 4, new_data));
    core.clflush(address);
    EXPECT_EQ(memory(), filled(64, core_data));
  });
}

// ---- writes into the caches ----

// Invariant 15.
TEST_F(DeviceAccessTest, SnoopedPartialWriteMergesWithADirtyLine) {
  run([&] {
    start_dirty();
    const Request& done = write(true, filled(4, new_data), line + 8);
    EXPECT_EQ(latency(done), lookup + snoop);
    EXPECT_EQ(load(), merged(core_data, 8, 4, new_data));
    core.clflush(address);
    EXPECT_EQ(memory(), merged(core_data, 8, 4, new_data));
  });
}

// Invariant 16.
TEST_F(DeviceAccessTest, SnoopedFullWriteReplacesEveryCopy) {
  run([&] {
    start_clean();
    pair.core1.load<std::uint64_t>(address);
    const Request& done = write(true, filled(64, new_data));
    EXPECT_EQ(latency(done), lookup + snoop);
    EXPECT_EQ(system.home.caches(0).state(address.line()), State::invalid);
    EXPECT_EQ(system.home.caches(1).state(address.line()), State::invalid);
    EXPECT_EQ(memory(), filled(64, old_data));  // stays in the last level
    EXPECT_EQ(load(), filled(64, new_data));
  });
}

TEST_F(DeviceAccessTest, SnoopedFullWriteOfAnAbsentLineReadsNothing) {
  run([&] {
    start_absent();
    EXPECT_EQ(latency(write(true, filled(64, new_data))), lookup);
    EXPECT_EQ(system.memory.stats().reads.n, 0u);
  });
}

TEST_F(DeviceAccessTest, SnoopedPartialWriteOfAnAbsentLineReadsItFirst) {
  run([&] {
    start_absent();
    EXPECT_EQ(latency(write(true, filled(4, new_data), line + 8)), lookup + dram);
    EXPECT_EQ(load(), merged(old_data, 8, 4, new_data));
  });
}

TEST_F(DeviceAccessTest, LongUnalignedWriteIsCutIntoLines) {
  const auto data = test::pattern(128, 5);
  run([&] {
    write(true, data, line + 0x30);  // 16 + 64 + 48
    EXPECT_EQ(system.home.stats().io_writes.n, 3u);
    EXPECT_EQ(system.memory.stats().reads.n, 2u);  // for the two partial ones
    test::Data got(128);
    core.load(address + 0x30, got);
    EXPECT_EQ(got, data);
  });
}

TEST_F(DeviceAccessTest, ByteEnablesPickBytes) {
  device.enables.assign(64, TLM_BYTE_DISABLED);
  for (std::size_t i = 8; i < 12; ++i) device.enables[i] = TLM_BYTE_ENABLED;
  run([&] {
    start_dirty();
    write(true, filled(64, new_data));
    EXPECT_EQ(load(), merged(core_data, 8, 4, new_data));
    write(false, filled(64, new_data));
    EXPECT_EQ(memory(), merged(old_data, 8, 4, new_data));
  });
}

// Bytes that are not enabled are not written, and so nobody's newest.
TEST_F(DeviceAccessTest, OracleKnowsByteEnables) {
  Oracle oracle;
  bus.add(oracle);
  device.enables = {TLM_BYTE_ENABLED, TLM_BYTE_DISABLED};
  run([&] {
    start_dirty();
    write(true, filled(64, new_data));
    load();
    EXPECT_TRUE(oracle.stale_reads().empty()) << oracle.stale_reads().front().text();
    read(true);
    EXPECT_TRUE(oracle.stale_reads().empty()) << oracle.stale_reads().front().text();
  });
}

TEST_F(DeviceAccessTest, OutsideMemoryIsAnError) {
  run([&] {
    EXPECT_EQ(read(true, 64u << 20).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(read(true, (64u << 20) - 32).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(write(false, filled(64, 1), ~63ull).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  });
}

TEST_F(DeviceAccessTest, BackDoorSeesTheNewestAndReachesEveryCopy) {
  run([&] {
    start_dirty();
    test::Data got(64);
    EXPECT_EQ(device.debug_read(line, got), 64u);
    EXPECT_EQ(got, filled(64, core_data));
    EXPECT_EQ(memory(), filled(64, old_data));
    device.debug_write(line, filled(64, new_data));
    EXPECT_EQ(load(), filled(64, new_data));
    EXPECT_EQ(memory(), filled(64, new_data));
    EXPECT_EQ(device.debug_read(64u << 20, got), 0u);
  });
}

// ---- DDIO ----

// Invariant 39: write misses fill two ways of each set and no more.
TEST_F(DeviceAccessTest, WriteMissesAllocateInTheirWaysOnly) {
  run([&] {
    // Eight lines of one set, all held by the last level.
    for (unsigned way = 0; way < 8; ++way) core.load<std::uint64_t>(address + way * 0x2000);
    for (unsigned n = 0; n < 32; ++n) {
      write(true, filled(64, new_data), line + 0x10'0000 + n * 0x2000);
      settle();
    }
    unsigned gone = 0;
    for (unsigned way = 0; way < 8; ++way) {
      gone += latency(read(true, line + way * 0x2000)) >= lookup + dram;
      settle();
    }
    EXPECT_EQ(gone, 2u);
    unsigned present = 0;
    for (unsigned n = 0; n < 32; ++n) {
      present += latency(read(true, line + 0x10'0000 + n * 0x2000)) == lookup;
      settle();
    }
    EXPECT_EQ(present, 2u);
  });
}

class NoDdioTest : public DeviceAccessTest {
 protected:
  static Params caches() {
    auto params = MemorySystem::small_caches();
    params.llc.ddio = false;
    return params;
  }
  NoDdioTest() : DeviceAccessTest{caches()} {}
};

TEST_F(NoDdioTest, WriteInvalidatesAndGoesToMemory) {
  run([&] {
    start_dirty();
    write(true, filled(4, new_data), line + 8);
    EXPECT_EQ(memory(), merged(core_data, 8, 4, new_data));
    settle();
    EXPECT_EQ(latency(read(true)), lookup + dram);
    EXPECT_EQ(load(), merged(core_data, 8, 4, new_data));
  });
}

TEST_F(NoDdioTest, WriteOfAnAbsentLineGoesToMemory) {
  run([&] {
    start_absent();
    EXPECT_EQ(latency(write(true, filled(4, new_data), line + 8)), lookup + dram);
    EXPECT_EQ(memory(), merged(old_data, 8, 4, new_data));
  });
}

}  // namespace
}  // namespace ioasim::cache
