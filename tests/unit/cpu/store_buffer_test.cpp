#include "cpu/store_buffer.hpp"

#include <gmock/gmock.h>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/prng.hpp"

namespace ioasim::cpu {
namespace {

using Forward = StoreBuffer::Forward;

std::vector<std::byte> bytes(std::initializer_list<unsigned> values) {
  std::vector<std::byte> data;
  for (const auto value : values) data.push_back(static_cast<std::byte>(value));
  return data;
}

// What a load finds, and the bytes it has then; it starts with bytes of 0xee.
struct Found {
  Forward forward;
  std::vector<std::byte> data;
  bool operator==(const Found&) const = default;
};

Found load(const StoreBuffer& buffer, std::uint64_t line, std::uint64_t offset,
           std::size_t length) {
  Found found{Forward::none, std::vector(length, std::byte{0xee})};
  found.forward = buffer.forward(line, offset, found.data);
  return found;
}

std::vector<std::byte> untouched(std::size_t length) {
  return std::vector(length, std::byte{0xee});
}

TEST(StoreBuffer, IsFirstInFirstOut) {
  StoreBuffer buffer{3};
  EXPECT_TRUE(buffer.empty());
  for (unsigned round = 0; round < 10; ++round) {  // over the end of the ring
    buffer.push(round, 1, bytes({round}));
    buffer.push(round + 100, 2, bytes({round, round}));
    EXPECT_EQ(buffer.size(), 2u);
    EXPECT_FALSE(buffer.full());
    buffer.push_flush(round + 200, false);
    EXPECT_TRUE(buffer.full());
    EXPECT_EQ(buffer.at(0).line, round);
    EXPECT_EQ(buffer.at(1).line, round + 100);
    EXPECT_EQ(buffer.at(2).line, round + 200);
    EXPECT_EQ(buffer.oldest().offset, 1u);
    EXPECT_THAT(buffer.oldest().written(), testing::ElementsAreArray(bytes({round})));
    EXPECT_FALSE(buffer.oldest().flush());
    buffer.pop();
    EXPECT_EQ(buffer.oldest().offset, 2u);
    EXPECT_THAT(buffer.oldest().written(), testing::ElementsAreArray(bytes({round, round})));
    buffer.pop();
    EXPECT_TRUE(buffer.oldest().flush());
    EXPECT_EQ(buffer.size(), 1u);
    buffer.pop();
    EXPECT_TRUE(buffer.empty());
  }
}

TEST(StoreBuffer, ALoadFindsWhatOneStoreHolds) {
  StoreBuffer buffer{4};
  EXPECT_EQ(load(buffer, 5, 0, 8), (Found{Forward::none, untouched(8)}));
  buffer.push(5, 8, bytes({1, 2, 3, 4}));
  EXPECT_EQ(load(buffer, 5, 8, 4), (Found{Forward::whole, bytes({1, 2, 3, 4})}));
  EXPECT_EQ(load(buffer, 5, 9, 2), (Found{Forward::whole, bytes({2, 3})}));
  EXPECT_EQ(load(buffer, 5, 7, 2), (Found{Forward::partial, untouched(2)}));
  EXPECT_EQ(load(buffer, 5, 11, 2), (Found{Forward::partial, untouched(2)}));
  EXPECT_EQ(load(buffer, 5, 0, 64), (Found{Forward::partial, untouched(64)}));
  EXPECT_EQ(load(buffer, 5, 0, 8), (Found{Forward::none, untouched(8)}));
  EXPECT_EQ(load(buffer, 5, 12, 8), (Found{Forward::none, untouched(8)}));
  EXPECT_EQ(load(buffer, 6, 8, 4), (Found{Forward::none, untouched(4)}));
  EXPECT_EQ(load(buffer, 5 + 64, 8, 4), (Found{Forward::none, untouched(4)}));
  buffer.pop();
  EXPECT_EQ(load(buffer, 5, 8, 4), (Found{Forward::none, untouched(4)}));
}

TEST(StoreBuffer, TheYoungestThatOverlapsDecides) {
  StoreBuffer buffer{4};
  buffer.push(5, 0, bytes({1, 1, 1, 1, 1, 1, 1, 1}));
  buffer.push(5, 4, bytes({2, 2}));
  EXPECT_EQ(load(buffer, 5, 4, 2).data, bytes({2, 2}));
  EXPECT_EQ(load(buffer, 5, 0, 4).data, bytes({1, 1, 1, 1}));
  // The older one holds all of it, but no longer the newest of it.
  EXPECT_EQ(load(buffer, 5, 0, 8), (Found{Forward::partial, untouched(8)}));
  buffer.push(5, 0, bytes({3, 3, 3, 3, 3, 3, 3, 3}));
  EXPECT_EQ(load(buffer, 5, 0, 8).data, bytes({3, 3, 3, 3, 3, 3, 3, 3}));
  EXPECT_EQ(load(buffer, 5, 4, 2).data, bytes({3, 3}));
}

// Two stores side by side hold all bytes of the load between them; neither does alone.
TEST(StoreBuffer, TwoStoresDoNotForwardTogether) {
  StoreBuffer buffer{4};
  buffer.push(5, 0, bytes({1, 1}));
  buffer.push(5, 2, bytes({2, 2}));
  EXPECT_EQ(load(buffer, 5, 0, 4), (Found{Forward::partial, untouched(4)}));
}

TEST(StoreBuffer, AFlushForwardsNothingAndHidesNothing) {
  StoreBuffer buffer{4};
  buffer.push_flush(5, false);
  EXPECT_EQ(load(buffer, 5, 0, 64).forward, Forward::none);
  buffer.push(5, 0, bytes({1}));
  buffer.push_flush(5, false);
  EXPECT_EQ(load(buffer, 5, 0, 1), (Found{Forward::whole, bytes({1})}));
  buffer.pop();
  EXPECT_EQ(load(buffer, 5, 0, 1).forward, Forward::whole);
  buffer.pop();
  EXPECT_EQ(load(buffer, 5, 0, 1).forward, Forward::none);
  buffer.pop();
  EXPECT_TRUE(buffer.empty());
}

TEST(StoreBuffer, AWholeLineIsOneEntry) {
  StoreBuffer buffer{1};
  std::vector<std::byte> line;
  for (unsigned i = 0; i < line_bytes; ++i) line.push_back(static_cast<std::byte>(i));
  buffer.push(~0ull / line_bytes, 0, line);
  EXPECT_EQ(load(buffer, ~0ull / line_bytes, 0, 64), (Found{Forward::whole, line}));
  EXPECT_EQ(load(buffer, ~0ull / line_bytes, 63, 1).data, bytes({63}));
}

TEST(StoreBufferDeathTest, MoreThanItHasOrHoldsIsRefused) {
  const testing::ExitedWithCode refused{check_exit_status};
  StoreBuffer buffer{1};
  EXPECT_EXIT(StoreBuffer{0}, refused, "entries > 0");
  EXPECT_EXIT(buffer.pop(), refused, "empty");
  EXPECT_EXIT(buffer.push(0, 63, bytes({1, 2})), refused, "line_bytes");
  EXPECT_EXIT(buffer.push(0, 0, {}), refused, "empty");
  buffer.push(0, 0, bytes({1}));
  EXPECT_EXIT(buffer.push(0, 0, bytes({1})), refused, "full");
  EXPECT_EXIT(buffer.push_flush(0, false), refused, "full");
}

// Replays the stores that wait, oldest first, into a map of bytes.
class RandomForwarding : public testing::TestWithParam<unsigned> {
 protected:
  struct Store {
    std::uint64_t number;
    std::uint64_t line;
    std::uint64_t offset;
    std::vector<std::byte> data;  // none: a flush
  };
  struct Last {
    std::uint64_t number;
    std::byte value;
  };

