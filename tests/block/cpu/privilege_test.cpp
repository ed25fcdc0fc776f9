// What only the kernel may do, what nobody may, and what becomes of those who try; registers.
#include <gtest/gtest.h>

#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

using cache::State;
using test::raised;

constexpr auto gp = Exception::general_protection;
constexpr Hpa x{0x1'0000};

class PrivilegeTest : public test::CorePairBench {
 protected:
  static constexpr std::uint32_t known[] = {
      msr::mtrr_cap, msr::mtrr_phys_base0, msr::mtrr_phys_mask0, msr::mtrr_def_type,
      msr::pat,      msr::pasid,           msr::iio_llc_ways};

  // A write that faults, and leaves the register as it was.
  void expect_refused(std::uint32_t index, std::uint64_t value) {
    const auto before = core0.rdmsr(index);
    EXPECT_EQ(raised([&] { core0.wrmsr(index, value); }), gp) << std::hex << index << ' ' << value;
    EXPECT_EQ(core0.rdmsr(index), before);
  }
  void expect_taken(std::uint32_t index, std::uint64_t value) {
    EXPECT_EQ(raised([&] { core0.wrmsr(index, value); }), std::nullopt)
        << std::hex << index << ' ' << value;
    EXPECT_EQ(core0.rdmsr(index), value);
  }
};

// ---- privilege ----

TEST_F(PrivilegeTest, FlushesOfWholeCachesNeedTheKernel) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.mfence();
    core0.set_privilege(Privilege::user);
    const auto begin = now();
    EXPECT_EQ(raised([&] { core0.wbinvd(); }), gp);
    EXPECT_EQ(raised([&] { core0.wbnoinvd(); }), gp);
    EXPECT_EQ(raised([&] { core0.invd(); }), gp);
    EXPECT_EQ(now(), begin);
    EXPECT_EQ(state(0, x), State::modified);
    EXPECT_EQ(memory(x), 0u);
    EXPECT_EQ(core0.stats().faults.n, 3u);
    EXPECT_EQ(core0.stats().cache_flushes.n, 0u);
    core0.set_privilege(Privilege::supervisor);
    core0.wbnoinvd();
    EXPECT_EQ(memory(x), 5u);
  });
}

TEST_F(PrivilegeTest, RegistersNeedTheKernel) {
  run([&] {
    for (const auto index : known) {
      core0.set_privilege(Privilege::supervisor);
      const auto value = core0.rdmsr(index);
      core0.set_privilege(Privilege::user);
      EXPECT_EQ(raised([&] { core0.rdmsr(index); }), gp);
      EXPECT_EQ(raised([&] { core0.wrmsr(index, 0); }), gp);
      core0.set_privilege(Privilege::supervisor);
      EXPECT_EQ(core0.rdmsr(index), value);
    }
  });
}

TEST_F(PrivilegeTest, SwitchingCachesOffNeedsTheKernel) {
  run([&] {
    core0.set_privilege(Privilege::user);
    EXPECT_EQ(raised([&] { core0.disable_caches(true); }), gp);
    core0.load<std::uint64_t>(x);
    EXPECT_EQ(state(0, x), State::exclusive);
  });
}

TEST_F(PrivilegeTest, UserSoftwareLoadsStoresAndFlushesLines) {
  run([&] {
    core0.set_privilege(Privilege::user);
    EXPECT_EQ(core0.privilege(), Privilege::user);
    EXPECT_EQ(raised([&] {
                core0.store<std::uint64_t>(x, 5);
                core0.load<std::uint64_t>(x);
                core0.store_nt(x + 64, test::word(6));
                core0.lock_add(x, 1, 8);
                core0.prefetch(x);
                core0.clflush(x);
                core0.clflushopt(x);
                core0.clwb(x);
                core0.mfence();
                core0.sfence();
                core0.lfence();
                core0.write_uncached(device, 1, 4);
                core0.read_uncached(device, 4);
              }),
              std::nullopt);
    EXPECT_EQ(memory(x), 6u);
    EXPECT_EQ(core0.stats().faults.n, 0u);
  });
}

