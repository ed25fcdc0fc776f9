#include "cache/private_caches.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/prng.hpp"

namespace ioasim::cache {
namespace {

using Bytes64 = std::array<std::byte, line_bytes>;

// Level 1: 8 sets of 1 way; level 2: 8 sets of 4 ways.
constexpr Params small{.l1d = {.capacity = 512_B, .ways = 1}, .l2 = {.capacity = 2_KiB, .ways = 4}};
constexpr std::uint64_t sets = 8;
constexpr std::uint64_t line = 5;

Bytes64 filled(unsigned value) {
  Bytes64 bytes;
  bytes.fill(static_cast<std::byte>(value));
  return bytes;
}

bool holds(Line held, unsigned value) {
  return std::ranges::all_of(held, [=](std::byte b) { return b == static_cast<std::byte>(value); });
}

// Where the line is when the table's step begins.
enum class Place { nowhere, l1, l2_only };

PrivateCaches prepared(Mesi state, Place place) {
  PrivateCaches caches{small};
  if (place == Place::nowhere) return caches;
  caches.fill(line, state, filled(1));
  if (state == Mesi::modified) {
    EXPECT_EQ(caches.access(line, true), Level::l1);
    std::ranges::fill(caches.data(line), std::byte{2});
  }
  // A neighbour of the same set takes the only way of level 1.
  if (place == Place::l2_only) caches.fill(line + sets, Mesi::shared, filled(9));
  return caches;
}

struct AccessRow {
  Mesi state;
  Place place;
  bool write;
  Level level;
  Mesi after;
};

TEST(PrivateCaches, AccessHitsByStateAndMakesWrittenLinesModified) {
  using enum Mesi;
  const AccessRow table[]{{invalid, Place::nowhere, false, Level::beyond, invalid},
                          {invalid, Place::nowhere, true, Level::beyond, invalid},
                          {shared, Place::l1, false, Level::l1, shared},
                          {shared, Place::l1, true, Level::beyond, shared},  // asks for ownership
                          {exclusive, Place::l1, false, Level::l1, exclusive},
                          {exclusive, Place::l1, true, Level::l1, modified},
                          {modified, Place::l1, false, Level::l1, modified},
                          {modified, Place::l1, true, Level::l1, modified},
                          {shared, Place::l2_only, false, Level::l2, shared},
                          {shared, Place::l2_only, true, Level::beyond, shared},
                          {exclusive, Place::l2_only, false, Level::l2, exclusive},
                          {exclusive, Place::l2_only, true, Level::l2, modified},
                          {modified, Place::l2_only, false, Level::l2, modified},
                          {modified, Place::l2_only, true, Level::l2, modified}};
  for (const auto& row : table) {
    SCOPED_TRACE(testing::Message() << int(row.state) << int(row.place) << row.write);
    auto caches = prepared(row.state, row.place);
    const auto before = caches.stats();
    EXPECT_EQ(caches.state(line), row.state);
    EXPECT_EQ(caches.access(line, row.write), row.level);
    EXPECT_EQ(caches.state(line), row.after);
    const auto& stats = caches.stats();
    EXPECT_EQ(stats.l1_hits.n - before.l1_hits.n, row.level == Level::l1 ? 1u : 0u);
    EXPECT_EQ(stats.l2_hits.n - before.l2_hits.n, row.level == Level::l2 ? 1u : 0u);
    EXPECT_EQ(stats.misses.n - before.misses.n, row.level == Level::beyond ? 1u : 0u);
    if (row.level == Level::beyond) continue;
    EXPECT_TRUE(holds(caches.data(line), row.state == modified ? 2 : 1));
    EXPECT_EQ(caches.access(line, row.write), Level::l1) << "a hit brings the line into level 1";
  }
}

// What each snoop returns and leaves, for a line in either level.
TEST(PrivateCaches, SnoopsGiveDirtyDataOnceAndLeaveTheRightState) {
  using enum Mesi;
  struct Row {
    Mesi state;
    Mesi shared_after;
  };
  const Row table[]{{invalid, invalid}, {shared, shared}, {exclusive, shared}, {modified, shared}};
  for (const auto& row : table) {
    for (const auto where : {Place::l1, Place::l2_only}) {
      const auto place = row.state == invalid ? Place::nowhere : where;
      SCOPED_TRACE(testing::Message() << int(row.state) << int(place));
      const bool dirty = row.state == modified;
      auto data = filled(0xee);

      auto peeked = prepared(row.state, place);
      EXPECT_EQ(peeked.peek(line, data), dirty);
      EXPECT_TRUE(holds(data, dirty ? 2 : 0xee));
      EXPECT_EQ(peeked.state(line), row.state);

      auto shared_line = prepared(row.state, place);
      data = filled(0xee);
      EXPECT_EQ(shared_line.share(line, data), dirty);
      EXPECT_TRUE(holds(data, dirty ? 2 : 0xee));
      EXPECT_EQ(shared_line.state(line), row.shared_after);
      EXPECT_FALSE(shared_line.peek(line, data)) << "clean by now";
      if (row.state != invalid) {
        EXPECT_NE(shared_line.access(line, false), Level::beyond);
        EXPECT_TRUE(holds(shared_line.data(line), dirty ? 2 : 1));
      }

      auto invalidated = prepared(row.state, place);
      data = filled(0xee);
      EXPECT_EQ(invalidated.invalidate(line, data), dirty);
      EXPECT_TRUE(holds(data, dirty ? 2 : 0xee));
      EXPECT_EQ(invalidated.state(line), invalid);
      EXPECT_EQ(invalidated.access(line, false), Level::beyond);
      EXPECT_FALSE(invalidated.invalidate(line, data));
    }
  }
}

// Once shared, the former owner must ask before it writes again; level 2 may not remember more.
TEST(PrivateCaches, ASharedLineIsNotWritableAfterItLeavesLevel1) {
  auto caches = prepared(Mesi::modified, Place::l1);
  auto data = filled(0);
  EXPECT_TRUE(caches.share(line, data));
  caches.fill(line + sets, Mesi::shared, filled(9));
  EXPECT_EQ(caches.access(line, true), Level::beyond);
  EXPECT_EQ(caches.state(line), Mesi::shared);
}

TEST(PrivateCaches, AnUpgradeOfAHeldLineDisplacesNothing) {
  auto caches = prepared(Mesi::shared, Place::l1);
  EXPECT_EQ(caches.access(line, true), Level::beyond);
  EXPECT_FALSE(caches.fill(line, Mesi::modified, filled(3)).has_value());
  EXPECT_EQ(caches.state(line), Mesi::modified);
  EXPECT_TRUE(holds(caches.data(line), 3));
  auto data = filled(0);
  EXPECT_TRUE(caches.invalidate(line, data));
  EXPECT_TRUE(holds(data, 3));
}

TEST(PrivateCaches, TheLeastRecentlyFilledLineLeavesLevel2WithItsNewestData) {
  PrivateCaches caches{small};
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(caches.fill(i * sets, i == 0 ? Mesi::modified : Mesi::exclusive, filled(1)));
    if (i == 0) std::ranges::fill(caches.data(0), std::byte{7});
  }
  const auto first = caches.fill(4 * sets, Mesi::shared, filled(1));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->line, 0u);
  EXPECT_TRUE(first->dirty);
  EXPECT_EQ(first->data, filled(7));
  const auto second = caches.fill(5 * sets, Mesi::shared, filled(1));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->line, sets);
  EXPECT_FALSE(second->dirty);
}

