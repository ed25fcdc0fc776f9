#include "base/tag_array.hpp"

#include <gmock/gmock.h>

#include <map>
#include <set>
#include <vector>

#include "base/prng.hpp"

namespace ioasim {
namespace {

// What a set-associative array holds, told by the time of last use: no ranks, no fingerprints.
class NaiveArray {
 public:
  using Slot = TagArray::Slot;

  NaiveArray(std::uint32_t sets, std::uint32_t ways) : sets_{sets}, ways_{ways} {}

  Slot find(std::uint64_t key) const {
    const auto at = held_.find(key);
    return at == held_.end() ? TagArray::none : at->second.slot;
  }
  void use(std::uint64_t key) { held_.at(key).used = ++now_; }
  void fill(Slot slot, std::uint64_t key) {
    std::erase_if(held_, [=](const auto& entry) { return entry.second.slot == slot; });
    held_[key] = {slot, ++now_};
  }
  void clear(Slot slot) {
    std::erase_if(held_, [=](const auto& entry) { return entry.second.slot == slot; });
  }

  // Slots of the key's set and of the allowed ways that a new key may take.
  std::set<Slot> candidates(std::uint64_t key, std::uint32_t allowed) const {
    std::set<Slot> empty;
    const auto set = static_cast<std::uint32_t>(key % sets_);
    for (std::uint32_t way = 0; way < ways_; ++way) {
      if ((allowed >> way & 1u) != 0) empty.insert(set * ways_ + way);
    }
    const auto allowed_slots = empty;
    std::uint64_t oldest = ~0ull;
    Slot oldest_slot = TagArray::none;
    for (const auto& [held, entry] : held_) {
      empty.erase(entry.slot);
      if (!allowed_slots.contains(entry.slot) || entry.used >= oldest) continue;
      oldest = entry.used;
      oldest_slot = entry.slot;
    }
    return empty.empty() ? std::set{oldest_slot} : empty;
  }

  const auto& held() const { return held_; }