// ---- the flushes themselves ----

// Invariants 29 and 30.
TEST_F(PrivilegeTest, WbnoinvdKeepsLinesAndInvdLosesThem) {
  run([&] {
    core0.store<std::uint64_t>(x, 5);
    core0.wbnoinvd();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_EQ(state(0, x), State::exclusive);
    core0.store<std::uint64_t>(x, 6);
    core0.invd();
    EXPECT_FALSE(cached(x));
    EXPECT_EQ(core0.load<std::uint64_t>(x), 5u);
  });
}

// Set 0 has been scanned long before the older of the stores is visible.
TEST_F(PrivilegeTest, FlushOfWholeCachesIsSerialising) {
  run([&] {
    core0.store<std::uint64_t>(x + 0x1000, 4);
    core0.store<std::uint64_t>(x, 5);
    core0.clflushopt(x + 64);
    core0.wbinvd();
    EXPECT_EQ(memory(x), 5u);
    EXPECT_FALSE(cached(x));
  });
}

// 16 lines of level 2 and 1024 of the last level are scanned, at 1 ns each.
TEST_F(PrivilegeTest, InterruptDuringWbinvdIsTakenAfterIt) {
  at(10_ns, [&] { core0.interrupt(0x30); });
  at(50_ns, [&] { core0.interrupt(0x31); });
  run([&] {
    core0.wbinvd();
    const auto end = now();
    EXPECT_EQ(end, 1'040_ns);
    EXPECT_TRUE(core0.wait_for_interrupt(0x31));
    EXPECT_EQ(now(), end + 500_ns);
    EXPECT_TRUE(core0.wait_for_interrupt(0x30));
    EXPECT_EQ(core0.stats().interrupts.n, 2u);
  });
}

// ---- registers ----

TEST_F(PrivilegeTest, RegistersAfterReset) {
  run([&] {
    EXPECT_EQ(core0.rdmsr(0xfe), 0x40au);  // ten variable ranges, WC; no fixed ones
    EXPECT_EQ(core0.rdmsr(0x2ff), 0x806u);
    EXPECT_EQ(core0.rdmsr(0x277), 0x0007'0406'0007'0406u);
    EXPECT_EQ(core0.rdmsr(0xd93), 0u);
    EXPECT_EQ(core0.rdmsr(0xc8b), 0x3u);
    for (std::uint32_t index = 0x200; index < 0x214; ++index) EXPECT_EQ(core0.rdmsr(index), 0u);
  });
}

TEST_F(PrivilegeTest, UnknownRegistersFault) {
  run([&] {
    for (const std::uint32_t index : {0u, 0x1ffu, 0x214u, 0x276u, 0x278u, 0x2feu, 0x300u, 0xd92u,
                                      0xc8au, 0xc0000080u, 0xffffffffu}) {
      EXPECT_EQ(raised([&] { core0.rdmsr(index); }), gp) << std::hex << index;
      EXPECT_EQ(raised([&] { core0.wrmsr(index, 0); }), gp) << std::hex << index;
    }
    expect_refused(msr::mtrr_cap, 0x40a);  // read-only
  });
}

TEST_F(PrivilegeTest, PatTakesOnlyTypesThatExist) {
  run([&] {
    for (unsigned entry = 0; entry < 8; ++entry) {
      for (std::uint64_t code = 0; code < 256; ++code) {
        const auto value = (Pat::reset & ~(0xffull << 8 * entry)) | code << 8 * entry;
        const bool type = code < 8 && code != 2 && code != 3;
        EXPECT_EQ(raised([&] { core0.wrmsr(msr::pat, value); }),
                  type ? std::nullopt : std::optional{gp});
        if (type) {
          EXPECT_EQ(core0.rdmsr(msr::pat), value);
        }
      }
    }
  });
}

TEST_F(PrivilegeTest, MtrrsTakeOnlyTypesThatExist) {
  run([&] {
    for (std::uint64_t code = 0; code < 256; ++code) {
      const bool type = code < 7 && code != 2 && code != 3;  // UC- is the PAT's alone
      for (const auto index : {msr::mtrr_phys_base0, msr::mtrr_phys_base0 + 18u}) {
        type ? expect_taken(index, 0x10'0000 | code) : expect_refused(index, 0x10'0000 | code);
      }
      type ? expect_taken(msr::mtrr_def_type, 0x800 | code)
           : expect_refused(msr::mtrr_def_type, 0x800 | code);
    }
  });
}

TEST_F(PrivilegeTest, ReservedBitsFault) {
  run([&] {
    expect_refused(msr::mtrr_phys_base0, 0x106);       // bit 8
    expect_refused(msr::mtrr_phys_base0, 1ull << 52);  // beyond physical addresses
    expect_refused(msr::mtrr_phys_mask0, 0x400);       // below valid
    expect_refused(msr::mtrr_phys_mask0, 1ull << 63);
    expect_refused(msr::mtrr_def_type, 0x906);
    expect_refused(msr::pasid, 1ull << 20);
    expect_refused(msr::pasid, 1ull << 30);
    expect_refused(msr::pasid, 1ull << 32);
    expect_taken(msr::pasid, 0x800f'ffff);
  });
}

TEST_F(PrivilegeTest, RefusedWriteChangesNoType) {
  run([&] {
    EXPECT_EQ(raised([&] { core0.wrmsr(msr::pat, 0x2); }), gp);
    EXPECT_EQ(raised([&] { core0.wrmsr(msr::mtrr_def_type, 0x802); }), gp);
    core0.load<std::uint64_t>(x);
    EXPECT_EQ(state(0, x), State::exclusive);
  });
}

// ---- IIO_LLC_WAYS: where device writes may allocate ----

class IioWaysTest : public PrivilegeTest {
 protected:
  // Lines of one set, eight ways.
  static Hpa line(unsigned n) { return x + n * 0x2000; }
  // How many of so many lines that a device writes are in memory, and no longer in the cache.
  unsigned evicted(unsigned lines) {
    unsigned count = 0;
    for (unsigned n = 0; n < lines; ++n) {
      pair.system.device.origin.snoop = true;
      pair.system.device.write(line(n).value, test::filled(64, n + 1));
    }
    for (unsigned n = 0; n < lines; ++n) count += memory(line(n)) != 0;
    return count;
  }
};

TEST_F(IioWaysTest, DeviceWritesAllocateInTheWaysOfTheRegister) {
  run([&] {
    EXPECT_EQ(evicted(8), 6u);
    core0.wbinvd();
    core0.wrmsr(msr::iio_llc_ways, 0xf4);
    EXPECT_EQ(core1.rdmsr(msr::iio_llc_ways), 0xf4u);  // one for the socket
    for (unsigned n = 0; n < 8; ++n) {
      pair.system.device.debug_write(line(n).value, test::filled(64, 0));
    }
    EXPECT_EQ(evicted(8), 3u);
  });
}

TEST_F(IioWaysTest, WithoutWaysDeviceWritesGoToMemory) {
  run([&] {
    core0.wrmsr(msr::iio_llc_ways, 0);
    EXPECT_EQ(evicted(8), 8u);
    EXPECT_FALSE(in_shared_level(line(7)));
  });
}

TEST_F(IioWaysTest, WaysThatDoNotExistFault) {
  run([&] {
    expect_taken(msr::iio_llc_ways, 0xff);
    expect_refused(msr::iio_llc_ways, 0x100);
    expect_refused(msr::iio_llc_ways, 1ull << 32);
    core0.set_privilege(Privilege::user);
    EXPECT_EQ(raised([&] { core0.wrmsr(msr::iio_llc_ways, 1); }), gp);
    core0.set_privilege(Privilege::supervisor);
    EXPECT_EQ(core0.rdmsr(msr::iio_llc_ways), 0xffu);
  });
}

}  // namespace
}  // namespace ioasim::cpu