// Invariant 37, one level in: what leaves level 2 is in level 1 no more. Level 1 has more ways
// than level 2 here, so that its own replacement does not do it.
TEST(PrivateCaches, Level2EvictionTakesTheCopyInLevel1Along) {
  PrivateCaches caches{
      {.l1d = {.capacity = 512_B, .ways = 8}, .l2 = {.capacity = 512_B, .ways = 2}}};
  caches.fill(0, Mesi::exclusive, filled(1));
  EXPECT_EQ(caches.access(0, true), Level::l1);
  std::ranges::fill(caches.data(0), std::byte{5});
  caches.fill(4, Mesi::shared, filled(1));
  EXPECT_EQ(caches.access(0, false), Level::l1);  // newest in level 1; level 2 did not see it
  const auto victim = caches.fill(8, Mesi::shared, filled(1));
  ASSERT_TRUE(victim.has_value());
  ASSERT_EQ(victim->line, 0u);
  EXPECT_TRUE(victim->dirty);
  EXPECT_EQ(victim->data, filled(5));
  EXPECT_EQ(caches.state(0), Mesi::invalid);
  EXPECT_EQ(caches.access(0, false), Level::beyond);
}

TEST(PrivateCaches, PokeReachesTheCopyOfEachLevelAndChangesNoState) {
  for (const auto place : {Place::l1, Place::l2_only}) {
    auto caches = prepared(Mesi::exclusive, place);
    const std::array<std::byte, 2> bytes{std::byte{0xaa}, std::byte{0xbb}};
    caches.poke(line, 62, bytes);
    EXPECT_EQ(caches.state(line), Mesi::exclusive);
    caches.access(line, false);
    EXPECT_EQ(caches.data(line)[61], std::byte{1});
    EXPECT_EQ(caches.data(line)[62], std::byte{0xaa});
    EXPECT_EQ(caches.data(line)[63], std::byte{0xbb});
  }
}

