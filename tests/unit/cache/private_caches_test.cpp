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
constexpr Params small{.l1d = {.capacity = 512_B, .ways = 1},
                       .l2 = {.capacity = 2_KiB, .ways = 4, .replacement = Replacement::lru}};
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

PrivateCaches prepared(State state, Place place) {
  PrivateCaches caches{small};
  if (place == Place::nowhere) return caches;
  caches.fill(line, state, filled(1));
  if (state == State::modified) {
    EXPECT_EQ(caches.access(line, true).level, Level::l1);
    std::ranges::fill(caches.data(line), std::byte{2});
  }
  // A neighbour of the same set takes the only way of level 1.
  if (place == Place::l2_only) caches.fill(line + sets, State::shared, filled(9));
  return caches;
}

struct AccessRow {
  State state;
  Place place;
  bool write;
  Level level;
  State after;
};

TEST(PrivateCaches, AccessHitsByStateAndMakesWrittenLinesModified) {
  using enum State;
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
    EXPECT_EQ(caches.access(line, row.write).level, row.level);
    EXPECT_EQ(caches.state(line), row.after);
    const auto& stats = caches.stats();
    EXPECT_EQ(stats.l1_hits.n - before.l1_hits.n, row.level == Level::l1 ? 1u : 0u);
    EXPECT_EQ(stats.l2_hits.n - before.l2_hits.n, row.level == Level::l2 ? 1u : 0u);
    EXPECT_EQ(stats.misses.n - before.misses.n, row.level == Level::beyond ? 1u : 0u);
    if (row.level == Level::beyond) continue;
    EXPECT_TRUE(holds(caches.data(line), row.state == modified ? 2 : 1));
    EXPECT_EQ(caches.access(line, row.write).level, Level::l1)
        << "a hit brings the line into level 1";
  }
}

// What each snoop returns and leaves, for a line in either level: the data of whatever is held,
// and whether they are newer than what the home agent has.
struct SnoopRow {
  State state;
  State shared_after;   // somebody read it, and the protocol writes dirty data back
  State owned_after;    // ... or leaves them with their owner
  State cleaned_after;  // memory has the data
};

constexpr SnoopRow snoop_rows[]{{State::invalid, State::invalid, State::invalid, State::invalid},
                                {State::shared, State::shared, State::shared, State::shared},
                                {State::forward, State::shared, State::shared, State::forward},
                                {State::owned, State::shared, State::owned, State::shared},
                                {State::exclusive, State::shared, State::shared, State::exclusive},
                                {State::modified, State::shared, State::owned, State::exclusive}};

template <class Check>
void for_each_snoop_row(Check check) {
  for (const auto& row : snoop_rows) {
    for (const auto where : {Place::l1, Place::l2_only}) {
      const auto place = row.state == State::invalid ? Place::nowhere : where;
      SCOPED_TRACE(testing::Message() << int(row.state) << int(place));
      // 0xee: nothing was copied.
      check(row, prepared(row.state, place),
            row.state == State::modified  ? 2u
            : row.state == State::invalid ? 0xeeu
                                          : 1u);
    }
  }
}

TEST(PrivateCaches, APeekShowsTheDataAndChangesNothing) {
  for_each_snoop_row([](const SnoopRow& row, PrivateCaches caches, unsigned held) {
    auto data = filled(0xee);
    EXPECT_EQ(caches.peek(line, data), dirty(row.state));
    EXPECT_TRUE(holds(data, held));
    EXPECT_EQ(caches.state(line), row.state);
  });
}

TEST(PrivateCaches, AnInvalidationGivesTheDataAndLeavesNothing) {
  for_each_snoop_row([](const SnoopRow& row, PrivateCaches caches, unsigned held) {
    auto data = filled(0xee);
    EXPECT_EQ(caches.invalidate(line, data), dirty(row.state));
    EXPECT_TRUE(holds(data, held));
    EXPECT_EQ(caches.state(line), State::invalid);
    EXPECT_EQ(caches.access(line, false).level, Level::beyond);
    EXPECT_FALSE(caches.invalidate(line, data));
  });
}

