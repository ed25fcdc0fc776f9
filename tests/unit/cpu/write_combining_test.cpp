#include "cpu/write_combining.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/prng.hpp"

namespace ioasim::cpu {
namespace {

using Contents = WriteCombining::Contents;

constexpr Hpa line_at(std::uint64_t line) { return Hpa{line * line_bytes}; }

std::vector<std::byte> bytes(std::size_t count, unsigned value) {
  return std::vector(count, static_cast<std::byte>(value));
}

// The bytes written, by address.
std::map<std::uint64_t, unsigned> written(const Contents& contents) {
  std::map<std::uint64_t, unsigned> found;
  for (std::uint64_t i = 0; i < line_bytes; ++i) {
    if (contents.written[i]) {
      found[(contents.line + i).value] = std::to_integer<unsigned>(contents.data[i]);
    }
  }
  return found;
}

TEST(WriteCombining, StartsEmpty) {
  WriteCombining buffers{4};
  EXPECT_TRUE(buffers.empty());
  EXPECT_FALSE(buffers.holds(0));
  EXPECT_FALSE(buffers.take(0));
  EXPECT_FALSE(buffers.take_oldest());
}

TEST(WriteCombining, GathersWhatIsWrittenOfALineAndNothingElse) {
  WriteCombining buffers{4};
  EXPECT_FALSE(buffers.add(line_at(5) + 8, bytes(4, 1)));
  EXPECT_FALSE(buffers.add(line_at(5) + 10, bytes(4, 2)));  // the later one wins
  EXPECT_FALSE(buffers.add(line_at(5) + 63, bytes(1, 3)));
  EXPECT_TRUE(buffers.holds(5));
  EXPECT_FALSE(buffers.holds(4));
  EXPECT_FALSE(buffers.empty());
  const auto contents = buffers.take(5);
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->line, line_at(5));
  EXPECT_FALSE(contents->whole());
  const std::map<std::uint64_t, unsigned> expected{{328, 1}, {329, 1}, {330, 2}, {331, 2},
                                                   {332, 2}, {333, 2}, {383, 3}};
  EXPECT_EQ(written(*contents), expected);
  EXPECT_TRUE(buffers.empty());
  EXPECT_FALSE(buffers.holds(5));
}

// A buffer that is used again shows nothing of what it held before.
TEST(WriteCombining, ALaterLineInTheSameBufferStartsAnew) {
  WriteCombining buffers{1};
  EXPECT_FALSE(buffers.add(line_at(1), bytes(63, 0xaa)));
  EXPECT_TRUE(buffers.take(1));
  EXPECT_FALSE(buffers.add(line_at(1) + 63, bytes(1, 0xbb)));
  const auto contents = buffers.take_oldest();
  ASSERT_TRUE(contents);
  EXPECT_EQ(written(*contents), (std::map<std::uint64_t, unsigned>{{127, 0xbb}}));
  EXPECT_EQ(contents->data[0], std::byte{0});
}

TEST(WriteCombining, ALineLeavesWithItsLastByte) {
  for (const std::uint64_t step : {1u, 2u, 4u, 8u, 16u, 32u}) {
    WriteCombining buffers{2};
    EXPECT_FALSE(buffers.add(line_at(9), bytes(1, 9)));
    for (std::uint64_t at = 0; at < line_bytes - step; at += step) {
      EXPECT_FALSE(buffers.add(line_at(3) + at, bytes(step, 7))) << step << ", " << at;
    }
    const auto contents = buffers.add(line_at(4) - step, bytes(step, 7));
    ASSERT_TRUE(contents) << step;
    EXPECT_EQ(contents->line, line_at(3));
    EXPECT_TRUE(contents->whole());
    EXPECT_THAT(contents->data, testing::Each(std::byte{7}));
    EXPECT_FALSE(buffers.holds(3));
    EXPECT_TRUE(buffers.holds(9));
  }
}

TEST(WriteCombining, AWholeLineLeavesAtOnceAndDisplacesNone) {
  WriteCombining buffers{1};
  EXPECT_FALSE(buffers.add(line_at(1) + 5, bytes(1, 1)));
  for (const std::uint64_t line : {2u, 1u}) {
    const auto contents = buffers.add(line_at(line), bytes(64, 2));
    ASSERT_TRUE(contents);
    EXPECT_EQ(contents->line, line_at(line));
    EXPECT_TRUE(contents->whole());
    EXPECT_THAT(contents->data, testing::Each(std::byte{2}));
    EXPECT_EQ(buffers.holds(1), line == 2);  // line 1 was written over
  }
  EXPECT_TRUE(buffers.empty());
}

TEST(WriteCombining, TheOldestMakesRoom) {
  WriteCombining buffers{3};
  for (const std::uint64_t line : {7u, 2u, 5u}) {
    EXPECT_FALSE(buffers.add(line_at(line), bytes(1, 1)));
  }
  // What counts is the first store to a line, not the last.
  EXPECT_FALSE(buffers.add(line_at(7) + 1, bytes(1, 1)));
  std::vector<std::uint64_t> left;
  for (const std::uint64_t line : {20u, 21u, 22u, 23u}) {
    const auto contents = buffers.add(line_at(line), bytes(1, 1));
    ASSERT_TRUE(contents);
    left.push_back(contents->line.line());
  }
  EXPECT_THAT(left, testing::ElementsAre(7, 2, 5, 20));
}

TEST(WriteCombining, DrainsFromTheOldestOn) {
  WriteCombining buffers{4};
  for (const std::uint64_t line : {7u, 2u, 5u}) {
    EXPECT_FALSE(buffers.add(line_at(line), bytes(1, 1)));
  }
  EXPECT_TRUE(buffers.take(2));
  EXPECT_FALSE(buffers.add(line_at(1), bytes(1, 1)));  // where line 2 was
  std::vector<std::uint64_t> left;
  while (const auto contents = buffers.take_oldest()) left.push_back(contents->line.line());
  EXPECT_THAT(left, testing::ElementsAre(7, 5, 1));
  EXPECT_TRUE(buffers.empty());
}

TEST(WriteCombiningDeathTest, BytesLieInOneLine) {
  const testing::ExitedWithCode refused{check_exit_status};
  WriteCombining buffers{1};
  EXPECT_EXIT(WriteCombining{0}, refused, "buffers > 0");
  EXPECT_EXIT(buffers.add(line_at(1) + 60, bytes(5, 0)), refused, "line_bytes");
  EXPECT_EXIT(buffers.add(line_at(1), {}), refused, "line_bytes");
}

// Keeps each line in flight as a map of bytes, and the lines in order of their first store.
class RandomCombining : public testing::TestWithParam<unsigned> {
 protected:
  using Line = std::pair<std::uint64_t, std::map<std::uint64_t, unsigned>>;

