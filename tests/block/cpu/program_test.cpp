// Random programs of all instructions on two cores, with a device beside them: what must hold
// whatever they do.
#include <gtest/gtest.h>

#include <array>

#include "base/prng.hpp"
#include "cache/oracle.hpp"
#include "support/core_pair.hpp"
#include "support/forked.hpp"
#include "trace/hash_sink.hpp"

namespace ioasim::cpu {
namespace {

using test::Data;

constexpr Hpa base{0x1'0000};
constexpr std::uint64_t bytes = 2'048;  // more than the private caches hold
constexpr unsigned steps = 1'500;

class Program : public test::CorePairBench {
 public:
  Program(std::uint64_t seed, const sim::ClockworkParams& params,
          const cache::Params& caches = test::MemorySystem::small_caches())
      : CorePairBench{test::CorePair::small_core(), caches, params}, seed_{seed} {}

 protected:
  void TestBody() override {}
  Prng random(std::string_view name) const { return Prng{seed_, name}; }

  void begin(Core& core) {
    set_pat(core);
    core.wrmsr(msr::pasid, msr::pasid_valid | 5);
  }
  static PatIndex some_pat(Prng& random) {
    return {static_cast<std::uint8_t>(random.one_in(3) ? random.between(0, 5) : 0)};
  }
  // What neither reads nor changes a value in memory.
  void beside(Core& core, Hpa at, Prng& random) {
    const std::array<std::byte, line_bytes> command{};
    switch (random.between(0, 15)) {
      case 0:
        return core.prefetch(at, random.one_in(2));
      case 1:
        return core.clflush(at);
      case 2:
        return core.clflushopt(at);
      case 3:
        return core.clwb(at);
      case 4:
        return random.one_in(8) ? core.wbinvd() : core.clwb(at);
      case 5:
        return random.one_in(8) ? core.wbnoinvd() : core.clflushopt(at);
      case 6:
        return core.mfence();
      case 7:
        return core.sfence();
      case 8:
        return core.lfence();
      case 9:
        return void(core.read_uncached(device, 4));
      case 10:
        return core.write_uncached(device, random.next(), 4);
      case 11:
        return core.movdir64b(device, Command{command});
      case 12:
        return void(core.enqcmd(device, Command{command}));
      case 13:
        return void(core.enqcmds(random.one_in(2) ? device : at.line_base(), Command{command}));
      case 14:
        return core.disable_caches(random.one_in(2));
      default:
        return void(core.wait_for_interrupt(0x30, 50_ns));
    }
  }

  std::uint64_t seed_;
};

// ---- run-ahead and step mode ----

class AnyProgram final : public Program {
 public:
  using Program::Program;

  // A number for all that could be observed.
  std::string play() {
    trace::HashSink hash;
    bus.add(hash);
    registers.latency = 300_ns;
    registers.defer = seed_ % 2 == 0;
    unsigned finished = 0;
    const auto program = [&](Core& core, std::string_view name) {
      auto numbers = random(name);
      begin(core);
      for (unsigned n = 0; n < steps; ++n) step(core, numbers);
      core.mfence();
      ++finished;
    };
    also([&] { program(core1, "core1"); });
    also([&] {
      auto numbers = random("device");
      for (unsigned n = 0; n < steps / 2; ++n) device_access(numbers, n);
      ++finished;
    });
    run([&] { program(core0, "core0"); });
    bus.remove(hash);
    return fmt::format("{} finished, {} events, {:x}", finished, hash.events(), hash.hash());
  }

 private:
  static Hpa somewhere(Prng& numbers) { return base + numbers.between(0, bytes - 128); }

  void step(Core& core, Prng& numbers) {
    const Hpa at = somewhere(numbers);
    const auto pat = some_pat(numbers);
    auto data = test::pattern(numbers.between(1, 100), static_cast<unsigned>(numbers.next() % 256));
    const auto size = 1u << numbers.between(0, 3);
    const std::array<std::byte, line_bytes> command{};
    switch (numbers.between(0, 15)) {
      case 0:
        return core.store_nt(at, data, pat);
      case 1:
        return void(core.lock_add(at, 3, size));
      case 2:
        return void(core.lock_exchange(at, 9, size));
      case 3:
        return void(core.lock_compare_exchange(at, 9, 4, size));
      case 4:
        return core.movdir64b(at.line_base(), Command{command});
      case 5:
        return numbers.one_in(8) ? core.invd() : core.execute(7_ns);
      case 6:
      case 7:
      case 8:
        return core.store(at, data, pat);
      case 9:
      case 10:
      case 11:
        return core.load(at, data, pat);
      default:
        return beside(core, at, numbers);
    }
  }

  void device_access(Prng& numbers, unsigned n) {
    pair.system.device.origin.snoop = numbers.one_in(2);
    const auto at = somewhere(numbers).value;
    if (numbers.one_in(2)) {
      pair.system.device.read(at, 16);
    } else {
      pair.system.device.write(at, test::pattern(16, n));
    }
    if (numbers.one_in(9)) core1.interrupt(0x30);
    sleep(Picoseconds{static_cast<std::int64_t>(numbers.between(1, 90'000))});
  }
};

class StepMode : public ::testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, StepMode, ::testing::Range<std::uint64_t>(1, 7));

TEST_P(StepMode, HasTheTraceOfRunAhead) {
  const auto play = [](bool run_ahead) {
    return test::in_fork([=] { return AnyProgram{GetParam(), {.run_ahead = run_ahead}}.play(); });
  };
  const auto ahead = play(true);
  const auto stepped = play(false);
  ASSERT_TRUE(ahead.ok()) << ahead.why();
  ASSERT_TRUE(stepped.ok()) << stepped.why();
  EXPECT_EQ(ahead.text, stepped.text);
  EXPECT_EQ(ahead.text.find("3 finished"), 0u) << ahead.text;
}

// ---- values ----

// Two cores and a device, each with words of its own in lines that they share. All types by PAT,
// which self-snoop keeps coherent.
class OwnWords : public Program, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  OwnWords() : Program{GetParam(), {}, caches(GetParam())} {}

  static cache::Params caches(std::uint64_t seed) {
    auto params = test::MemorySystem::small_caches();
    params.protocol = static_cast<cache::Protocol>(seed % 3);
    params.llc.inclusive = seed % 2 == 0;
    params.filter = {.covers = 4_KiB, .ways = 4};
    return params;
  }

  // Bytes 16 * owner to 16 * owner + 16 of every 64 belong to an owner.
  static constexpr std::uint64_t own_bytes = 16;
  static Hpa own(std::uint64_t line, unsigned owner) {
    return base + line * line_bytes + owner * own_bytes;
  }
  using Words = std::array<std::byte, bytes / line_bytes * own_bytes>;

  void program(Core& core) {
    auto numbers = random(core.number() == 0 ? "core0" : "core1");
    begin(core);
    Words words{};
    for (unsigned n = 0; n < steps && !HasFailure(); ++n) step(core, words, numbers, n);
    core.disable_caches(false);
    core.mfence();
    core.wbinvd();
    for (std::uint64_t line = 0; line < bytes / line_bytes; ++line) {
      const std::span expected{words.data() + line * own_bytes, own_bytes};
      Data visible(own_bytes);
      pair.system.device.debug_read(own(line, core.number()).value, visible);
      EXPECT_TRUE(std::ranges::equal(visible, expected)) << "line " << line;
    }
  }

  void step(Core& core, Words& words, Prng& numbers, unsigned n) {
    const auto line = numbers.between(0, bytes / line_bytes - 1);
    const auto offset = numbers.between(0, own_bytes - 1);
    const auto size = numbers.between(1, own_bytes - offset);
    const Hpa at = own(line, core.number()) + offset;
    const std::span expected{words.data() + line * own_bytes + offset, size};
    const auto pat = some_pat(numbers);
    switch (numbers.between(0, 9)) {
      case 0:
      case 1:
      case 2: {
        const auto data = test::pattern(size, static_cast<unsigned>(numbers.next() % 256));
        std::ranges::copy(data, expected.begin());
        return numbers.one_in(4) ? core.store_nt(at, data, pat) : core.store(at, data, pat);
      }
      case 3:
        return add(core, at, expected, numbers.next());
      case 4:
      case 5:
      case 6:
      case 7: {
        Data got(size);
        core.load(at, got, pat);
        EXPECT_TRUE(std::ranges::equal(got, expected))
            << "core " << core.number() << ", step " << n << ", line " << line;
        return;
      }
      default:
        return beside(core, at, numbers);
    }
  }

  static void add(Core& core, Hpa at, std::span<std::byte> expected, std::uint64_t value) {
    const unsigned size = expected.size() < 4 ? 1 : expected.size() < 8 ? 4 : 8;
    std::uint64_t old = 0;
    std::memcpy(&old, expected.data(), size);
    EXPECT_EQ(core.lock_add(at, value, size), old);
    old += value;
    std::memcpy(expected.data(), &old, size);
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, OwnWords, ::testing::Range<std::uint64_t>(1, 13));

TEST_P(OwnWords, AreReadAsTheyWereWrittenLast) {
  cache::Oracle oracle;
  bus.add(oracle);
  also([&] { program(core1); });
  also([&] {
    auto numbers = random("device");
    for (unsigned n = 0; n < steps; ++n) {
      const auto at = own(numbers.between(0, bytes / line_bytes - 1), 2).value;
      const auto data = test::pattern(own_bytes, n);
      pair.system.device.write(at, data);
      EXPECT_EQ(pair.system.other.read(at, own_bytes).data, data);
      if (numbers.one_in(9)) core1.interrupt(0x30);
      sleep(Picoseconds{static_cast<std::int64_t>(numbers.between(1, 40'000))});
    }
  });
  run([&] { program(core0); });
  for (const auto& stale : oracle.stale_reads()) {
    EXPECT_EQ(stale.missing, cache::Missing::fence_after_store) << stale.text();
  }
  for (std::uint64_t line = 0; line < bytes / line_bytes; ++line) {
    EXPECT_EQ(pair.system.home.breach(own(line, 0).line()), "");
  }
  bus.remove(oracle);
}

}  // namespace
}  // namespace ioasim::cpu
