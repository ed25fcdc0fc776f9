// 64-byte commands: MOVDIR64B, ENQCMD, ENQCMDS (hardware.md 3.6; SDM vol. 2).
#include <gtest/gtest.h>

#include <array>

#include "cache/oracle.hpp"
#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

using test::Data;
using test::pattern;
using test::raised;

constexpr Hpa x{0x1'0000};

class CommandsTest : public test::CorePairBench {
 protected:
  static constexpr std::array<unsigned, 5> unaligned{1, 8, 16, 32, 63};

  CommandsTest() {
    const auto bytes = pattern(64, 3);
    std::ranges::copy(bytes, own.begin());
  }
  Command command() const { return Command{own}; }
  void set_pasid(Core& core, std::uint64_t value) { core.wrmsr(msr::pasid, value); }
  // What a device must get: the command, its first word replaced.
  Data with_first_word(std::uint32_t word) const {
    Data bytes(own.begin(), own.end());
    std::memcpy(bytes.data(), &word, sizeof word);
    return bytes;
  }
  Data in_memory(Hpa at) const { return pair.system.in_memory(at.value, 64); }

  std::array<std::byte, 64> own{};
};

// ---- MOVDIR64B ----

TEST_F(CommandsTest, Movdir64bNeedsAMultipleOf64) {
  run([&] {
    for (const auto offset : unaligned) {
      EXPECT_EQ(raised([&] { core0.movdir64b(x + offset, command()); }),
                Exception::general_protection);
      EXPECT_EQ(raised([&] { core0.movdir64b(device + offset, command()); }),
                Exception::general_protection);
    }
    core0.sfence();
    EXPECT_EQ(in_memory(x), test::filled(64, 0));
    EXPECT_TRUE(registers.seen.empty());
    EXPECT_EQ(core0.stats().faults.n, 2 * unaligned.size());
  });
}

TEST_F(CommandsTest, Movdir64bToADeviceIsOnePostedWrite) {
  registers.latency = 10_us;
  run([&] {
    EXPECT_EQ(time_of([&] { core0.movdir64b(device, command()); }), cycle);
    own.fill(std::byte{0});  // it has been read
    core0.sfence();
    ASSERT_EQ(registers.seen.size(), 1u);
    EXPECT_EQ(registers.seen[0].at, reach_home);
    EXPECT_EQ(registers.seen[0].address, device.value);
    EXPECT_EQ(registers.seen[0].data, pattern(64, 3));
    EXPECT_EQ(registers.seen[0].tlp.kind, pcie::TlpKind::memory_write);
  });
}

TEST_F(CommandsTest, Movdir64bToMemoryIsInMemoryAfterAFenceAndNoCache) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);  // modified in its caches
    core1.load<std::uint64_t>(x);
    core0.mfence();
    core0.movdir64b(x, command());
    core0.sfence();
    EXPECT_EQ(in_memory(x), pattern(64, 3));
    EXPECT_FALSE(cached(x));
    EXPECT_FALSE(in_shared_level(x));
  });
}

TEST_F(CommandsTest, NobodySeesAPartOfAMovdir64b) {
  unsigned old = 0;
  unsigned whole = 0;
  for (unsigned n = 0; n < 100; ++n) {
    at(n * 1_ns, [&, this, n] {
      pair.system.device.origin.snoop = n % 2 == 0;
      const auto seen = pair.system.device.read(x.value, 64).data;
      if (seen == test::filled(64, 0)) ++old;
      if (seen == pattern(64, 3)) ++whole;
    });
  }
  run([&] {
    core0.execute(50_ns);
    core0.movdir64b(x, command());
  });
  EXPECT_GT(old, 0u);
  EXPECT_GT(whole, 0u);
  EXPECT_EQ(old + whole, 100u);
}

TEST_F(CommandsTest, Movdir64bIsWeaklyOrdered) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);  // misses
    core0.movdir64b(device, command());
    core0.execute(reach_home);
    EXPECT_EQ(registers.seen.size(), 1u);
    EXPECT_LT(now(), miss);
    core0.store<std::uint64_t>(x + 0x1000, 5);
    core0.sfence();
    core0.movdir64b(device, command());
    EXPECT_EQ(snooped(x + 0x1000), 5u);
  });
}

// A doorbell past stores that wait in write-combining buffers: a fence is missing. It rings when it
// leaves the core, and says nothing of stores that were executed after it.
TEST_F(CommandsTest, Movdir64bToADeviceIsADoorbell) {
  cache::Oracle oracle;
  bus.add(oracle);
  run([&] {
    core0.store_nt(x, test::word(7));
    core0.movdir64b(device, command());
    EXPECT_EQ(snooped(x), 0u);
    EXPECT_TRUE(oracle.stale_reads().empty());
    core0.execute(reach_home);
    EXPECT_EQ(snooped(x), 0u);
    ASSERT_EQ(oracle.stale_reads().size(), 1u);
    EXPECT_EQ(oracle.stale_reads()[0].missing, cache::Missing::fence_after_store);
    core0.movdir64b(device, command());
    core0.store_nt(x + 64, test::word(8));
    core0.execute(reach_home);
    EXPECT_EQ(snooped(x + 64), 0u);
    EXPECT_EQ(oracle.stale_reads().size(), 1u);
  });
  bus.remove(oracle);
}

