#include "sim/frame_pool.hpp"

#include <gmock/gmock.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <utility>

#include "base/prng.hpp"

namespace ioasim::sim {
namespace {

TEST(FramePool, FramesDoNotOverlapAndAreAligned) {
  FramePool pool;
  Prng prng{1, "frame_pool"};
  std::map<std::uintptr_t, std::pair<std::byte*, std::size_t>> live;
  for (int i = 0; i < 20000; ++i) {
    if (!live.empty() && prng.one_in(2)) {
      auto at = live.lower_bound(prng.next());
      if (at == live.end()) at = live.begin();
      const auto [frame, bytes] = at->second;
      for (std::size_t j = 0; j < bytes; ++j) {
        ASSERT_EQ(frame[j], static_cast<std::byte>(at->first >> 6)) << "overwritten at " << j;
      }
      pool.give(frame, bytes);
      live.erase(at);
      continue;
    }
    const auto bytes = static_cast<std::size_t>(prng.between(1, 5000));
    auto* const frame = static_cast<std::byte*>(pool.take(bytes));
    const auto address = reinterpret_cast<std::uintptr_t>(frame);
    ASSERT_EQ(address % alignof(std::max_align_t), 0u);
    std::memset(frame, static_cast<int>(address >> 6 & 0xff), bytes);
    const auto next = live.lower_bound(address);
    if (next != live.end()) {
      ASSERT_LE(address + bytes, next->first);
    }
    if (next != live.begin()) {
      const auto before = std::prev(next);
      ASSERT_LE(before->first + before->second.second, address);
    }
    live.emplace(address, std::pair{frame, bytes});
  }
  for (const auto& [address, frame] : live) pool.give(frame.first, frame.second);
}

TEST(FramePool, AFreedFrameIsTheNextOneTaken) {
  FramePool pool;
  for (const std::size_t bytes : {1u, 64u, 65u, 1000u, 4032u}) {
    void* const frame = pool.take(bytes);
    pool.give(frame, bytes);
    void* const again = pool.take(bytes);
    EXPECT_EQ(again, frame) << bytes;
    pool.give(again, bytes);
  }
}

TEST(FramePool, OneAHostThread) { EXPECT_EQ(&FramePool::instance(), &FramePool::instance()); }

}  // namespace
}  // namespace ioasim::sim
