#include "base/tag_array.hpp"

#include <gmock/gmock.h>

#include <list>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/check.hpp"
#include "base/prng.hpp"

namespace ioasim {
namespace {

// The ways of one set, all of them held, under one policy: as its definition tells it.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual void used(std::uint32_t way) = 0;
  virtual void filled(std::uint32_t way) { used(way); }
  // Which of the allowed ways may give way.
  virtual std::set<std::uint32_t> victims(const std::set<std::uint32_t>& allowed) = 0;
};

class ListLru final : public Policy {
 public:
  void used(std::uint32_t way) override {
    ways_.remove(way);
    ways_.push_front(way);
  }
  std::set<std::uint32_t> victims(const std::set<std::uint32_t>& allowed) override {
    for (auto way = ways_.rbegin();; ++way) {
      if (allowed.contains(*way)) return {*way};
    }
  }

 private:
  std::list<std::uint32_t> ways_;  // the last used in front
};

class Tree final : public Policy {
 public:
  explicit Tree(std::uint32_t ways) : root_{0, std::bit_ceil(ways)} {}
  void used(std::uint32_t way) override { root_.used(way); }
  std::set<std::uint32_t> victims(const std::set<std::uint32_t>& allowed) override {
    return {root_.victim(allowed)};
  }

 private:
  struct Node {
    std::uint32_t first;
    std::uint32_t ways;
    std::unique_ptr<Node> left{};
    std::unique_ptr<Node> right{};
    bool victim_is_right = false;

    Node(std::uint32_t from, std::uint32_t count) : first{from}, ways{count} {
      if (ways == 1) return;
      left = std::make_unique<Node>(first, ways / 2);
      right = std::make_unique<Node>(first + ways / 2, ways / 2);
    }
    void used(std::uint32_t way) {
      if (ways == 1) return;
      victim_is_right = way < right->first;
      (victim_is_right ? left : right)->used(way);
    }
    bool has_any(const std::set<std::uint32_t>& allowed) const {
      const auto next = allowed.lower_bound(first);
      return next != allowed.end() && *next < first + ways;
    }
    std::uint32_t victim(const std::set<std::uint32_t>& allowed) const {
      if (ways == 1) return first;
      const auto& wanted = victim_is_right ? right : left;
      const auto& other = victim_is_right ? left : right;
      return (wanted->has_any(allowed) ? wanted : other)->victim(allowed);
    }
  };
  Node root_;
};

class Any final : public Policy {
 public:
  void used(std::uint32_t) override {}
  std::set<std::uint32_t> victims(const std::set<std::uint32_t>& allowed) override {
    return allowed;
  }
};

class Rrip final : public Policy {
 public:
  explicit Rrip(std::uint32_t ways) : distance_(ways) {}
  void used(std::uint32_t way) override { distance_[way] = 0; }
  void filled(std::uint32_t way) override { distance_[way] = 2; }
  std::set<std::uint32_t> victims(const std::set<std::uint32_t>& allowed) override {
    for (;;) {
      for (const auto way : allowed) {
        if (distance_[way] == 3) return {way};
      }
      for (const auto way : allowed) ++distance_[way];
    }
  }

 private:
  std::vector<int> distance_;
};

std::unique_ptr<Policy> policy_of(Replacement replacement, std::uint32_t ways) {
  switch (replacement) {
    case Replacement::lru:
      return std::make_unique<ListLru>();
    case Replacement::tree_plru:
      return std::make_unique<Tree>(ways);
    case Replacement::random:
      return std::make_unique<Any>();
    case Replacement::rrip:
      return std::make_unique<Rrip>(ways);
  }
  UNREACHABLE();
}

// What a set-associative array holds: no fingerprints, no bits.
class NaiveArray {
 public:
  using Slot = TagArray::Slot;

  NaiveArray(const TagArray& array, Replacement replacement) : array_{array} {
    for (std::uint32_t set = 0; set < array.sets(); ++set) {
      policies_.push_back(policy_of(replacement, array.ways()));
    }
  }