 private:
  struct Entry {
    Slot slot;
    std::uint64_t used;
  };
  std::uint32_t sets_;
  std::uint32_t ways_;
  std::uint64_t now_ = 0;
  std::map<std::uint64_t, Entry> held_;
};

struct Shape {
  std::uint32_t sets;
  std::uint32_t ways;
};

std::vector<Shape> every_shape() {
  std::vector<Shape> shapes;
  for (const auto sets : {1u, 2u, 8u}) {
    for (auto ways = 1u; ways <= 32; ++ways) shapes.push_back({sets, ways});
  }
  return shapes;
}

// Keys that often differ in their high bits only, so that sets and fingerprints collide.
std::uint64_t draw_key(Prng& prng, const Shape& shape) {
  const auto low = prng.between(0, shape.sets * (shape.ways + shape.ways / 2 + 1));
  return prng.one_in(8) ? low | prng.between(0, 3) << 60 : low;
}

void random_operations(const Shape& shape, int count) {
  TagArray array{shape.sets, shape.ways};
  NaiveArray naive{shape.sets, shape.ways};
  Prng prng{shape.sets * 100 + shape.ways, "tag_array"};
  const auto every = shape.ways == 32 ? ~0u : (1u << shape.ways) - 1;
  for (int i = 0; i < count; ++i) {
    const auto key = draw_key(prng, shape);
    const auto slot = array.find(key);
    ASSERT_EQ(slot, naive.find(key)) << "key " << key;
    if (slot != TagArray::none) {
      ASSERT_TRUE(array.valid(slot));
      ASSERT_EQ(array.key(slot), key);
      if (prng.one_in(4)) {
        array.clear(slot);
        naive.clear(slot);
        ASSERT_FALSE(array.valid(slot));
        ASSERT_EQ(array.victim(key), slot) << "a cleared slot is the first to be filled";
      } else {
        array.touch(slot);
        naive.use(key);
      }
      continue;
    }
    auto allowed = TagArray::every_way;
    if (prng.one_in(2)) allowed = static_cast<std::uint32_t>(prng.between(1, every)) & every;
    const auto victim = array.victim(key, allowed);
    ASSERT_TRUE(naive.candidates(key, allowed & every).contains(victim)) << "step " << i;
    array.fill(victim, key);
    naive.fill(victim, key);
  }
  for (const auto& [key, entry] : naive.held()) ASSERT_EQ(array.find(key), entry.slot);
}

TEST(TagArray, AgreesWithTimesOfLastUseFrom1To32Ways) {
  for (const auto& shape : every_shape()) {
    SCOPED_TRACE(testing::Message() << shape.sets << " sets of " << shape.ways << " ways");
    random_operations(shape, 2000);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(TagArray, StartsEmpty) {
  const TagArray array{4, 3};
  EXPECT_EQ(array.slots(), 12u);
  EXPECT_EQ(array.sets(), 4u);
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

TEST(TagArray, AMaskOfOneWayLeavesNoChoice) {
  TagArray array{1, 20};
  for (std::uint64_t key = 0; key < 20; ++key) array.fill(array.victim(key), key);
  for (std::uint32_t way = 0; way < 20; ++way) EXPECT_EQ(array.victim(99, 1u << way), way);
}

TEST(TagArray, RefusesShapesItCannotHold) {
  EXPECT_EXIT((TagArray{3, 4}), testing::ExitedWithCode(3), "");
  EXPECT_EXIT((TagArray{4, 33}), testing::ExitedWithCode(3), "");
  EXPECT_EXIT((TagArray{4, 0}), testing::ExitedWithCode(3), "");
}

// Mattson: a fully associative LRU array of n entries hits exactly the accesses of which fewer
// than n other keys came since the last access to the same key.
TEST(AssociativeCache, HitsAreThoseOfStackDistanceBelowItsSize) {
  Prng prng{1, "stack distance"};
  std::vector<std::uint64_t> trace;
  for (int i = 0; i < 3000; ++i) {
    trace.push_back(prng.one_in(3) ? prng.between(0, 60) : prng.between(0, 12));
  }
  std::vector<std::size_t> hits_by_size(33);
  for (std::size_t i = 0; i < trace.size(); ++i) {
    std::set<std::uint64_t> between;
    for (auto j = i; j-- > 0;) {
      if (trace[j] == trace[i]) {
        for (auto size = between.size() + 1; size <= 32; ++size) ++hits_by_size[size];
        break;
      }
      between.insert(trace[j]);
    }
  }
  for (std::uint32_t size = 1; size <= 32; ++size) {
    AssociativeCache<std::uint64_t> cache{size, size};
    std::size_t hits = 0;
    for (const auto key : trace) {
      if (const auto* value = cache.find(key)) {
        ASSERT_EQ(*value, key * 3);
        ++hits;
      } else {
        cache.insert(key, key * 3);
      }
    }
    EXPECT_EQ(hits, hits_by_size[size]) << size << " entries";
  }
}

TEST(AssociativeCache, InsertReplacesTheValueOfAKeyItHolds) {
  AssociativeCache<int> cache{4, 2};
  cache.insert(8, 1);
  cache.insert(8, 2);
  ASSERT_NE(cache.find(8), nullptr);
  EXPECT_EQ(*cache.find(8), 2);
  EXPECT_EQ(cache.erase_if([](int) { return true; }), 1u);
  EXPECT_EQ(cache.find(8), nullptr);
}

TEST(AssociativeCache, EraseIfRemovesWhatMatchesAndCountsIt) {
  AssociativeCache<int> cache{64, 4};
  for (int i = 0; i < 64; ++i) cache.insert(static_cast<std::uint64_t>(i), i);
  EXPECT_EQ(cache.erase_if([](int value) { return value % 3 == 0; }), 22u);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(cache.find(static_cast<std::uint64_t>(i)) == nullptr, i % 3 == 0) << i;
  }
}

}  // namespace
}  // namespace ioasim