  auto position(std::uint64_t line) { return std::ranges::find(waiting, line, &Line::first); }

  // The buffer that leaves is the one expected, byte for byte.
  void expect_left(const std::optional<Contents>& contents, std::vector<Line>::iterator expected) {
    ASSERT_EQ(contents.has_value(), expected != waiting.end());
    if (!contents) return;
    EXPECT_EQ(contents->line, line_at(expected->first));
    EXPECT_EQ(written(*contents), expected->second);
    EXPECT_EQ(contents->whole(), expected->second.size() == line_bytes);
    waiting.erase(expected);
  }

  void store(Prng& prng, WriteCombining& buffers) {
    const auto line = prng.between(0, 2 * GetParam());
    const auto offset = prng.one_in(4) ? 0 : prng.between(0, line_bytes - 1);
    const auto count = prng.one_in(4) ? line_bytes - offset : prng.between(1, line_bytes - offset);
    std::vector<std::byte> data;
    for (std::uint64_t i = 0; i < count; ++i) data.push_back(static_cast<std::byte>(prng.next()));
    const auto contents = buffers.add(line_at(line) + offset, data);
    if (position(line) == waiting.end()) {
      if (count < line_bytes && waiting.size() == GetParam()) {
        expect_left(contents, waiting.begin());
      } else {
        EXPECT_EQ(contents.has_value(), count == line_bytes);
      }
      waiting.emplace_back(line, std::map<std::uint64_t, unsigned>{});
    }
    auto& stored = position(line)->second;
    for (std::uint64_t i = 0; i < count; ++i) {
      stored[line * line_bytes + offset + i] = std::to_integer<unsigned>(data[i]);
    }
    if (stored.size() == line_bytes) expect_left(contents, position(line));
  }

  std::vector<Line> waiting;
};

TEST_P(RandomCombining, NoByteIsLostOrInvented) {
  Prng prng{GetParam(), "write combining"};
  WriteCombining buffers{GetParam()};
  for (unsigned round = 0; round < 20'000 && !HasFailure(); ++round) {
    const auto line = prng.between(0, 2 * GetParam());
    if (prng.one_in(10)) {
      expect_left(buffers.take(line), position(line));
    } else if (prng.one_in(10)) {
      expect_left(buffers.take_oldest(), waiting.begin());
    } else {
      store(prng, buffers);
    }
    EXPECT_EQ(buffers.empty(), waiting.empty());
    EXPECT_EQ(buffers.holds(line), position(line) != waiting.end());
  }
}

INSTANTIATE_TEST_SUITE_P(WriteCombining, RandomCombining, testing::Values(1u, 2u, 4u, 10u));

}  // namespace
}  // namespace ioasim::cpu