  Slot find(std::uint64_t key) const {
    const auto at = held_.find(key);
    return at == held_.end() ? TagArray::none : at->second;
  }
  void use(Slot slot) { policies_[slot / array_.ways()]->used(slot % array_.ways()); }
  void fill(Slot slot, std::uint64_t key) {
    clear(slot);
    held_[key] = slot;
    policies_[slot / array_.ways()]->filled(slot % array_.ways());
  }
  void clear(Slot slot) {
    std::erase_if(held_, [=](const auto& entry) { return entry.second == slot; });
  }

  // Slots of the key's set and of the allowed ways that a new key may take.
  std::set<Slot> victims(std::uint64_t key, std::uint32_t allowed) {
    const auto set = array_.slice_of(key) * array_.sets_per_slice() +
                     static_cast<std::uint32_t>(key % array_.sets_per_slice());
    const auto first = set * array_.ways();
    std::set<std::uint32_t> ways;
    for (std::uint32_t way = 0; way < array_.ways(); ++way) {
      if ((allowed >> way & 1u) != 0) ways.insert(way);
    }
    auto found = ways;
    for (const auto& [held, slot] : held_) {
      if (slot / array_.ways() == set) found.erase(slot % array_.ways());
    }
    if (found.empty()) found = policies_[set]->victims(ways);
    std::set<Slot> slots;
    for (const auto way : found) slots.insert(first + way);
    return slots;
  }

  const auto& held() const { return held_; }

 private:
  const TagArray& array_;
  std::vector<std::unique_ptr<Policy>> policies_;
  std::map<std::uint64_t, Slot> held_;
};

// Random calls, as caches make them, against the naive array.
class Exercise {
 public:
  Exercise(const TagArray::Shape& shape, Replacement replacement)
      : array_{shape, replacement},
        naive_{array_, replacement},
        prng_{shape.sets_per_slice * 100 + shape.ways, "tag_array"},
        every_{TagArray::every_way >> (32 - shape.ways)},
        lru_{replacement == Replacement::lru} {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      SCOPED_TRACE(testing::Message() << "step " << i);
      step(draw_key());
    }
    for (const auto& [key, slot] : naive_.held()) ASSERT_EQ(array_.find(key), slot);
  }

 private:
  // Keys that often differ in their high bits only, so that sets and fingerprints collide.
  std::uint64_t draw_key() {
    const auto low = prng_.between(0, array_.sets() * (array_.ways() + array_.ways() / 2 + 1));
    return prng_.one_in(8) ? low | prng_.between(0, 3) << 60 : low;
  }

  void step(std::uint64_t key) {
    const auto slot = array_.find(key);
    ASSERT_EQ(slot, naive_.find(key)) << "key " << key;
    if (slot == TagArray::none) return insert(key);
    ASSERT_TRUE(array_.valid(slot));
    ASSERT_EQ(array_.key(slot), key);
    if (!prng_.one_in(4)) {
      array_.touch(slot);
      naive_.use(slot);
      return;
    }
    array_.clear(slot);
    naive_.clear(slot);
    ASSERT_FALSE(array_.valid(slot));
    if (lru_) {
      ASSERT_EQ(array_.victim(key), slot) << "a cleared slot is the first to be filled";
    }
  }

  void insert(std::uint64_t key) {
    auto allowed = TagArray::every_way;
    if (prng_.one_in(2)) allowed = static_cast<std::uint32_t>(prng_.between(1, every_));
    const auto victims = naive_.victims(key, allowed);
    const auto victim = array_.victim(key, allowed);
    ASSERT_TRUE(victims.contains(victim)) << victim;
    if (prng_.one_in(4)) {
      ASSERT_EQ(array_.victim(key, allowed), victim) << "asked again";
    }
    if (prng_.one_in(8)) return;  // not taken after all
    if (prng_.one_in(2) && array_.valid(victim)) {
      array_.clear(victim);
      naive_.clear(victim);
      ASSERT_EQ(array_.victim(key, allowed), lru_ ? victim : *naive_.victims(key, allowed).begin());
    }
    array_.fill(victim, key);
    naive_.fill(victim, key);
  }

