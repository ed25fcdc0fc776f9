// Invariants 27 to 44 (hardware.md 7.2): instructions on caches, and the caches themselves. What an
// invariant says of memory is shown by a device's no-snoop access in a whole machine; what it says
// of states, on two cores and their caches.
//
// The model has no virtual machines, so these cannot be exercised:
//   34, 35  a guest's WBINVD: nothing runs one
//   41      EPT with IPAT; without IPAT the guest's PAT counts as the host's own does, and that is
//           shown
//   44      registration of non-coherent DMA with a virtual machine
// That nothing offers one is in tests/unit/kernel/invariants_test.cpp.
#include "block/invariants/dma_machine.hpp"
#include "block/invariants/two_cores.hpp"

namespace ioasim::test {
namespace {

// ---- 27 to 30: whole caches ----

TEST_F(Invariants, I27_WbinvdWritesBackAndInvalidates) {
  run([&] {
    start();
    make_dirty();
    EXPECT_EQ(memory(), m());
    core(0).wbinvd();
    EXPECT_EQ(memory(), v());
    dma_write(true, d());
    EXPECT_EQ(load(), d());  // no copy was left
  });
}

TEST_F(TwoCores, I27_WbinvdReachesEverySetOfEveryLevel) {
  run([&] {
    for (unsigned set = 0; set < 128; ++set) fill_set(set);
    pair.core0.wbinvd();
    for (unsigned set = 0; set < 128; ++set) {
      EXPECT_EQ(in_memory(set, 0, 8, v), 8u) << "set " << set;
    }
    const auto reads = system.memory.stats().reads.n;
    for (unsigned set = 0; set < 128; ++set) device_read(true, in_set(set, 7));
    EXPECT_EQ(system.memory.stats().reads.n, reads + 128);  // no cache has it
  });
}

TEST_F(InvariantsOfAnotherLastLevel, I28_WbinvdDoesNotReachAnotherCoresPrivateLine) {
  run([&] {
    start();
    make_dirty(1);
    core(0).wbinvd();
    EXPECT_EQ(memory(), m());
    EXPECT_EQ(load(1), v());
    core(1).wbinvd();  // as the handler of an IPI would
    EXPECT_EQ(memory(), v());
  });
}

// An inclusive last level that gives a line up takes it from every core (invariant 37), and with
// flush.back_invalidate so does its flush. Open doubt 15 of the reference: software that counts on
// it is wrong on other machines.
TEST_F(Invariants, I28b_WbinvdThroughAnInclusiveLastLevelReachesAnotherCoresLine) {
  run([&] {
    start();
    make_dirty(1);
    core(0).wbinvd();
    EXPECT_EQ(memory(), v());
    dma_write(true, d());
    EXPECT_EQ(load(1), d());
  });
}

TEST_F(Invariants, I29_WbnoinvdWritesBackAndKeepsACleanLine) {
  run([&] {
    start();
    make_dirty();
    core(0).wbnoinvd();
    EXPECT_EQ(memory(), v());
    dma_write(true, d());
    EXPECT_EQ(load(), v());  // stale: it was kept
    core(0).clflush(line);
    EXPECT_EQ(memory(), d());  // and clean
    EXPECT_EQ(load(), d());
  });
}

// Without translation, whose tables would be lost too.
TEST_F(Invariants, I30_InvdLosesTheDirtyData) {
  run([&] {
    host.enable_engine();
    make_absent();
    core(0).wbinvd();
    store(v());
    EXPECT_EQ(load(), v());
    core(0).invd();
    EXPECT_EQ(load(), m());
    EXPECT_EQ(dma_read(true), m());
    EXPECT_EQ(dma_read(false), m());
  });
}

// ---- 31 to 33: one line ----

TEST_F(Invariants, I31_ClflushReachesEveryCacheOfEveryCore) {
  run([&] {
    start();
    make_dirty(1);
    EXPECT_EQ(load(0), v());  // shared, and in the last level
    core(0).clflush(line);
    EXPECT_EQ(memory(), v());
    dma_write(true, d());
    EXPECT_EQ(load(0), d());
    EXPECT_EQ(load(1), d());
    make_dirty(1);  // in core 1 alone
    core(0).clflush(line);
    EXPECT_EQ(memory(), v());
    dma_write(true, d());
    EXPECT_EQ(load(1), d());
  });
}

TEST_F(InvariantsOfTwoSockets, I31_ClflushReachesAnotherSocket) {
  run([&] {
    start();
    for (const bool both : {true, false}) {
      make_dirty(1);
      if (both) {
        EXPECT_EQ(load(0), v());
      }
      EXPECT_EQ(dma_read(false), v());
      core(0).clflush(line);
      EXPECT_EQ(memory(), v());
      dma_write(true, d());
      EXPECT_EQ(load(1), d());
      EXPECT_EQ(load(0), d());
    }
  });
}

// The flush may come after the doorbell, as it does here without the fence: the engine is at L
// before it. With the fence it never does.
TEST_F(InvariantsOfADistantCore, I32_ClflushoptNeedsSfenceBeforeTheDoorbell) {
  run([&] {
    start();
    const auto read_after_flush = [&](bool fence, Picoseconds pause) {
      make_dirty();
      EXPECT_EQ(memory(), m());  // leaves its descriptor for the doorbell
      core(0).clflushopt(line);
      core(0).execute(pause);
      if (fence) core(0).sfence();
      host.ring();
      EXPECT_EQ(host.finish(), done);
      Data data(64);
      core(0).load(Hpa{mailbox}, data);
      return data;
    };
    EXPECT_EQ(read_after_flush(false, 0_ps), m());
    EXPECT_EQ(read_after_flush(false, 10'000_ns), v());
    for (const auto pause : {0_ps, 100_ns, 700_ns, 1'500_ns, 3'000_ns}) {
      EXPECT_EQ(read_after_flush(true, pause), v());
    }
  });
}

TEST_F(Invariants, I33_ClwbWritesBackAndTheLoadReturnsTheSame) {
  run([&] {
    start();
    make_dirty();
    core(0).clwb(line);
    core(0).sfence();
    EXPECT_EQ(memory(), v());
    EXPECT_EQ(load(), v());  // kept or not
    dma_write(true, d());
    core(0).clflush(line);
    EXPECT_EQ(memory(), d());  // not dirty any more
  });
}

// ---- 36 to 40: the caches ----

struct Hierarchy {
  cache::Protocol protocol;
  bool inclusive;
};

class MesiSafety : public TwoCores, public ::testing::WithParamInterface<Hierarchy> {
 protected:
  static cache::Params caches() {
    auto params = MemorySystem::small_caches();
    params.protocol = GetParam().protocol;
    params.llc.inclusive = GetParam().inclusive;
    params.filter = {.covers = 4_KiB, .ways = 2};
    return params;
  }
  MesiSafety() : TwoCores{caches()} {}
};

TEST_P(MesiSafety, I36_OneWriterOrEqualReaders) {
  constexpr std::uint64_t lines[] = {address.value, address.value + 64, address.value + 0x2000,
                                     address.value + 0x4000};
  Prng random{1, "mesi-safety"};
  run([&] {
    for (unsigned step = 0; step < 3'000; ++step) {
      one_access(random, lines[random.between(0, 3)]);
      for (const auto at : lines) expect_safe(at);
      ASSERT_FALSE(HasFailure()) << "step " << step;
    }
  });
  // Each kind of state was there to be judged.
  EXPECT_GT(writers, 100u);
  EXPECT_GT(shared, 100u);
}

std::string name_of(const testing::TestParamInfo<Hierarchy>& tested) {
  const auto [protocol, inclusive] = tested.param;
  std::string name;
  for (const auto& entry : enum_names(protocol)) {
    if (entry.value == protocol) name = entry.name;
  }
  return name + (inclusive ? "_inclusive" : "_filter");
}

INSTANTIATE_TEST_SUITE_P(Invariants, MesiSafety,
                         ::testing::Values(Hierarchy{cache::Protocol::mesi, true},
                                           Hierarchy{cache::Protocol::mesif, true},
                                           Hierarchy{cache::Protocol::moesi, true},
                                           Hierarchy{cache::Protocol::mesi, false},
                                           Hierarchy{cache::Protocol::mesif, false},
                                           Hierarchy{cache::Protocol::moesi, false}),
                         name_of);

TEST_F(TwoCores, I37_EvictionFromAnInclusiveLastLevelLeavesNoCopy) {
  run([&] {
    for (const bool dirty : {true, false}) {
      start_absent();
      if (dirty) store(0, v);
      load(0);
      // 8 ways; core 1's own caches are as good as full with two of these.
      for (unsigned way = 1; way <= 8; ++way) {
        pair.core1.load<std::uint64_t>(address + std::uint64_t{way} * set_stride);
      }
      EXPECT_EQ(state(0), cache::State::invalid);
      EXPECT_EQ(memory(), filled(64, dirty ? v : m));
      device_write(false, d);
      EXPECT_EQ(load(0), filled(64, d));
    }
  });
}

class TwoCoresWithAFilter : public TwoCores {
 protected:
  static cache::Params caches() {
    auto params = MemorySystem::small_caches();
    params.llc.inclusive = false;
    params.filter = {.covers = 4_KiB, .ways = 1};  // 64 sets
    return params;
  }
  TwoCoresWithAFilter() : TwoCores{caches()} {}
};

TEST_F(TwoCoresWithAFilter, I38_LineThatTheFilterDropsLeavesTheCoreThatHoldsIt) {
  run([&] {
    for (const bool dirty : {true, false}) {
      start_absent();
      if (dirty) store(0, v);
      load(0);
      EXPECT_NE(state(0), cache::State::invalid);
      pair.core1.load<std::uint64_t>(address + 0x1000);  // the same set of the filter
      EXPECT_EQ(state(0), cache::State::invalid);
      EXPECT_EQ(load(1), filled(64, dirty ? v : m));
      EXPECT_EQ(load(0), filled(64, dirty ? v : m));
    }
  });
}

// Which lines are left is told by memory: a modified line that was pushed out is there.
TEST_F(TwoCores, I39_DeviceWriteMissesStayInTheirWays) {
  run([&] {
    unsigned set = 0;
    const auto expect_ways = [&](unsigned ways) {
      ++set;
      fill_set(set);
      for (unsigned n = 0; n < 32; ++n) device_write(true, d, in_set(set, 100 + n));
      EXPECT_EQ(in_memory(set, 0, 8, v), ways) << "lines of cores that were pushed out";
      EXPECT_EQ(in_memory(set, 100, 32, d), 32 - ways) << "lines of the device";
    };
    expect_ways(2);
    for (const unsigned mask : {0x1u, 0x82u, 0x7u}) {
      pair.core0.wrmsr(cpu::msr::iio_llc_ways, mask);
      expect_ways(static_cast<unsigned>(std::popcount(mask)));
    }
  });
}

TEST_F(TwoCores, I40_NoSnoopAccessesAllocateNothing) {
  run([&] {
    fill_set(1);
    for (unsigned n = 0; n < 32; ++n) {
      device_write(false, d, in_set(1, 100 + n));
      EXPECT_EQ(device_read(false, in_set(1, 200 + n)), filled(64, 0));
    }
    EXPECT_EQ(in_memory(1, 0, 8, v), 0u);  // nothing was pushed out
    EXPECT_EQ(in_memory(1, 100, 32, d), 32u);
    // A snooped read finds neither in a cache.
    const auto reads = system.memory.stats().reads.n;
    device_read(true, in_set(1, 131));
    device_read(true, in_set(1, 231));
    EXPECT_EQ(system.memory.stats().reads.n, reads + 2);
  });
}

// ---- 41 to 43: memory types ----

// The half of 41 that needs no EPT: MTRR WB, PAT UC.
TEST_F(Invariants, I41_StoreThroughAnUncachedMappingLeavesNoDirtyLine) {
  run([&] {
    start();
    make_absent();
    core(0).store(line, v(), cpu::PatIndex{3});  // UC after reset
    EXPECT_EQ(memory(), v());
    dma_write(true, d());
    EXPECT_EQ(load(), d());
    core(0).clflush(line);
    EXPECT_EQ(memory(), d());
  });
}

TEST_F(Invariants, I42_WriteCombiningStoreIsInMemoryAfterSfenceAndInNoCache) {
  run([&] {
    start();
    core(0).wrmsr(cpu::msr::pat, 0x0007'0406'0007'0106);  // entry 1: WC
    make_absent();
    const auto stored = v();
    core(0).store(line + 20, std::span{stored}.subspan(20, 8), cpu::PatIndex{1});
    core(0).sfence();
    EXPECT_EQ(memory(), merged(m(), v(), 20, 8));
    dma_write(true, d());
    EXPECT_EQ(load(), d());
  });
}

TEST_F(TwoCores, I42_WriteCombiningStoreMayWaitForTheFence) {
  run([&] {
    pair.core0.wrmsr(cpu::msr::pat, 0x0007'0406'0007'0106);
    start_absent();
    pair.core0.store<std::uint64_t>(address, 0x1234, cpu::PatIndex{1});
    sleep(1_us);
    EXPECT_EQ(memory(), filled(64, m));
    pair.core0.sfence();
    EXPECT_EQ(value_of(memory()), 0x1234u);
    EXPECT_EQ(state(0), cache::State::invalid);
  });
}

TEST_F(Invariants, I43_WithCachesDisabledNothingIsBroughtInAndWhatIsThereStays) {
  run([&] {
    start();
    make_dirty();
    core(0).disable_caches(true);
    EXPECT_EQ(memory(), m());
    core(0).wbinvd();
    EXPECT_EQ(memory(), v());
    EXPECT_EQ(load(), v());  // brings nothing in
    dma_write(true, d());
    EXPECT_EQ(load(), d());
    core(0).store(line, m());
    EXPECT_EQ(memory(), m());
    core(0).disable_caches(false);
    dma_write(true, d());
    EXPECT_EQ(load(), d());  // no copy from before
  });
}

}  // namespace
}  // namespace ioasim::test