TEST_F(CommandsTest, CoreSeesItsOwnMovdir64b) {
  run([&] {
    core0.load<std::uint64_t>(x);
    core0.movdir64b(x, command());
    EXPECT_EQ(core0.load<std::uint64_t>(x), test::value_of(pattern(8, 3)));
  });
}

// ---- ENQCMD ----

TEST_F(CommandsTest, EnqcmdCarriesThePasidOfItsRegister) {
  run([&] {
    set_pasid(core0, msr::pasid_valid | 0xabcde);
    own.fill(std::byte{0xff});  // PASID and PRIV of the command itself do not count
    EXPECT_TRUE(core0.enqcmd(device, command()));
    ASSERT_EQ(registers.seen.size(), 1u);
    EXPECT_EQ(registers.seen[0].data, with_first_word(0xabcde));
    EXPECT_EQ(registers.seen[0].address, device.value);
    EXPECT_EQ(registers.seen[0].tlp.kind, pcie::TlpKind::deferrable_write);
    EXPECT_EQ(core0.rdmsr(msr::pasid), msr::pasid_valid | 0xabcde);
  });
}

TEST_F(CommandsTest, EnqcmdNeedsAValidPasid) {
  run([&] {
    EXPECT_EQ(raised([&] { core0.enqcmd(device, command()); }), Exception::general_protection);
    set_pasid(core0, 5);  // not valid
    EXPECT_EQ(raised([&] { core0.enqcmd(device, command()); }), Exception::general_protection);
    set_pasid(core1, msr::pasid_valid | 5);  // another core's
    EXPECT_EQ(raised([&] { core0.enqcmd(device, command()); }), Exception::general_protection);
    EXPECT_TRUE(registers.seen.empty());
    EXPECT_TRUE(core1.enqcmd(device, command()));
  });
}

TEST_F(CommandsTest, EnqcmdIsForUserSoftware) {
  run([&] {
    set_pasid(core0, msr::pasid_valid | 5);
    core0.set_privilege(Privilege::user);
    EXPECT_TRUE(core0.enqcmd(device, command()));
    EXPECT_EQ(registers.seen.at(0).data, with_first_word(5));
  });
}

TEST_F(CommandsTest, EnqcmdsCarriesItsOwnPasidAndPrivilege) {
  run([&] {
    set_pasid(core0, msr::pasid_valid | 5);
    own.fill(std::byte{0x9a});
    EXPECT_TRUE(core0.enqcmds(device, command()));
    EXPECT_EQ(registers.seen.at(0).data, test::filled(64, 0x9a));
    EXPECT_EQ(registers.seen.at(0).tlp.kind, pcie::TlpKind::deferrable_write);
    set_pasid(core0, 0);  // it does not look at the register
    EXPECT_TRUE(core0.enqcmds(device, command()));
  });
}

TEST_F(CommandsTest, EnqcmdsIsForTheKernel) {
  run([&] {
    core0.set_privilege(Privilege::user);
    EXPECT_EQ(raised([&] { core0.enqcmds(device, command()); }), Exception::general_protection);
    EXPECT_TRUE(registers.seen.empty());
  });
}

TEST_F(CommandsTest, EnqcmdNeedsAMultipleOf64) {
  run([&] {
    set_pasid(core0, msr::pasid_valid | 5);
    for (const auto offset : unaligned) {
      EXPECT_EQ(raised([&] { core0.enqcmd(device + offset, command()); }),
                Exception::general_protection);
      EXPECT_EQ(raised([&] { core0.enqcmds(device + offset, command()); }),
                Exception::general_protection);
    }
    EXPECT_TRUE(registers.seen.empty());
  });
}

// ---- its answer ----

TEST_F(CommandsTest, EnqcmdWaitsForTheAnswer) {
  registers.latency = 300_ns;
  run([&] {
    const auto enqueue = [&] { EXPECT_TRUE(core0.enqcmds(device, command())); };
    EXPECT_EQ(time_of(enqueue), 300_ns);
    registers.defer = true;
    EXPECT_EQ(time_of(enqueue), 300_ns);
  });
}

TEST_F(CommandsTest, EnqcmdThatIsNotAcceptedIsToBeTriedAgain) {
  registers.broken = device.value;
  registers.latency = 300_ns;
  run([&] {
    EXPECT_EQ(time_of([&] { EXPECT_FALSE(core0.enqcmds(device, command())); }), 300_ns);
    registers.defer = true;
    EXPECT_FALSE(core0.enqcmds(device, command()));
    set_pasid(core0, msr::pasid_valid | 5);
    EXPECT_FALSE(core0.enqcmd(device, command()));
    registers.broken.reset();
    EXPECT_TRUE(core0.enqcmd(device, command()));
  });
}

TEST_F(CommandsTest, MemoryAcceptsNoEnqcmd) {
  run([&] {
    set_pasid(core0, msr::pasid_valid | 5);
    core0.store<std::uint64_t>(x, 7);
    EXPECT_FALSE(core0.enqcmd(x, command()));
    EXPECT_FALSE(core0.enqcmds(x, command()));
    core0.clflush(x);
    EXPECT_EQ(memory(x), 7u);
    EXPECT_EQ(memory(x + 8), 0u);
    EXPECT_TRUE(registers.seen.empty());
  });
}

TEST_F(CommandsTest, EnqcmdComesAfterEveryOlderStore) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.enqcmds(device, command());
    EXPECT_EQ(registers.seen.at(0).at, miss);
    EXPECT_EQ(snooped(x), 5u);
  });
}

}  // namespace
}  // namespace ioasim::cpu
