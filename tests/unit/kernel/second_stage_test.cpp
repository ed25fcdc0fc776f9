// Second-stage tables: contents for all sizes and alignments, and what is flushed.
#include "kernel/vtd/second_stage.hpp"

#include <gtest/gtest.h>

#include "unit/kernel/fake_machine.hpp"

namespace ioasim::kernel::vtd {
namespace {

constexpr std::uint64_t kib4 = 4096;
constexpr std::uint64_t mib2 = 2ull << 20;
constexpr std::uint64_t gib1 = 1ull << 30;
constexpr Protection read_write{.read = true, .write = true};

// What a walk finds at an address: the leaf's word and the bytes it covers.
struct Leaf {
  std::uint64_t word = 0;
  std::uint64_t span = 0;
};

class SecondStageTest : public testing::Test {
 public:
  SecondStage make(SecondStage::Format format) {
    SecondStage table{runtime, format};
    EXPECT_EQ(table.create(cpu), 0);
    return table;
  }

  Leaf walk(const SecondStage& table, std::uint64_t iova, bool snooped = true) const {
    std::uint64_t at = table.root().value;
    for (unsigned level = table.format().levels; level > 0; --level) {
      const auto span = 1ull << (12 + 9 * (level - 1));
      const auto& view = snooped ? cpu.caches : cpu.memory;
      const auto word = view.word(Hpa{at + iova / span % 512 * 8});
      if ((word & 3) == 0) return {};
      if (level == 1 || (word & 1 << 7) != 0) return {word, span};
      EXPECT_EQ(word & 0xfff, 3u) << "a non-leaf entry has only R and W";
      at = word & ~0xfffull;
    }
    return {};
  }

