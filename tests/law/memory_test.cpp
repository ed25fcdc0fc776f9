// Memory, caches and cache instructions against arithmetic.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/prng.hpp"
#include "memory/dram_timing.hpp"
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

// wbinvd takes at least dirty bytes / write bandwidth, and at least the scan of all lines; not much
// more than the larger.
TEST_F(MemoryLaw, WbinvdIsBoundByWhatIsDirty) {
  constexpr auto scan = (16 + 1024) * 1_ns;  // level 2, then the last level
  run([&] {
    for (const unsigned dirty : {0u, 128u, 512u, 1024u}) {
      for (unsigned n = 0; n < dirty; ++n) core.store<std::uint64_t>(Hpa{n * 64}, n + 1);
      sleep(100_us);
      const auto written = pair.system.home.coherence_stats().writebacks.n;
      const auto begin = now();
      core.wbinvd();
      const auto time = now() - begin;
      EXPECT_EQ(pair.system.home.coherence_stats().writebacks.n - written, dirty);
      const auto bound = std::max(dirty / 2 * MemorySystem::line, scan);
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

// VAL-30: p99.9 of cold 64 B reads is 1.3 to 1.6 times their median (P-14: 866 to 960 ns over 609,
// p95 613), for refresh alone, by DDR4's 7.8 us and 350 ns.
//
// A read that memory leaves idle takes 557 ns to the last level and back (P-01) and the 52 ns of
// memory. One that comes at a random time finds its channel in refresh with 350 / 7800 = 4.5 %,
// so p95 is still the idle time, and then waits for what is left: longer than x with
// (350 - x) / 7800. That is 0.001 for x = 342 ns, and 609 + 342 = 951 is 1.56 x 609.
TEST(MemoryTailLaw, RefreshMakesTheTailOfColdReads) {
  memory::DramTiming dram{{.refresh_interval = 7'800_ns, .refresh_time = 350_ns}};
  constexpr auto idle = 557_ns + 51'751_ps;
  constexpr std::size_t reads = 200'000;
  Prng prng{1, "cold reads"};
  std::vector<double> latency_ns;
  Picoseconds at{};
  for (std::size_t n = 0; n < reads; ++n) {
    at += Picoseconds{static_cast<std::int64_t>(prng.between(1'000'000, 9'000'000))};
    const auto done = dram.access(Hpa{prng.between(0, 1u << 20) * 64}, at) + 557_ns;
    latency_ns.push_back(static_cast<double>((done - at).count()) / 1000);
  }
  std::sort(latency_ns.begin(), latency_ns.end());
  const auto percentile = [&](double part) {
    return latency_ns[static_cast<std::size_t>(part * reads)];
  };
  const auto median = percentile(0.5);
  EXPECT_DOUBLE_EQ(median, static_cast<double>(idle.count()) / 1000);
  EXPECT_NEAR(median, 609, 1);
  EXPECT_NEAR(percentile(0.95), 613, 5);
  EXPECT_LE(latency_ns.back(), median + 350);
  // The share of 200,000 reads that is above p99.9 has a deviation of 0.00007: 0.55 ns of 7800.
  EXPECT_NEAR(percentile(0.999), median + 342.2, 4 * 0.55);
  EXPECT_GE(percentile(0.999) / median, 1.3);
  EXPECT_LE(percentile(0.999) / median, 1.6);
}

}  // namespace
}  // namespace ioasim
