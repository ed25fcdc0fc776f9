#include "memory/backing_store.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "base/prng.hpp"

namespace ioasim::memory {
namespace {

std::vector<std::byte> numbered(std::size_t bytes, unsigned seed) {
  std::vector<std::byte> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(i * 7 + seed);
  return data;
}

TEST(BackingStore, HoldsItsCapacityAndNotAByteMore) {
  const BackingStore store{16_MiB};
  constexpr std::uint64_t size = 16u << 20;
  EXPECT_EQ(store.capacity(), size);
  EXPECT_TRUE(store.holds(Hpa{0}, size));
  EXPECT_FALSE(store.holds(Hpa{0}, size + 1));
  EXPECT_TRUE(store.holds(Hpa{size - 1}, 1));
  EXPECT_FALSE(store.holds(Hpa{size - 1}, 2));
  EXPECT_FALSE(store.holds(Hpa{size}, 1));
  EXPECT_FALSE(store.holds(Hpa{~0ull}, 1));
  EXPECT_FALSE(store.holds(Hpa{~0ull}, ~0ull));
}

TEST(BackingStore, StartsAsZeros) {
  const BackingStore store{16_MiB};
  std::vector<std::byte> data(5000, std::byte{0xff});
  store.read(Hpa{(2u << 20) - 2500}, data);
  EXPECT_THAT(data, testing::Each(std::byte{0}));
}

TEST(BackingStore, KeepsBytesAcrossThePiecesOfTwoMebibytes) {
  BackingStore store{16_MiB};
  const auto data = numbered(5u << 20, 3);  // touches four pieces
  const Hpa at{(2u << 20) - 13};
  store.write(at, data);
  std::vector<std::byte> back(data.size() + 2, std::byte{0xee});
  store.read(at - 1, back);
  EXPECT_EQ(back.front(), std::byte{0});
  EXPECT_EQ(back.back(), std::byte{0});
  EXPECT_TRUE(std::equal(data.begin(), data.end(), back.begin() + 1));
}

TEST(BackingStore, ReachesTheLastByteOfALargeMemory) {
  BackingStore store{1024_GiB};
  const Hpa last{(1024ull << 30) - 4};
  store.write(last, numbered(4, 1));
  std::vector<std::byte> back(4);
  store.read(last, back);
  EXPECT_EQ(back, numbered(4, 1));
}

TEST(BackingStore, AgreesWithAMapOfBytes) {
  BackingStore store{16_MiB};
  std::map<std::uint64_t, std::byte> map;
  Prng prng{1, "backing_store"};
  for (unsigned i = 0; i < 4000; ++i) {
    const auto edge = prng.between(1, 7) * (2u << 20);
    const Hpa at{edge - 100 + prng.between(0, 200)};
    const auto bytes = prng.between(1, 130);
    if (prng.one_in(2)) {
      const auto data = numbered(bytes, i);
      store.write(at, data);
      for (std::size_t j = 0; j < bytes; ++j) map[at.value + j] = data[j];
      continue;
    }
    std::vector<std::byte> got(bytes);
    store.read(at, got);
    for (std::size_t j = 0; j < bytes; ++j) {
      const auto held = map.find(at.value + j);
      ASSERT_EQ(got[j], held == map.end() ? std::byte{0} : held->second);
    }
  }
}

}  // namespace
}  // namespace ioasim::memory
