// Weakly ordered stores: gathered in write-combining buffers, past the caches, visible when the
// buffer is emptied (SDM vol. 1, 10.4.6.2; vol. 3, 12.3.1).
#include <gtest/gtest.h>

#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

using cache::State;
using test::Data;
using test::filled;
using test::pattern;

constexpr Hpa x{0x1'0000};
constexpr Hpa y{0x1'0040};
constexpr Hpa z{0x1'0080};

// What core 0 has written to memory, in order.
struct Writes final : trace::Listener {
  struct Write {
    std::uint64_t address;
    std::size_t bytes;
    bool operator==(const Write&) const = default;
  };
  void on(Picoseconds, const trace::Event& event) override {
    const auto* write = std::get_if<trace::MemoryWrite>(&event);
    if (write == nullptr || write->agent != trace::Agent::core) return;
    seen.push_back({write->address.value, write->data.size()});
  }
  std::vector<Write> seen;
};

// Two buffers.
class WriteCombiningTest : public test::CorePairBench {
 protected:
  WriteCombiningTest() { bus.add(writes); }
  ~WriteCombiningTest() override { bus.remove(writes); }

  // A whole line, from the core to memory.
  static constexpr auto write_out = reach_home + llc + dram;

  void store_nt(Hpa at, std::uint64_t value, std::size_t bytes = 8) {
    core0.store_nt(at, test::word(value, bytes));
  }
  Data in_memory(Hpa at, std::size_t bytes) const { return pair.system.in_memory(at.value, bytes); }

  Writes writes;
};

// ---- merging ----

TEST_F(WriteCombiningTest, PartsOfALineBecomeOneWrite) {
  run([&] {
    const auto data = pattern(64, 3);
    for (unsigned n = 0; n < 8; ++n) {
      const auto part = (n * 3 % 8) * 8;  // in any order
      core0.store_nt(x + part, {data.data() + part, 8});
    }
    core0.execute(write_out);
    EXPECT_EQ(in_memory(x, 64), data);  // the full buffer left by itself
    EXPECT_EQ(writes.seen, (std::vector<Writes::Write>{{x.value, 64}}));
  });
}

TEST_F(WriteCombiningTest, PartOfALineWaitsForAFence) {
  run([&] {
    store_nt(x, 5);
    core0.execute(10_us);
    EXPECT_EQ(memory(x), 0u);
    EXPECT_EQ(not_snooped(x), 0u);
    EXPECT_EQ(snooped(x), 0u);
    sleep(1_us);
    const auto begin = now();
    core0.sfence();
    EXPECT_EQ(now() - begin, write_out + fence);
    EXPECT_EQ(memory(x), 5u);
  });
}

TEST_F(WriteCombiningTest, LaterStoreToHeldBytesReplacesThem) {
  run([&] {
    store_nt(x, 5);
    store_nt(x + 4, 6, 4);
    core0.sfence();
    EXPECT_EQ(memory(x), 0x6'0000'0005u);
    EXPECT_EQ(writes.seen, (std::vector<Writes::Write>{{x.value, 8}}));
  });
}

TEST_F(WriteCombiningTest, GapsAreNotWritten) {
  run([&] {
    pair.system.device.debug_write(x.value, filled(64, 0xee));
    store_nt(x + 48, 2);
    store_nt(x + 8, 1);
    core0.sfence();
    auto expected = filled(64, 0xee);
    std::ranges::copy(test::word(1), expected.begin() + 8);
    std::ranges::copy(test::word(2), expected.begin() + 48);
    EXPECT_EQ(in_memory(x, 64), expected);
    EXPECT_EQ(writes.seen, (std::vector<Writes::Write>{{x.value + 8, 8}, {x.value + 48, 8}}));
  });
}

TEST_F(WriteCombiningTest, BufferThatWasTakenFirstGivesWayFirst) {
  run([&] {
    store_nt(y, 1);
    store_nt(x, 2);
    store_nt(y + 8, 3);  // does not make it any younger
    store_nt(z, 4);
    core0.execute(write_out);
    EXPECT_EQ(writes.seen, (std::vector<Writes::Write>{{y.value, 16}}));
    store_nt(z + 64, 5);
    core0.execute(write_out);
    EXPECT_EQ(writes.seen.size(), 2u);
    EXPECT_EQ(memory(x), 2u);
    EXPECT_EQ(memory(z), 0u);
  });
}

TEST_F(WriteCombiningTest, WholeLineTakesNoBuffer) {
  run([&] {
    store_nt(x, 1);
    store_nt(y, 2);
    core0.store_nt(z, pattern(128, 3));
    core0.execute(write_out);
    EXPECT_EQ(in_memory(z, 128), pattern(128, 3));
    EXPECT_EQ(memory(x), 0u);
    EXPECT_EQ(memory(y), 0u);
  });
}

// ---- caches ----

TEST_F(WriteCombiningTest, CachedLineIsWrittenBackAndDropped) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core1.store<std::uint64_t>(y, 6);
    core0.mfence();
    core1.mfence();
    store_nt(x + 8, 7);
    store_nt(y + 8, 8);
    core0.sfence();
    EXPECT_FALSE(cached(x));
    EXPECT_FALSE(cached(y));
    EXPECT_FALSE(in_shared_level(x));
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(memory(x + 8), 7u);
    EXPECT_EQ(memory(y), 6u);
    EXPECT_EQ(memory(y + 8), 8u);
  });
}

