// In steady state a TLP costs no allocation: counted over a whole machine that copies.
//
// An executable of its own, because it stands in for malloc, which operator new calls.
#include <gtest/gtest.h>

#include <cstdlib>

#include "support/data.hpp"
#include "support/machine_bench.hpp"

namespace {

bool counting = false;
std::size_t allocations = 0;

}  // namespace

#ifdef __SANITIZE_ADDRESS__
constexpr bool replaced = false;  // the sanitizer has a malloc of its own
#else
constexpr bool replaced = true;

// The names that the GNU C library gives to its own, for those who replace them.
extern "C" void* __libc_malloc(std::size_t bytes);                           // NOLINT
extern "C" void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT

extern "C" void* malloc(std::size_t bytes) {
  allocations += counting;
  return __libc_malloc(bytes);
}

extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  allocations += counting;
  return __libc_memalign(alignment, bytes);
}
#endif

namespace ioasim {
namespace {

constexpr std::uint64_t source = 0x100'0000;
constexpr std::uint64_t target = 0x300'0000;
constexpr std::uint32_t bytes = 8u << 20;
constexpr Hpa windows{0xc000'0000};  // the engine's comes first

class Allocation : public test::MachineBench {
 protected:
  void SetUp() override {
    if (!replaced) GTEST_SKIP() << "allocations are not counted in this build";
  }
  // The count sees what is allocated.
  void expect_counted() {
    counting = true;
    const auto before = allocations;
    std::vector<std::byte> some(123);
    counting = false;
    EXPECT_EQ(some.size(), 123u);
    EXPECT_EQ(allocations, before + 1);
  }
  // A copy of 8 MiB is 16384 read requests and 32768 writes.
  void expect_none() {
    expect_counted();
    ASSERT_EQ(host.copy({.source = source, .target = target, .bytes = bytes}), 2u);
    // Each payload's buffer grows when it is first used for something larger.
    for (unsigned n = 0; n < 10; ++n) {
      ASSERT_EQ(host.copy({.source = source, .target = target, .bytes = 4096}), 2u);
    }
    allocations = 0;
    counting = true;
    const auto status = host.copy({.source = source, .target = target, .bytes = bytes});
    counting = false;
    ASSERT_EQ(status, 2u);
    EXPECT_EQ(allocations, 0u);
  }
  // Of the second of two rounds.
  template <class Round>
  void expect_none_of(Round round) {
    expect_counted();
    round();
    allocations = 0;
    counting = true;
    round();
    counting = false;
    EXPECT_EQ(allocations, 0u);
  }
};

TEST_F(Allocation, NoneWithoutTranslation) {
  run([&] {
    host.enable_engine();
    expect_none();
  });
}

TEST_F(Allocation, NoneWithTranslationThatMisses) {
  run([&] {
    host.enable_engine();
    host.tables.map(test::Machine::descriptors, test::Machine::descriptors);
    for (std::uint64_t offset = 0; offset < bytes; offset += page_bytes) {
      host.tables.map(source + offset, source + offset);
      host.tables.map(target + offset, target + offset);
    }
    host.enable_translation();
    expect_none();
  });
}

// Stores of every kind, to memory and to a device, and what orders them.
TEST_F(Allocation, NoneForWhatACoreStores) {
  run([&] {
    auto& core = host.core();
    const auto command = test::pattern(line_bytes, 3);
    const auto two_lines = test::pattern(2 * line_bytes, 3);
    const Hpa registers = windows + 0x800;  // the engine ignores them
    host.enable_engine();
    const auto round = [&] {
      for (std::uint64_t n = 0; n < 200; ++n) {
        const Hpa line{source + n * line_bytes};
        core.store<std::uint64_t>(line, n);
        core.clwb(line);
        core.store_nt(line + 0x10'0000, std::as_bytes(std::span{&n, 1}));
        core.store_nt(line + 0x20'0000, two_lines);
        core.movdir64b(line + 0x30'0000, cpu::Command{command});
        core.movdir64b(registers, cpu::Command{command});
        core.enqcmds(registers, cpu::Command{command});
        core.write_uncached(registers, n, 8);
        core.lock_add(line + 8, 1, 8);
        if (n % 2 == 0) core.sfence();
      }
    };
    expect_none_of(round);
  });
}

TEST_F(Allocation, NoneWhileInvalidating) {
  run([&] {
    host.enable_engine();
    for (const auto at : {test::Machine::descriptors, source, target}) host.tables.map(at, at);
    host.enable_translation();
    const auto round = [&] {
      for (unsigned n = 0; n < 100; ++n) {
        ASSERT_EQ(host.copy({.source = source, .target = target, .bytes = 4096}), 2u);
        host.invalidate();
      }
    };
    expect_none_of(round);
  });
}

}  // namespace
}  // namespace ioasim