TEST(PrivateCaches, PokeOfAnAbsentLineDoesNothing) {
  PrivateCaches caches{small};
  caches.poke(line, 0, filled(1));
  EXPECT_EQ(caches.state(line), Mesi::invalid);
}

// What one core may hold, line by line, with no notion of sets or levels.
struct Held {
  Mesi state;
  Bytes64 data;
};

class RandomWalk {
 public:
  RandomWalk(const Params& params, std::uint64_t seed)
      : caches_{params}, prng_{seed, "private_caches"}, capacity_{params.l2.capacity.count / 64} {}

  void step() {
    const auto number = prng_.between(0, capacity_ * 2);
    auto newest = filled(0xee);
    switch (prng_.between(0, 9)) {
      case 0:
        snoop(number, caches_.invalidate(number, newest), newest);
        held_.erase(number);
        break;
      case 1:
        snoop(number, caches_.share(number, newest), newest);
        if (held_.contains(number)) held_[number].state = Mesi::shared;
        break;
      case 2:
        snoop(number, caches_.peek(number, newest), newest);
        break;
      default:
        access(number, prng_.one_in(2));
    }
    ASSERT_EQ(caches_.state(number),
              held_.contains(number) ? held_.at(number).state : Mesi::invalid);
  }

  void finish() {
    std::set<std::uint64_t> walked;
    for (std::uint32_t slot = 0; slot < caches_.slots(); ++slot) {
      if (const auto at = caches_.line_at(slot)) walked.insert(*at);
    }
    std::set<std::uint64_t> expected;
    for (const auto& [number, entry] : held_) expected.insert(number);
    EXPECT_EQ(walked, expected);
    const auto& stats = caches_.stats();
    EXPECT_EQ(stats.l1_hits.n + stats.l2_hits.n + stats.misses.n, accesses_);
    EXPECT_GT(stats.l1_hits.n, 0u);
    EXPECT_GT(stats.l2_hits.n, 0u);
  }

 private:
  void snoop(std::uint64_t number, bool dirty, const Bytes64& got) {
    const auto at = held_.find(number);
    ASSERT_EQ(dirty, at != held_.end() && at->second.state == Mesi::modified);
    ASSERT_EQ(got, dirty ? at->second.data : filled(0xee));
  }

  void access(std::uint64_t number, bool write) {
    const auto at = held_.find(number);
    const bool allowed = at != held_.end() && (!write || at->second.state != Mesi::shared);
    ++accesses_;
    ASSERT_EQ(caches_.access(number, write) != Level::beyond, allowed);
    if (!allowed) grant(number, write);
    Held& held = held_.at(number);
    if (write) {
      held.state = Mesi::modified;
      const auto offset = prng_.between(0, 63);
      held.data[offset] = static_cast<std::byte>(prng_.next());
      caches_.data(number)[offset] = held.data[offset];
    }
    ASSERT_TRUE(std::ranges::equal(caches_.data(number), held.data));
  }

  void grant(std::uint64_t number, bool write) {
    const bool upgrade = held_.contains(number);
    const auto state = write ? Mesi::modified : prng_.one_in(2) ? Mesi::shared : Mesi::exclusive;
    const auto data = upgrade ? held_.at(number).data : filled(static_cast<unsigned>(number));
    const auto victim = caches_.fill(number, state, data);
    held_[number] = {state, data};
    if (!victim) return;
    ASSERT_FALSE(upgrade);
    ASSERT_NE(victim->line, number);
    const auto at = held_.find(victim->line);
    ASSERT_NE(at, held_.end());
    ASSERT_EQ(victim->dirty, at->second.state == Mesi::modified);
    if (victim->dirty) {
      ASSERT_EQ(victim->data, at->second.data);
    }
    held_.erase(at);
  }

  PrivateCaches caches_;
  Prng prng_;
  std::uint64_t capacity_;
  std::map<std::uint64_t, Held> held_;
  std::uint64_t accesses_ = 0;
};

TEST(PrivateCaches, AgreeWithAMapOfLinesUnderRandomAccessesAndSnoops) {
  const Params shapes[]{
      small,
      {.l1d = {.capacity = 1_KiB, .ways = 4}, .l2 = {.capacity = 2_KiB, .ways = 2}},
      {.l1d = {.capacity = 512_B, .ways = 8}, .l2 = {.capacity = 4_KiB, .ways = 1}},
      {.l1d = {.capacity = 512_B, .ways = 2}, .l2 = {.capacity = 2_KiB, .ways = 32}}};
  for (const auto& shape : shapes) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      RandomWalk walk{shape, seed};
      for (int i = 0; i < 10000; ++i) {
        walk.step();
        if (HasFatalFailure()) return;
      }
      walk.finish();
    }
  }
}

}  // namespace
}  // namespace ioasim::cache
