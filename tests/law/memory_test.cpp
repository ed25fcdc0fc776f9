// Memory, caches and cache instructions against arithmetic.
#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/core_pair.hpp"

namespace ioasim {
namespace {

using test::MemorySystem;

class MemoryLaw : public test::Bench {
 protected:
  MemoryLaw() : pair{clock, bus} {}

  test::CorePair pair;
  cpu::Core& core = pair.core0;
};

// n lines over c channels: n / c transfers one after the other, and one latency.
TEST_F(MemoryLaw, BandwidthOfMemory) {
  run([&] {
    constexpr unsigned lines = 10'000;
    Picoseconds last{};
    for (unsigned n = 0; n < lines; ++n) {
      pair.system.device.origin.snoop = false;
      last = std::max(last, pair.system.device.read(n * 64, 64).done_at);
    }
    EXPECT_EQ(last, lines / 2 * MemorySystem::line + 50_ns);
  });
}

// A loop of clflush is linear, past the size of the cache too, and the same for absent lines.
TEST_F(MemoryLaw, ClflushIsLinear) {
  run([&] {
    const auto time_of = [&](unsigned lines, bool present) {
      for (unsigned n = 0; present && n < lines; ++n) {
        pair.system.device.write(0x10'0000 + n * 64, test::filled(64, 1));
      }
      sleep(100_us);
      const auto begin = now();
      for (unsigned n = 0; n < lines; ++n) core.clflush(Hpa{0x10'0000 + n * 64});
      return now() - begin;
    };
    constexpr auto line = 1_ns + 3_ns + 10_ns + 30_ns;
    for (const unsigned lines : {64u, 1024u, 4096u}) {  // the last level holds 1024
      EXPECT_EQ(time_of(lines, false), lines * line) << lines;
      EXPECT_EQ(time_of(lines, true), lines * line) << lines;
    }
  });
}

// wbinvd takes at least dirty bytes / write bandwidth, and at least the scan of all sets; not much
// more than the larger.
TEST_F(MemoryLaw, WbinvdIsBoundByWhatIsDirty) {
  run([&] {
    for (const unsigned dirty : {0u, 128u, 512u, 1024u}) {
      for (unsigned n = 0; n < dirty; ++n) core.store<std::uint64_t>(Hpa{n * 64}, n + 1);
      sleep(100_us);
      const auto written = pair.system.home.stats().writebacks.n;
      const auto begin = now();
      core.wbinvd();
      const auto time = now() - begin;
      EXPECT_EQ(pair.system.home.stats().writebacks.n - written, dirty);
      const auto bound = std::max(dirty / 2 * MemorySystem::line, Picoseconds{128'000});
      EXPECT_GE(time, bound) << dirty;
      EXPECT_LE(time, bound + 2 * MemorySystem::dram + 64_ns) << dirty;
      for (unsigned n = 0; n < dirty; ++n) {
        EXPECT_EQ(test::value_of(pair.system.in_memory(n * 64, 8)), n + 1);
      }
    }
  });
}

// Reads that miss cost the LLC's lookup and memory, those that hit the lookup alone: the mean is
// linear in the hit rate.
TEST_F(MemoryLaw, MeanLatencyFollowsTheHitRate) {
  run([&] {
    constexpr unsigned lines = 256;
    for (unsigned n = 0; n < lines; n += 4) {
      pair.system.device.write(n * 64, test::filled(64, 1));
    }
    Picoseconds sum{};
    for (unsigned n = 0; n < lines; ++n) {
      sleep(1_us);
      const auto begin = now();
      sum += pair.system.device.read(n * 64, 64).done_at - begin;
    }
    EXPECT_EQ(sum, lines * MemorySystem::lookup + lines / 4 * 3 * MemorySystem::dram);
  });
}

}  // namespace
}  // namespace ioasim
