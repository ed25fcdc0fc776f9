#include "cache/line_array.hpp"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "cache/params.hpp"

namespace ioasim::cache {
namespace {

enum class State : std::uint8_t { clean, dirty };

TEST(LineArray, HasTheSlotsOfItsCapacity) {
  const LineArray<State> array{32_KiB, 8};
  EXPECT_EQ(array.slots(), 512u);
  EXPECT_EQ(array.ways(), 8u);
}

TEST(LineArray, KeepsStateAndDataBesideTheTag) {
  LineArray<State> array{1_KiB, 4};
  std::array<std::byte, line_bytes> bytes;
  for (std::uint64_t line = 0; line < 16; ++line) {
    const auto slot = array.victim(line);
    EXPECT_FALSE(array.valid(slot));
    array.fill(slot, line, line % 2 == 0 ? State::clean : State::dirty);
    bytes.fill(static_cast<std::byte>(line));
    copy_line(array.data(slot), bytes);
  }
  for (std::uint64_t line = 0; line < 16; ++line) {
    const auto slot = array.find(line);
    ASSERT_NE(slot, array.none);
    EXPECT_EQ(array.line(slot), line);
    EXPECT_EQ(array.state(slot), line % 2 == 0 ? State::clean : State::dirty);
    EXPECT_TRUE(std::ranges::all_of(
        array.data(slot), [=](std::byte b) { return b == static_cast<std::byte>(line); }));
  }
  EXPECT_TRUE(array.valid(array.victim(16)));
  array.clear(array.find(3));
  EXPECT_EQ(array.find(3), array.none);
}

TEST(LineArray, SlicesAreEqualPartsOfTheSlots) {
  LineArray<State> array{18_MiB, 16, 18};
  EXPECT_EQ(array.slots(), 18u * 1024 * 16);
  EXPECT_EQ(array.slices(), 18u);
  EXPECT_EQ(array.sets_per_slice(), 1024u);
  std::set<unsigned> slices;
  for (std::uint64_t line = 1000; line < 1200; ++line) {
    const auto slot = array.victim(line);
    array.fill(slot, line, State::clean);
    EXPECT_EQ(slot / 16 / 1024, array.slice_of(line));
    EXPECT_EQ(slot / 16 % 1024, line % 1024);
    EXPECT_EQ(array.find(line), slot);
    slices.insert(array.slice_of(line));
  }
  EXPECT_EQ(slices.size(), 18u);
}

// An aligned run of lines as long as the array is wide fits, whatever the number of slices, if it
// is a power of two.
TEST(LineArray, HoldsAnAlignedRunOfItsCapacity) {
  for (const auto slices : {1u, 2u, 8u}) {
    LineArray<State> array{1_MiB, 8, slices};
    for (std::uint64_t line = 0x7'0000; line < 0x7'0000 + 16'384; ++line) {
      const auto slot = array.victim(line);
      ASSERT_FALSE(array.valid(slot)) << slices << " slices, line " << line;
      array.fill(slot, line, State::clean);
    }
  }
}

TEST(LineArray, ReplacesByItsPolicy) {
  const auto victim_of = [](Replacement replacement) {
    LineArray<State> array{512_B, 8, 1, replacement};
    for (std::uint64_t line = 0; line < 8; ++line) {
      array.fill(array.victim(line), line, State::clean);
    }
    for (const auto line : {0, 1, 6}) array.touch(array.find(static_cast<std::uint64_t>(line)));
    return array.line(array.victim(8));
  };
  EXPECT_EQ(victim_of(Replacement::lru), 2u);
  EXPECT_EQ(victim_of(Replacement::tree_plru), 2u);
  EXPECT_EQ(victim_of(Replacement::rrip), 2u);
}

TEST(LineArray, DrawsFromItsSeed) {
  const auto victims_of = [](std::uint64_t seed) {
    LineArray<State> array{1_KiB, 16, 1, Replacement::random, seed};
    std::vector<std::uint32_t> victims;
    for (std::uint64_t line = 0; line < 64; ++line) {
      victims.push_back(array.victim(line));
      array.fill(victims.back(), line, State::clean);
    }
    return victims;
  };
  EXPECT_EQ(victims_of(1), victims_of(1));
  EXPECT_NE(victims_of(1), victims_of(2));
}

TEST(LineArray, LeavesItsDataToTheHostUntilTheyAreWritten) {
  LineArray<State> array{32_MiB, 16, 8};
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(array.data(0).data());
  const auto first = (begin + page - 1) / page * page;
  std::vector<unsigned char> resident(((32u << 20) - (first - begin)) / page);
  ASSERT_EQ(mincore(reinterpret_cast<void*>(first), resident.size() * page, resident.data()), 0);
  const auto touched = std::ranges::count_if(resident, [](auto bits) { return (bits & 1) != 0; });
  EXPECT_LE(touched, 512) << "one huge page, where the block begins";
}

std::vector<std::string> fields_of(const Problems& problems) {
  std::vector<std::string> names;
  for (const auto& problem : problems) names.push_back(problem.field);
  return names;
}

TEST(CacheParams, LinesMakeAPowerOfTwoOfSets) {
  struct Row {
    Bytes capacity;
    unsigned ways;
    bool right;
  };
  const Row table[]{{32_KiB, 8, true},  {512_B, 8, true},    {48_KiB, 12, true},
                    {20_MiB, 20, true}, {32_KiB, 12, false}, {48_KiB, 8, false},
                    {1000_B, 1, false}, {512_B, 16, false}};
  for (const auto& row : table) {
    Problems problems;
    PrivateParams{.capacity = row.capacity, .ways = row.ways}.check(problems);
    EXPECT_EQ(problems.empty(), row.right) << row.capacity.count << '/' << row.ways;
    if (!row.right) {
      EXPECT_THAT(fields_of(problems), testing::ElementsAre("capacity"));
    }
  }
}

TEST(CacheParams, DefaultsAreSound) {
  Problems problems;
  const Params params;
  params.l1d.check(problems);
  params.l2.check(problems);
  params.llc.check(problems);
  EXPECT_TRUE(problems.empty());
}

TEST(CacheParams, DdioWaysDoNotExceedTheWays) {
  Problems problems;
  LlcParams{.capacity = 1_MiB, .ways = 4, .ddio_ways = 4}.check(problems);
  EXPECT_TRUE(problems.empty());
  LlcParams{.capacity = 1_MiB, .ways = 4, .ddio_ways = 5}.check(problems);
  EXPECT_THAT(fields_of(problems), testing::ElementsAre("ddio_ways"));
}

}  // namespace
}  // namespace ioasim::cache
