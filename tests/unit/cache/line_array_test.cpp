#include "cache/line_array.hpp"

#include <gmock/gmock.h>

#include <algorithm>

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