  test::FakeMachine cpu;
  Params params;
  Frames frames{cpu.firmware.memory};
  trace::Bus trace;
  std::vector<std::string> log;
  Runtime runtime{params, frames, trace, log};
};

TEST_F(SecondStageTest, EveryPageOfARangeIsMappedAndNoOther) {
  for (const unsigned levels : {3u, 4u, 5u}) {
    for (const std::uint64_t first : {0ull, 7ull, 511ull, 512ull, 262'143ull}) {
      for (const std::uint64_t pages : {1ull, 2ull, 9ull, 513ull}) {
        auto table = make({.levels = levels});
        const Range<Hpa> memory{Hpa{0x1234'5000}, pages * kib4};
        ASSERT_EQ(table.map(cpu, Iova{first * kib4}, memory, read_write), 0);
        for (std::uint64_t i = 0; i < pages; ++i) {
          ASSERT_EQ(walk(table, (first + i) * kib4).word, (0x1234'5000 + i * kib4) | 3);
        }
        if (first > 0) {
          EXPECT_EQ(walk(table, (first - 1) * kib4).word, 0u);
        }
        EXPECT_EQ(walk(table, (first + pages) * kib4).word, 0u);
      }
    }
  }
}

TEST_F(SecondStageTest, ProtectionAndSnoopAreBitsOfTheLeaf) {
  auto table = make({});
  ASSERT_EQ(table.map(cpu, Iova{0x1000}, {Hpa{0x5000}, kib4}, {.read = true}), 0);
  ASSERT_EQ(table.map(cpu, Iova{0x2000}, {Hpa{0x5000}, kib4}, {.write = true}), 0);
  EXPECT_EQ(walk(table, 0x1000).word, 0x5001u);
  EXPECT_EQ(walk(table, 0x2000).word, 0x5002u);
  auto forced = make({});
  forced.force_snoop();
  ASSERT_EQ(forced.map(cpu, Iova{0x1000}, {Hpa{0x5000}, kib4}, read_write), 0);
  EXPECT_EQ(walk(forced, 0x1000).word, 0x5803u);
}

TEST_F(SecondStageTest, LargePagesNeedBothAddressesAlignedAndTheWholeSpan) {
  auto table = make({.leaf_max = 3});
  ASSERT_EQ(
      table.map(cpu, Iova{mib2 - kib4}, {Hpa{gib1 + mib2 - kib4}, mib2 + 2 * kib4}, read_write), 0);
  EXPECT_EQ(walk(table, mib2 - kib4).span, kib4);
  EXPECT_EQ(walk(table, mib2).span, mib2);
  EXPECT_EQ(walk(table, mib2).word, (gib1 + mib2) | 0x83);
  EXPECT_EQ(walk(table, 2 * mib2).span, kib4);
  ASSERT_EQ(table.map(cpu, Iova{gib1}, {Hpa{4 * gib1}, gib1}, read_write), 0);
  EXPECT_EQ(walk(table, gib1 + 5).span, gib1);
  ASSERT_EQ(table.map(cpu, Iova{4 * gib1}, {Hpa{gib1 + kib4}, mib2}, read_write), 0);
  EXPECT_EQ(walk(table, 4 * gib1).span, kib4);
}

TEST_F(SecondStageTest, LeafMaxLimitsTheSize) {
  auto table = make({.leaf_max = 2});
  ASSERT_EQ(table.map(cpu, Iova{0}, {Hpa{0}, gib1}, read_write), 0);
  EXPECT_EQ(walk(table, 0).span, mib2);
  EXPECT_EQ(walk(table, gib1 - 1).word, (gib1 - mib2) | 0x83);
}

TEST_F(SecondStageTest, ALargePageDoesNotReplaceATableThatHangsThere) {
  auto table = make({.leaf_max = 2});
  Gather gather;
  ASSERT_EQ(table.map(cpu, Iova{0}, {Hpa{0}, kib4}, read_write), 0);
  table.unmap(cpu, {Iova{0}, kib4}, gather);
  EXPECT_TRUE(gather.tables.empty());
  ASSERT_EQ(table.map(cpu, Iova{0}, {Hpa{0}, mib2}, read_write), 0);
  EXPECT_EQ(walk(table, 0).span, kib4);
}

TEST_F(SecondStageTest, ACoherentTableFlushesNothing) {
  auto table = make({});
  Gather gather;
  ASSERT_EQ(table.map(cpu, Iova{0}, {Hpa{0}, mib2}, read_write), 0);
  table.unmap(cpu, {Iova{0}, kib4}, gather);
  EXPECT_TRUE(cpu.flushed.empty());
  EXPECT_TRUE(gather.lines.empty());
}

TEST_F(SecondStageTest, ATableThatIsNotCoherentFlushesEveryLineItModified) {
  auto table = make({.coherent = false});
  ASSERT_EQ(table.map(cpu, Iova{0x3000}, {Hpa{0x9000}, 12 * kib4}, read_write), 0);
  EXPECT_TRUE(cpu.dirty.empty());
  // Four tables of 64 lines each as they come, three entries that lead down, and entries 3 to 14,
  // which are in two lines.
  EXPECT_EQ(cpu.flushed.size(), 4 * 64u + 3 + 2);
  EXPECT_EQ(walk(table, 0x3000, false).word, 0x9003u);
  EXPECT_EQ(walk(table, 0xe000, false).word, 0x1'4003u);

  Gather gather;
  table.unmap(cpu, {Iova{0x3000}, 12 * kib4}, gather);
  EXPECT_EQ(gather.entries, 12u);
  EXPECT_EQ(gather.lines.size(), 2u);
  EXPECT_EQ(cpu.dirty.size(), 2u);
  for (const Hpa line : gather.lines) cpu.clflush(line);
  EXPECT_TRUE(cpu.dirty.empty());
}

TEST_F(SecondStageTest, UnmapFreesTheTablesWhoseWholeReachGoes) {
  auto table = make({});
  ASSERT_EQ(table.map(cpu, Iova{0}, {Hpa{0}, 2 * mib2}, read_write), 0);
  Gather gather;
  table.unmap(cpu, {Iova{0}, mib2}, gather);
  EXPECT_EQ(gather.tables.size(), 1u);
  EXPECT_EQ(gather.entries, 1u);
  EXPECT_EQ(walk(table, 0).word, 0u);
  EXPECT_EQ(walk(table, mib2).word, mib2 | 3);
  table.unmap(cpu, {Iova{mib2}, kib4}, gather);
  EXPECT_EQ(gather.tables.size(), 1u);
  table.unmap(cpu, {Iova{0}, gib1}, gather);
  EXPECT_EQ(gather.tables.size(), 3u);  // a page table and the directory above it
}

TEST_F(SecondStageTest, StoppingToRelyOnSnoopsPublishesWhatIsThere) {
  auto table = make({});
  ASSERT_EQ(table.map(cpu, Iova{0x7000}, {Hpa{0x8000}, kib4}, read_write), 0);
  EXPECT_EQ(walk(table, 0x7000, false).word, 0u);
  table.stop_relying_on_snoops(cpu);
  EXPECT_EQ(walk(table, 0x7000, false).word, 0x8003u);
  EXPECT_EQ(cpu.flushed.size(), 4 * 64u);
}

TEST_F(SecondStageTest, AllTablesAreCollected) {
  const auto before = frames.in_use();
  auto table = make({.levels = 5});
  ASSERT_EQ(table.map(cpu, Iova{0}, {Hpa{0}, 3 * mib2}, read_write), 0);
  ASSERT_EQ(table.map(cpu, Iova{1ull << 47}, {Hpa{0}, kib4}, read_write), 0);
  std::vector<Hpa> tables;
  table.collect_tables(cpu, tables);
  EXPECT_EQ(tables.size(), frames.in_use() - before);
  EXPECT_EQ(tables.back(), table.root());
}

TEST_F(SecondStageTest, MemoryThatRunsOutIsAnError) {
  auto table = make({});
  while (frames.allocate(cpu, Frames::Content::any)) {
  }
  EXPECT_EQ(table.map(cpu, Iova{0}, {Hpa{0}, kib4}, read_write), -ENOMEM);
  Gather gather;
  table.unmap(cpu, {Iova{0}, kib4}, gather);
  EXPECT_EQ(gather.entries, 0u);
}

}  // namespace
}  // namespace ioasim::kernel::vtd