// Invariant 42.
TEST_F(WriteCombiningTest, StoreThroughAWriteCombiningMappingAllocatesNothing) {
  run([&] {
    set_pat(core0);
    core0.store<std::uint64_t>(x, 5, wc);
    core0.store(y, pattern(64, 3), wc);
    core0.sfence();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(in_memory(y, 64), pattern(64, 3));
    EXPECT_FALSE(cached(x));
    EXPECT_FALSE(in_shared_level(x));
    EXPECT_FALSE(in_shared_level(y));
  });
}

// The hint does not make uncached memory weakly ordered.
TEST_F(WriteCombiningTest, NonTemporalStoreToUncachedMemoryIsUncached) {
  run([&] {
    set_pat(core0);
    core0.store_nt(x, test::word(5), uc);
    EXPECT_EQ(memory(x), 5u);
    core0.store_nt(x + 8, test::word(6), wp);
    EXPECT_EQ(memory(x + 8), 6u);
    core0.store_nt(x + 16, test::word(7), wt);
    EXPECT_EQ(memory(x + 16), 0u);
  });
}

// The page in the middle is uncached: its part is in memory at once, and pushes out the part
// before.
TEST_F(WriteCombiningTest, EachPageOfANonTemporalStoreHasItsOwnType) {
  run([&] {
    set_range(core0, 0, x + 0x1000, 0x1000, MemoryType::uncached);
    const auto data = pattern(16, 3);
    core0.store_nt(x + 0x1000 - 8, data);
    EXPECT_EQ(in_memory(x + 0x1000 - 8, 16), data);
    core0.store_nt(x + 0x2000 - 8, data);
    EXPECT_EQ(in_memory(x + 0x2000 - 8, 8), Data(data.begin(), data.begin() + 8));
    EXPECT_EQ(memory(x + 0x2000), 0u);
    core0.sfence();
    EXPECT_EQ(in_memory(x + 0x2000 - 8, 16), data);
    EXPECT_FALSE(cached(x + 0x2000));
  });
}

// ---- the core's own loads and stores ----

TEST_F(WriteCombiningTest, LoadSeesWhatTheBuffersHold) {
  run([&] {
    pair.system.device.debug_write(x.value, filled(16, 0xee));
    store_nt(x, 5, 4);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 0xeeee'eeee'0000'0005u);
    set_pat(core0);
    core0.store<std::uint64_t>(y, 6, wc);
    EXPECT_EQ(core0.load<std::uint64_t>(y, wc), 6u);
    core0.store<std::uint64_t>(y, 7, wc);
    EXPECT_EQ(core0.load<std::uint64_t>(y, uc), 7u);
  });
}

// A whole line leaves its buffer at once, and is on its way for a while.
TEST_F(WriteCombiningTest, LoadSeesALineThatIsOnItsWay) {
  run([&] {
    core0.load<std::uint64_t>(x);
    core0.store_nt(x, pattern(64, 3));
    EXPECT_EQ(core0.load<std::uint64_t>(x), test::value_of(pattern(8, 3)));
    core0.load<std::uint64_t>(y);
    store_nt(y, 5);
    store_nt(z, 6);
    store_nt(z + 64, 7);  // displaces y
    EXPECT_EQ(core0.load<std::uint64_t>(y), 5u);
  });
}