TEST(PrivateCaches, ASharedLineStaysInTheStateThatTheProtocolSays) {
  for (const auto dirty_becomes : {State::shared, State::owned}) {
    for_each_snoop_row([&](const SnoopRow& row, PrivateCaches caches, unsigned held) {
      const auto after = dirty_becomes == State::owned ? row.owned_after : row.shared_after;
      auto data = filled(0xee);
      EXPECT_EQ(caches.share(line, data, dirty_becomes), dirty(row.state));
      EXPECT_TRUE(holds(data, held));
      EXPECT_EQ(caches.state(line), after);
      EXPECT_EQ(caches.peek(line, data), after == State::owned) << "clean by now, unless owned";
      EXPECT_EQ(caches.access(line, true).level, Level::beyond) << "must ask before it writes";
      if (row.state == State::invalid) return;
      EXPECT_NE(caches.access(line, false).level, Level::beyond);
      EXPECT_TRUE(holds(caches.data(line), held));
    });
  }
}

TEST(PrivateCaches, ACleanedLineStaysAndIsCleanInBothLevels) {
  for_each_snoop_row([](const SnoopRow& row, PrivateCaches caches, unsigned held) {
    auto data = filled(0xee);
    EXPECT_EQ(caches.clean(line, data), dirty(row.state));
    EXPECT_EQ(caches.state(line), row.cleaned_after);
    EXPECT_FALSE(caches.peek(line, data));
    if (row.state == State::invalid) return;
    EXPECT_TRUE(holds(data, held));
    caches.fill(line + sets, State::shared, filled(9));  // it leaves level 1
    EXPECT_FALSE(caches.invalidate(line, data));
    EXPECT_TRUE(holds(data, held));
  });
}

// Once shared, the former owner must ask before it writes again; level 2 may not remember more.
TEST(PrivateCaches, ASharedLineIsNotWritableAfterItLeavesLevel1) {
  auto caches = prepared(State::modified, Place::l1);
  auto data = filled(0);
  EXPECT_TRUE(caches.share(line, data, State::shared));
  caches.fill(line + sets, State::shared, filled(9));
  EXPECT_EQ(caches.access(line, true).level, Level::beyond);
  EXPECT_EQ(caches.state(line), State::shared);
}

TEST(PrivateCaches, AnUpgradeOfAHeldLineDisplacesNothingAndKeepsItsData) {
  for (const auto place : {Place::l1, Place::l2_only}) {
    auto caches = prepared(State::shared, place);
    EXPECT_EQ(caches.access(line, true).level, Level::beyond);
    EXPECT_FALSE(caches.fill(line, State::modified, filled(3)).has_value());
    EXPECT_EQ(caches.state(line), State::modified);
    EXPECT_TRUE(holds(caches.data(line), 1));
    auto data = filled(0);
    EXPECT_TRUE(caches.invalidate(line, data));
    EXPECT_TRUE(holds(data, 1));
  }
}

TEST(PrivateCaches, TheLeastRecentlyFilledLineLeavesLevel2WithItsNewestData) {
  PrivateCaches caches{small};
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(caches.fill(i * sets, i == 0 ? State::modified : State::exclusive, filled(1)));
    if (i == 0) std::ranges::fill(caches.data(0), std::byte{7});
  }
  const auto first = caches.fill(4 * sets, State::shared, filled(1));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->line, 0u);
  EXPECT_TRUE(first->dirty);
  EXPECT_EQ(first->data, filled(7));
  const auto second = caches.fill(5 * sets, State::shared, filled(1));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->line, sets);
  EXPECT_FALSE(second->dirty);
}

