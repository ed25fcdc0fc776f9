#include "base/prng.hpp"

#include <gmock/gmock.h>

#include <random>
#include <set>

namespace ioasim {
namespace {

using testing::ElementsAre;

// Published values of 64-bit FNV-1a.
constexpr std::uint64_t hash_of_nothing = 0xcbf29ce484222325;
constexpr std::uint64_t hash_of_a = 0xaf63dc4c8601ec8c;
constexpr std::uint64_t hash_of_foobar = 0x85944171f73967e8;

// The C++ standard names the 10000th number of mt19937_64 seeded with 5489.
TEST(Prng, TenThousandthNumberIsTheStandards) {
  Prng prng{5489 ^ hash_of_foobar, "foobar"};
  for (int i = 1; i < 10000; ++i) prng.next();
  EXPECT_EQ(prng.next(), 9981545732273789042u);
}

TEST(Prng, SeedAndPathChooseTheStream) {
  const std::pair<std::string_view, std::uint64_t> table[]{
      {"", hash_of_nothing}, {"a", hash_of_a}, {"foobar", hash_of_foobar}};
  for (const auto& [path, hash] : table) {
    for (const std::uint64_t seed : {0ull, 1ull, ~0ull}) {
      Prng prng{seed, path};
      std::mt19937_64 engine{seed ^ hash};
      for (int i = 0; i < 100; ++i) ASSERT_EQ(prng.next(), engine());
    }
  }
}

TEST(Prng, BetweenReachesBothEndsAndNothingElse) {
  Prng prng{1, "dice"};
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(prng.between(3, 8));
  EXPECT_THAT(seen, ElementsAre(3, 4, 5, 6, 7, 8));
}

TEST(Prng, BetweenCanBeOneNumberOrAll) {
  Prng prng{1, "ends"};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(prng.between(5, 5), 5u);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(prng.between(0, ~0ull));
  EXPECT_EQ(seen.size(), 100u);
}

TEST(Prng, OneInOneIsAlways) {
  Prng prng{1, "coin"};
  unsigned heads = 0;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(prng.one_in(1));
  for (int i = 0; i < 10000; ++i) heads += prng.one_in(4) ? 1u : 0u;
  EXPECT_NEAR(heads, 2500, 150);  // 3.5 standard deviations
}

}  // namespace
}  // namespace ioasim
