// Caches and walkers of the remapping unit against arithmetic.
#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "support/iommu_bench.hpp"

namespace ioasim::iommu {
namespace {

namespace vtd = test::vtd;

constexpr std::uint64_t base = 0x4000'0000;

class IommuLaw : public test::IommuBench {
 protected:
  explicit IommuLaw(const Params& params = simple()) : IommuBench{params} {}

  void map_pages(unsigned pages) {
    enable_default();
    for (unsigned n = 0; n < pages; ++n) tables.map(base + n * 0x1000, 0x70'0000);
  }
  // Walks of one read each, one at a time, of the pages that `next` names.
  template <class Next>
  double hit_rate(unsigned reads, Next next) {
    const auto lookups = unit.translator_stats().iotlb_lookup.n;
    const auto hits = unit.translator_stats().iotlb_hit.n;
    for (unsigned n = 0; n < reads; ++n) {
      device.read(base + next(n) * 0x1000, 64);
      sleep(2_us);
    }
    return static_cast<double>(unit.translator_stats().iotlb_hit.n - hits) /
           static_cast<double>(unit.translator_stats().iotlb_lookup.n - lookups);
  }
};

// 128 entries of 8 ways with true LRU: a loop that fits always hits, one of twice the size never.
TEST_F(IommuLaw, LoopThatFitsHits) {
  run([&] {
    map_pages(128);
    hit_rate(128, [](unsigned n) { return n; });
    EXPECT_EQ(hit_rate(512, [](unsigned n) { return n % 128; }), 1.0);
  });
}

TEST_F(IommuLaw, LoopThatDoesNotFitMisses) {
  run([&] {
    map_pages(256);
    hit_rate(256, [](unsigned n) { return n; });
    EXPECT_EQ(hit_rate(512, [](unsigned n) { return n % 256; }), 0.0);
  });
}

// h = C / pages for uniform accesses.
TEST_F(IommuLaw, RandomAccessesHitInProportion) {
  Prng random{5, "law"};
  run([&] {
    map_pages(512);
    const auto any = [&](unsigned) { return random.between(0, 511); };
    hit_rate(1000, any);
    EXPECT_NEAR(hit_rate(6000, any), 128.0 / 512, 0.025);
  });
}

// Walk reads of a scan: each leaf once, an upper entry once for each 512 of the level below.
TEST_F(IommuLaw, ScanReadsEachEntryOnce) {
  run([&] {
    constexpr unsigned pages = 2048;
    map_pages(pages);
    for (unsigned n = 0; n < pages; ++n) {
      device.read(base + n * 0x1000, 64);
      sleep(2_us);
    }
    EXPECT_EQ(walk_reads(), 4 + 1 + 1 + pages / 512 + pages);
  });
}

// t_miss = T_walk / walkers.
class Walkers : public IommuLaw {
 protected:
  static Params with(unsigned walkers) {
    auto params = simple();
    params.walkers = walkers;
    return params;
  }
  explicit Walkers(unsigned count) : IommuLaw{with(count)}, count_{count} {}

  void expect_rate() {
    run([&] {
      constexpr unsigned misses = 480;
      map_pages(misses + 1);
      read(base + misses * 0x1000);  // upper levels
      sleep_until(100_us);
      for (unsigned n = 0; n < misses; ++n) device.read(base + n * 0x1000, 64);
      sleep(1_ms);
      const auto last = device.completed().back()->done_at;
      EXPECT_EQ(last, 100_us + lookup + (misses + count_ - 1) / count_ * step + memory_latency);
    });
  }

 private:
  unsigned count_;
};
class OneWalker : public Walkers {
 protected:
  OneWalker() : Walkers{1} {}
};
class ThreeWalkers : public Walkers {
 protected:
  ThreeWalkers() : Walkers{3} {}
};
class SixWalkers : public Walkers {
 protected:
  SixWalkers() : Walkers{6} {}
};
TEST_F(OneWalker, MissRate) { expect_rate(); }
TEST_F(ThreeWalkers, MissRate) { expect_rate(); }
TEST_F(SixWalkers, MissRate) { expect_rate(); }

}  // namespace
}  // namespace ioasim::iommu
