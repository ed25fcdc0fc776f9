// What torture found, each as the few operations that it takes.
#include "support/core_pair.hpp"

namespace ioasim::test {
namespace {

// The second line's store displaces the first from the only write-combining buffer; it is on its
// way to the home agent, and in no buffer, when its line is read or written.
class DisplacedStore : public CorePairBench {
 protected:
  static cpu::Params one_buffer() {
    auto params = CorePair::simple_core();
    params.write_combining_buffers = 1;
    return params;
  }

  DisplacedStore() : CorePairBench{one_buffer()} {}

  cpu::Core& core = core0;
};

TEST_F(DisplacedStore, IsSeenByALoadThatHits) {
  std::uint64_t seen = 0;
  run([&] {
    core.load<std::uint64_t>(Hpa{0x1000});
    core.store_nt(Hpa{0x1000}, word(7));
    core.store_nt(Hpa{0x2000}, word(8));
    seen = core.load<std::uint64_t>(Hpa{0x1000});
  });
  EXPECT_EQ(seen, 7u);
}

TEST_F(DisplacedStore, DoesNotOverwriteALaterStore) {
  std::uint64_t seen = 0;
  run([&] {
    core.store<std::uint64_t>(Hpa{0x1000}, 1);
    core.mfence();
    core.store_nt(Hpa{0x1000}, word(7));
    core.store_nt(Hpa{0x2000}, word(8));
    core.store<std::uint64_t>(Hpa{0x1000}, 9);
    core.mfence();
    seen = core.load<std::uint64_t>(Hpa{0x1000});
  });
  EXPECT_EQ(seen, 9u);
}

// One miss at a time: the first read has it until 64 ns, the second waits for it from 1 ns on, and
// the third comes as it becomes free.
class OneMiss : public Bench {
 protected:
  static cache::Params one_miss() {
    auto params = MemorySystem::small_caches();
    params.llc.misses = 1;
    return params;
  }

  MemorySystem system{clock, bus, one_miss()};
};

TEST_F(OneMiss, GoesToWhoeverWaitsAndNotToWhoeverComes) {
  const Request* waits = nullptr;
  const Request* comes = nullptr;
  at(64_ns, [&] { comes = &system.other.read(0x3000, 64); });
  at(1_ns, [&] { waits = &system.device.read(0x2000, 64); });
  run([&] { system.device.read(0x1000, 64); });
  EXPECT_LT(waits->done_at, comes->done_at);
}

}  // namespace
}  // namespace ioasim::test
