// A whole machine: what the engine does to its caches and memory, and how it meets errors.
#include <gtest/gtest.h>

#include "support/data.hpp"
#include "support/machine_bench.hpp"

namespace ioasim {
namespace {

using devices::DmaDescriptor;
using test::filled;
namespace vtd = test::vtd;

constexpr std::uint64_t source = 0x100'0000;
constexpr std::uint64_t target = 0x200'0000;
constexpr std::uint64_t done = 2;
constexpr std::uint64_t halted = 3;
constexpr auto rw = vtd::read | vtd::write;

class Engine : public test::MachineBench {
 public:
  void interrupt(int) { host.core().interrupt(0x99); }

 protected:
  void store(std::uint64_t address, unsigned value) {
    host.core().store(Hpa{address}, filled(64, value));
  }
  unsigned load(std::uint64_t address) { return host.core().load<std::uint8_t>(Hpa{address}); }
  void flush(std::uint64_t address) { host.core().clflush(Hpa{address}); }
  void start(std::uint64_t flags = rw, vtd::PasidEntry pasid = {}) {
    host.enable_engine();
    host.tables.map(test::Machine::descriptors, test::Machine::descriptors);
    host.tables.map(source, source, flags);
    host.tables.map(target, target, flags);
    host.enable_translation(pasid);
    store(source, 0x11);
    flush(source);
    store(source, 0x22);  // modified over 0x11 in memory
  }
  std::uint64_t copy(std::uint32_t flags) {
    return host.copy({.source = source, .target = target, .bytes = 64, .flags = flags});
  }
};

// Invariants 1 and 2, with data: the whole way from the descriptor's flag to what is read.
TEST_F(Engine, NoSnoopReadSeesOldMemory) {
  run([&] {
    start();
    EXPECT_EQ(copy(DmaDescriptor::source_no_snoop), done);
    EXPECT_EQ(load(target), 0x11u);
    EXPECT_EQ(copy(0), done);
    EXPECT_EQ(load(target), 0x22u);
  });
}

TEST_F(Engine, ForcedSnoopReadSeesTheCache) {
  run([&] {
    start(rw | vtd::snoop);
    EXPECT_EQ(copy(DmaDescriptor::source_no_snoop), done);
    EXPECT_EQ(load(target), 0x22u);
  });
}

TEST_F(Engine, NoSnoopWriteLeavesAStaleCopy) {
  run([&] {
    start();
    store(target, 0x33);
    flush(target);
    EXPECT_EQ(load(target), 0x33u);
    EXPECT_EQ(copy(DmaDescriptor::target_no_snoop), done);
    EXPECT_EQ(load(target), 0x33u);
    flush(target);
    EXPECT_EQ(load(target), 0x22u);
  });
}

// An error halts the engine; it says where, and goes on when started again.
TEST_F(Engine, UnmappedSourceHaltsIt) {
  run([&] {
    start();
    EXPECT_EQ(host.copy({.source = 0x777'0000, .target = target, .bytes = 4096}), halted);
    EXPECT_EQ(copy(0), done);
    EXPECT_EQ(load(target), 0x22u);
  });
}

TEST_F(Engine, UnmappedDescriptorHaltsIt) {
  run([&] {
    start();
    host.tables.unmap(test::Machine::descriptors);
    host.invalidate();
    EXPECT_EQ(copy(0), halted);
  });
}

// A write is posted: the engine cannot know that it was dropped.
TEST_F(Engine, UnmappedTargetIsDroppedInSilence) {
  run([&] {
    start();
    store(target, 0x33);
    host.tables.unmap(target);
    host.invalidate();
    EXPECT_EQ(copy(0), done);
    EXPECT_EQ(load(target), 0x33u);
  });
}

TEST_F(Engine, SourceOutsideMemoryHaltsIt) {
  run([&] {
    host.enable_engine();
    EXPECT_EQ(host.copy({.source = 0xd000'0000, .target = target, .bytes = 64}), halted);
  });
}

// An interrupt while the core reads a register does not end the read early.
TEST_F(Engine, RegisterReadTakesTheSameDuringInterrupts) {
  run([&] {
    host.enable_engine();
    const auto unit = host.firmware.ecam.base + host.machine.device_id("dma0").value * page_bytes;
    const auto time_of_read = [&] {
      const auto begin = host.now();
      EXPECT_EQ(host.core().read_uncached(unit, 2), 0x1af5u);
      return host.now() - begin;
    };
    const auto undisturbed = time_of_read();
    for (Picoseconds early{}; early < undisturbed; early += 40_ns) {
      host.machine.clock().at<&Engine::interrupt>(host.now() + early, this, 0);
    }
    EXPECT_EQ(time_of_read(), undisturbed);
  });
}

}  // namespace
}  // namespace ioasim