TEST_F(WriteCombiningTest, LaterStoreIsNotOverwrittenByALineThatIsOnItsWay) {
  run([&] {
    core0.store<std::uint64_t>(x, 1);
    core0.mfence();
    core0.store_nt(x, pattern(64, 3));
    core0.store<std::uint64_t>(x, 9);
    EXPECT_EQ(core0.load<std::uint64_t>(x), 9u);
    core0.mfence();
    EXPECT_EQ(snooped(x), 9u);
    EXPECT_EQ(snooped(x + 8), test::value_of(pattern(8, 3 + 7 * 8)));  // the line's other bytes
  });
}

TEST_F(WriteCombiningTest, LaterStoreIsNotOverwrittenByWhatTheBuffersHold) {
  run([&] {
    store_nt(x, 5);
    store_nt(x + 8, 6);
    core0.store<std::uint64_t>(x, 9);
    core0.mfence();
    EXPECT_EQ(snooped(x), 9u);
    EXPECT_EQ(snooped(x + 8), 6u);
  });
}

TEST_F(WriteCombiningTest, OlderStoreOfTheLineComesFirst) {
  run([&] {
    core0.store<std::uint64_t>(x, 1);  // misses
    core0.store<std::uint64_t>(x + 8, 2);
    store_nt(x, 5);
    core0.sfence();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(memory(x + 8), 2u);
  });
}

// ---- what empties the buffers ----

TEST_F(WriteCombiningTest, FencesAndLockedOperationsEmptyThem) {
  run([&] {
    core0.lock_add(z, 1, 8);
    store_nt(x, 1);
    core0.mfence();
    EXPECT_EQ(memory(x), 1u);
    store_nt(x, 2);
    core0.lock_add(z, 1, 8);
    EXPECT_EQ(memory(x), 2u);
    store_nt(x, 3);
    core0.wbinvd();
    EXPECT_EQ(memory(x), 3u);
    store_nt(x, 4);
    core0.lfence();
    EXPECT_EQ(memory(x), 3u);
  });
}

TEST_F(WriteCombiningTest, UncachedReadAndInterruptEmptyThem) {
  run([&] {
    store_nt(x, 1);
    core0.read_uncached(device, 4);
    EXPECT_EQ(memory(x), 1u);
    store_nt(x, 2);
    core0.interrupt(0x30);
    core0.wait_for_interrupt(0x30);  // the handler runs
    EXPECT_EQ(memory(x), 2u);
  });
}

// The doorbell pushes them out, and does not wait until they are in memory: that takes SFENCE.
TEST_F(WriteCombiningTest, DoorbellMayOvertakeThem) {
  run([&] {
    store_nt(x, 5);
    core0.write_uncached(device, 1, 4);
    EXPECT_EQ(not_snooped(x), 0u);
    core0.execute(write_out);
    EXPECT_EQ(not_snooped(x), 5u);
    store_nt(x, 6);
    core0.sfence();
    core0.write_uncached(device, 1, 4);
    EXPECT_EQ(not_snooped(x), 6u);
  });
}

TEST_F(WriteCombiningTest, SfenceWaitsForALineThatIsOnItsWay) {
  run([&] {
    core0.store_nt(x, pattern(64, 3));
    EXPECT_EQ(now(), cycle);
    core0.sfence();
    EXPECT_EQ(now(), write_out + fence);
  });
}

// ---- devices ----

TEST_F(WriteCombiningTest, DeviceGetsOneWriteForAFullBuffer) {
  run([&] {
    set_pat(core0);
    set_range(core0, 0, device, 0x1000, MemoryType::write_combining);
    const auto data = pattern(64, 3);
    for (unsigned n = 0; n < 64; n += 16) core0.store(device + n, {data.data() + n, 16});
    core0.store<std::uint32_t>(device + 64, 7);
    core0.execute(write_out);
    ASSERT_EQ(registers.seen.size(), 1u);
    EXPECT_EQ(registers.seen[0].data, data);
    EXPECT_EQ(registers.seen[0].tlp.kind, pcie::TlpKind::memory_write);
    core0.sfence();
    ASSERT_EQ(registers.seen.size(), 2u);
    EXPECT_EQ(registers.seen[1].data, test::word(7, 4));
  });
}

}  // namespace
}  // namespace ioasim::cpu