// Invariant 37, one level in: what leaves level 2 is in level 1 no more. Level 1 has more ways
// than level 2 here, so that its own replacement does not do it.
TEST(PrivateCaches, Level2EvictionTakesTheCopyInLevel1Along) {
  PrivateCaches caches{{.l1d = {.capacity = 512_B, .ways = 8},
                        .l2 = {.capacity = 512_B, .ways = 2, .replacement = Replacement::lru}}};
  caches.fill(0, State::exclusive, filled(1));
  EXPECT_EQ(caches.access(0, true).level, Level::l1);
  std::ranges::fill(caches.data(0), std::byte{5});
  caches.fill(4, State::shared, filled(1));
  EXPECT_EQ(caches.access(0, false).level, Level::l1);  // newest in level 1; level 2 did not see it
  const auto victim = caches.fill(8, State::shared, filled(1));
  ASSERT_TRUE(victim.has_value());
  ASSERT_EQ(victim->line, 0u);
  EXPECT_TRUE(victim->dirty);
  EXPECT_EQ(victim->data, filled(5));
  EXPECT_EQ(caches.state(0), State::invalid);
  EXPECT_EQ(caches.access(0, false).level, Level::beyond);
}

TEST(PrivateCaches, PokeReachesTheCopyOfEachLevelAndChangesNoState) {
  for (const auto place : {Place::l1, Place::l2_only}) {
    auto caches = prepared(State::exclusive, place);
    const std::array<std::byte, 2> bytes{std::byte{0xaa}, std::byte{0xbb}};
    caches.poke(line, 62, bytes);
    EXPECT_EQ(caches.state(line), State::exclusive);
    caches.access(line, false);
    EXPECT_EQ(caches.data(line)[61], std::byte{1});
    EXPECT_EQ(caches.data(line)[62], std::byte{0xaa});
    EXPECT_EQ(caches.data(line)[63], std::byte{0xbb});
  }
}

TEST(PrivateCaches, PokeOfAnAbsentLineDoesNothing) {
  PrivateCaches caches{small};
  caches.poke(line, 0, filled(1));
  EXPECT_EQ(caches.state(line), State::invalid);
}

// What one core may hold, line by line, with no notion of sets or levels.
struct Held {
  State state;
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
        snoop(number, caches_.share(number, newest, State::shared), newest);
        if (held_.contains(number)) held_[number].state = State::shared;
        break;
      case 2:
        snoop(number, caches_.peek(number, newest), newest);
        break;
      default:
        access(number, prng_.one_in(2));
    }
    ASSERT_EQ(caches_.state(number),
              held_.contains(number) ? held_.at(number).state : State::invalid);
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
    ASSERT_EQ(dirty, at != held_.end() && at->second.state == State::modified);
    ASSERT_EQ(got, at != held_.end() ? at->second.data : filled(0xee));
  }

  void access(std::uint64_t number, bool write) {
    const auto at = held_.find(number);
    const bool allowed = at != held_.end() && (!write || at->second.state != State::shared);
    ++accesses_;
    ASSERT_EQ(caches_.access(number, write).level != Level::beyond, allowed);
    if (!allowed) grant(number, write);
    Held& held = held_.at(number);
    if (write) {
      held.state = State::modified;
      const auto offset = prng_.between(0, 63);
      held.data[offset] = static_cast<std::byte>(prng_.next());
      caches_.data(number)[offset] = held.data[offset];
    }
    ASSERT_TRUE(std::ranges::equal(caches_.data(number), held.data));
  }

  void grant(std::uint64_t number, bool write) {
    const bool upgrade = held_.contains(number);
    const auto state = write ? State::modified : prng_.one_in(2) ? State::shared : State::exclusive;
    const auto data = upgrade ? held_.at(number).data : filled(static_cast<unsigned>(number));
    // What a core holds it keeps, whatever it is granted.
    const auto victim = caches_.fill(number, state, upgrade ? filled(0xdd) : data);
    held_[number] = {state, data};
    if (!victim) return;
    ASSERT_FALSE(upgrade);
    ASSERT_NE(victim->line, number);
    const auto at = held_.find(victim->line);
    ASSERT_NE(at, held_.end());
    ASSERT_EQ(victim->dirty, at->second.state == State::modified);
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