  std::map<std::uint64_t, Last> replay() const {
    std::map<std::uint64_t, Last> memory;
    for (const auto& store : waiting) {
      for (std::uint64_t i = 0; i < store.data.size(); ++i) {
        memory[store.line * line_bytes + store.offset + i] = {store.number, store.data[i]};
      }
    }
    return memory;
  }

  // A load is served if one store wrote all of it last: if the youngest that overlaps holds it.
  Found expected(std::uint64_t line, std::uint64_t offset, std::size_t length) const {
    const auto memory = replay();
    std::set<std::optional<std::uint64_t>> last;
    std::vector<std::byte> data;
    for (std::uint64_t i = 0; i < length; ++i) {
      const auto found = memory.find(line * line_bytes + offset + i);
      if (found == memory.end()) {
        last.insert(std::nullopt);
      } else {
        last.insert(found->second.number);
        data.push_back(found->second.value);
      }
    }
    if (last.size() > 1) return {Forward::partial, untouched(length)};
    if (data.empty()) return {Forward::none, untouched(length)};
    return {Forward::whole, data};
  }

  void push(Prng& prng, StoreBuffer& buffer) {
    Store store{++stored, line(prng), prng.between(0, line_bytes - 1), {}};
    if (prng.one_in(8)) {
      buffer.push_flush(store.line, false);
    } else {
      auto length = prng.between(1, prng.one_in(2) ? 8 : line_bytes);
      length = std::min(length, line_bytes - store.offset);
      while (store.data.size() < length) store.data.push_back(static_cast<std::byte>(prng.next()));
      buffer.push(store.line, store.offset, store.data);
    }
    waiting.push_back(store);
  }

  // Lines 1 and 65 share what the buffer remembers of them.
  static std::uint64_t line(Prng& prng) { return prng.between(0, 1) * 64 + prng.between(1, 2); }

  std::deque<Store> waiting;
  std::uint64_t stored = 0;
};

TEST_P(RandomForwarding, LoadsFindWhatAReplayFinds) {
  Prng prng{GetParam(), "store buffer"};
  StoreBuffer buffer{GetParam()};
  std::map<Forward, unsigned> seen;
  for (unsigned round = 0; round < 20'000 && !HasFailure(); ++round) {
    if (!buffer.full() && prng.one_in(2)) push(prng, buffer);
    if (!buffer.empty() && prng.one_in(3)) {
      EXPECT_EQ(buffer.oldest().line, waiting.front().line);
      EXPECT_THAT(buffer.oldest().written(), testing::ElementsAreArray(waiting.front().data));
      buffer.pop();
      waiting.pop_front();
    }
    EXPECT_EQ(buffer.size(), waiting.size());
    EXPECT_EQ(buffer.empty(), waiting.empty());
    EXPECT_EQ(buffer.full(), waiting.size() == GetParam());
    const auto at = line(prng);
    const auto offset = prng.between(0, line_bytes - 1);
    const auto length = prng.between(1, std::min(line_bytes - offset, std::uint64_t{16}));
    const auto found = load(buffer, at, offset, length);
    EXPECT_EQ(found, expected(at, offset, length));
    ++seen[found.forward];
  }
  EXPECT_GT(seen[Forward::none], 250u);
  EXPECT_GT(seen[Forward::whole], 250u);
  EXPECT_GT(seen[Forward::partial], 250u);
}

INSTANTIATE_TEST_SUITE_P(StoreBuffer, RandomForwarding, testing::Values(1u, 2u, 5u, 42u, 56u));

}  // namespace
}  // namespace ioasim::cpu