  TagArray array_;
  NaiveArray naive_;
  Prng prng_;
  std::uint32_t every_;
  bool lru_;
};

class Replacements : public testing::TestWithParam<Replacement> {};

TEST_P(Replacements, AgreeWithTheirDefinitionFrom1To32Ways) {
  for (const auto& [sets, slices] : {std::pair{1u, 1u}, {2u, 1u}, {8u, 1u}, {4u, 3u}, {2u, 4u}}) {
    for (auto ways = 1u; ways <= 32; ++ways) {
      SCOPED_TRACE(testing::Message() << slices << " x " << sets << " sets of " << ways << " ways");
      Exercise{{sets, slices, ways}, GetParam()}.run(1500);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(Replacements, FillEmptyWaysFirst) {
  for (const auto ways : {1u, 8u, 11u, 20u, 32u}) {
    TagArray array{1, ways, GetParam()};
    for (std::uint64_t key = 0; key < ways; ++key) {
      const auto slot = array.victim(key);
      ASSERT_FALSE(array.valid(slot)) << ways;
      array.fill(slot, key);
      array.touch(slot);
    }
    for (const auto way : {ways - 1, ways / 2}) {
      array.clear(way);
      EXPECT_EQ(array.victim(99), way);
      array.fill(way, 100 + way);
    }
  }
}

TEST_P(Replacements, TakeTheOneWayThatIsAllowed) {
  for (const auto ways : {11u, 20u, 32u}) {
    TagArray array{1, ways, GetParam()};
    for (std::uint64_t key = 0; key < ways; ++key) array.fill(array.victim(key), key);
    for (std::uint32_t way = 0; way < ways; ++way) EXPECT_EQ(array.victim(99, 1u << way), way);
  }
}

TEST_P(Replacements, RefuseAMaskWithoutWays) {
  const testing::ExitedWithCode refused{check_exit_status};
  TagArray array{1, 4, GetParam()};
  EXPECT_EXIT(array.victim(0, 0), refused, "allowed != 0|oldest != none");
  EXPECT_EXIT(array.victim(0, 0x10), refused, "allowed != 0|oldest != none");
}

// Slots that a stream of colliding keys takes.
std::vector<TagArray::Slot> slots_taken(TagArray& array, std::uint64_t first_key, int keys) {
  std::vector<TagArray::Slot> slots;
  for (int i = 0; i < keys; ++i) {
    const auto key = first_key + static_cast<unsigned>(i) * array.sets();
    slots.push_back(array.victim(key));
    array.fill(slots.back(), key);
    if (i % 3 == 0) array.touch(array.find(key));
  }
  return slots;
}

TEST_P(Replacements, AreTheSameInEveryRun) {
  TagArray one{4, 12, GetParam(), 7};
  TagArray two{4, 12, GetParam(), 7};
  EXPECT_EQ(slots_taken(one, 0, 500), slots_taken(two, 0, 500));
}

INSTANTIATE_TEST_SUITE_P(Each, Replacements,
                         testing::Values(Replacement::lru, Replacement::tree_plru,
                                         Replacement::random, Replacement::rrip),
                         [](const auto& policy) -> std::string {
                           for (const auto& [value, name] : enum_names(Replacement{})) {
                             if (value == policy.param) return std::string{name};
                           }
                           UNREACHABLE();
                         });

TEST(RandomReplacement, DependsOnTheSeedAndNotOnOtherSets) {
  TagArray one{4, 12, Replacement::random, 1};
  TagArray two{4, 12, Replacement::random, 2};
  TagArray busy{4, 12, Replacement::random, 1};
  slots_taken(busy, 3, 100);
  const auto slots = slots_taken(one, 0, 200);
  EXPECT_NE(slots, slots_taken(two, 0, 200));
  EXPECT_EQ(slots, slots_taken(busy, 0, 200));
  auto other_set = slots_taken(one, 1, 200);
  for (auto& slot : other_set) slot -= 12;
  EXPECT_NE(slots, other_set);
}

// 12'000 draws from 11 ways, of which 5 are allowed: binomial, 2400 each with a deviation of 44.
TEST(RandomReplacement, TakesEachAllowedWayEquallyOften) {
  constexpr std::uint32_t allowed = 0b101'0001'1001;
  TagArray array{1, 11, Replacement::random};
  for (std::uint64_t key = 0; key < 11; ++key) array.fill(array.victim(key), key);
  std::map<TagArray::Slot, int> taken;
  for (std::uint64_t key = 11; key < 12'011; ++key) {
    const auto slot = array.victim(key, allowed);
    ++taken[slot];
    array.fill(slot, key);
  }
  ASSERT_EQ(taken.size(), 5u);
  for (const auto& [slot, count] : taken) EXPECT_NEAR(count, 2400, 4 * 44) << slot;
}

// A sweep of keys that are used once does not drive out those that are used again and again.
TEST(RripReplacement, ResistsASweep) {
  for (const auto& [replacement, kept] :
       {std::pair{Replacement::rrip, true}, {Replacement::lru, false}}) {
    TagArray array{1, 8, replacement};
    for (std::uint64_t round = 0; round < 4; ++round) {
      for (std::uint64_t key = 0; key < 4; ++key) {
        if (array.find(key) == TagArray::none) array.fill(array.victim(key), key);
        array.touch(array.find(key));
      }
    }
    for (std::uint64_t key = 100; key < 108; ++key) array.fill(array.victim(key), key);
    for (std::uint64_t key = 0; key < 4; ++key) {
      EXPECT_EQ(array.find(key) != TagArray::none, kept) << key;
    }
  }
}

// Two masks that have no way in common: what one searches does not age what the other keeps.
TEST(RripReplacement, SearchesDoNotAgeWaysThatAreNotAllowed) {
  TagArray array{1, 8, Replacement::rrip};
  for (std::uint64_t key = 0; key < 8; ++key) array.fill(array.victim(key), key);
  array.touch(2);
  for (std::uint64_t key = 100; key < 150; ++key) array.fill(array.victim(key, 0b11), key);
  EXPECT_EQ(array.victim(99, 0b1100), 3u);
  array.fill(3, 200);
  EXPECT_EQ(array.victim(99, 0b1100), 3u) << "way 2 is at 1, the new key at 2";
}

TEST(TagArray, StartsEmpty) {
  const TagArray array{4, 3};
  EXPECT_EQ(array.slots(), 12u);
  EXPECT_EQ(array.sets(), 4u);
  EXPECT_EQ(array.slices(), 1u);
  EXPECT_EQ(array.ways(), 3u);
  for (TagArray::Slot slot = 0; slot < array.slots(); ++slot) EXPECT_FALSE(array.valid(slot));
  EXPECT_EQ(array.find(0), TagArray::none);
}

// The padding lanes of a set that is not a multiple of 16 wide hold the fingerprint of key 0.
TEST(TagArray, PaddingLanesNeverMatch) {
  for (auto ways = 1u; ways <= 32; ++ways) {
    const TagArray array{2, ways};
    ASSERT_EQ(array.find(0), TagArray::none) << ways;
    ASSERT_EQ(array.find(1), TagArray::none) << ways;
  }
}

TEST(TagArray, RefusesShapesItCannotHold) {
  const testing::ExitedWithCode refused{check_exit_status};
  EXPECT_EXIT((TagArray{3, 4}), refused, "sets_per_slice");
  EXPECT_EXIT((TagArray{4, 33}), refused, "ways");
  EXPECT_EXIT((TagArray{4, 0}), refused, "ways");
  EXPECT_EXIT((TagArray{{3, 2, 4}}), refused, "sets_per_slice");
  EXPECT_EXIT((TagArray{{4, 0, 4}}), refused, "slices");
  EXPECT_EXIT((TagArray{{4, 65, 4}}), refused, "slices");
}

}  // namespace
}  // namespace ioasim
