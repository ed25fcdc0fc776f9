// How long a translation takes, exactly, and how many walks there are at once.
#include <gtest/gtest.h>

#include "support/iommu_bench.hpp"

namespace ioasim::iommu {
namespace {

using test::filled;
using test::Request;
namespace vtd = test::vtd;

constexpr std::uint64_t iova = 0x1234'5678'9000;
constexpr std::uint64_t page = 0x77'7000;

class Translation : public test::IommuBench {
 protected:
  explicit Translation(const Params& params = simple()) : IommuBench{params} {}

  Picoseconds time_of_read(std::uint64_t from) {
    const auto begin = now();
    return read(from).done_at - begin;
  }
};

TEST_F(Translation, ColdWalkReadsEveryStructureAndLevel) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    memory.put(page + 0x10, 0xabcd);
    const Request& got = read(iova + 0x10, 8);
    EXPECT_TRUE(got.ok());
    EXPECT_EQ(got.value(), 0xabcdu);
    EXPECT_EQ(got.done_at, lookup + cold_steps * step + memory_latency);
    EXPECT_EQ(walk_reads(), cold_steps);
    const auto reads = memory.seen_by(1);
    const std::vector<std::uint64_t> expected{tables.root_entry(),       tables.context_entry(),
                                              tables.directory_entry(0), tables.pasid_entry(0),
                                              tables.entry(iova, 4),     tables.entry(iova, 3),
                                              tables.entry(iova, 2),     tables.entry(iova, 1)};
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(reads[i].address, expected[i]);
  });
}

TEST_F(Translation, HitTakesTheLookup) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    read(iova);
    EXPECT_EQ(time_of_read(iova + 0xfc0), lookup + memory_latency);
    EXPECT_EQ(walk_reads(), cold_steps);
  });
}

TEST_F(Translation, NeighbourPageReadsItsLastLevelOnly) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    tables.map(iova + 0x1000, page + 0x8000);
    read(iova);
    EXPECT_EQ(time_of_read(iova + 0x1000), lookup + step + memory_latency);
    EXPECT_EQ(target(), page + 0x8000);
  });
}

TEST_F(Translation, UpperLevelsAreCachedSeparately) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    tables.map(iova + (1ull << 21), page);
    tables.map(iova + (1ull << 30), page);
    tables.map(iova + (1ull << 39), page);
    read(iova);
    EXPECT_EQ(time_of_read(iova + (1ull << 21)), lookup + 2 * step + memory_latency);
    EXPECT_EQ(time_of_read(iova + (1ull << 30)), lookup + 3 * step + memory_latency);
    EXPECT_EQ(time_of_read(iova + (1ull << 39)), lookup + 4 * step + memory_latency);
  });
}

TEST_F(Translation, RequestsForOnePageShareAWalk) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    const Request& first = device.read(iova, 64);
    const Request& second = device.read(iova + 64, 64, 300_ns);
    sleep(20_us);
    EXPECT_EQ(first.done_at, lookup + cold_steps * step + memory_latency);
    EXPECT_EQ(second.done_at, first.done_at);
    EXPECT_EQ(walk_reads(), cold_steps);
  });
}

TEST_F(Translation, WalksOverlapAsFarAsThereAreWalkers) {
  run([&] {
    enable_default();
    for (unsigned n = 0; n < 4; ++n) tables.map(iova + n * 0x1000, page + n * 0x1000);
    tables.map(iova + 0x10000, page);
    read(iova + 0x10000);
    sleep_until(100_us);
    std::vector<const Request*> reads;
    for (unsigned n = 0; n < 4; ++n) reads.push_back(&device.read(iova + n * 0x1000, 64));
    sleep(20_us);
    // Two walkers, one step each.
    EXPECT_EQ(reads[0]->done_at, 100_us + lookup + step + memory_latency);
    EXPECT_EQ(reads[1]->done_at, 100_us + lookup + step + memory_latency);
    EXPECT_EQ(reads[2]->done_at, 100_us + lookup + 2 * step + memory_latency);
    EXPECT_EQ(reads[3]->done_at, 100_us + lookup + 2 * step + memory_latency);
  });
}

TEST_F(Translation, LargePagesAreOneEntry) {
  run([&] {
    enable_default();
    constexpr std::uint64_t two_mib = 0x4000'0000;
    constexpr std::uint64_t one_gib = 0x80'0000'0000;
    tables.map(two_mib, 0x60'0000, vtd::read | vtd::write, 2);
    tables.map(one_gib, 0x4000'0000, vtd::read | vtd::write, 3);
    EXPECT_EQ(time_of_read(two_mib + 0x12'3440), lookup + 7 * step + memory_latency);
    EXPECT_EQ(target(), 0x60'0000u + 0x12'3440);
    EXPECT_EQ(time_of_read(two_mib + 0x1f'ffc0), lookup + memory_latency);
    EXPECT_EQ(target(), 0x60'0000u + 0x1f'ffc0);
    EXPECT_EQ(time_of_read(one_gib + 0x3fff'ffc0), lookup + 2 * step + memory_latency);
    EXPECT_EQ(target(), 0x4000'0000u + 0x3fff'ffc0);
    EXPECT_EQ(time_of_read(one_gib), lookup + memory_latency);
  });
}

TEST_F(Translation, RidPasidAndPasidOfTheRequestLeadToTheirOwnTables) {
  run([&] {
    enable_default({}, {.rid_pasid = 5});
    // PASID 5 for requests without; PASID 70 is in another directory entry.
    tables.put_pasid({.domain = 1}, 5);
    memory.put(tables.directory_entry(70), (tables.pasid_entry(0)) | 1);
    tables.put_pasid({.pgtt = 4, .domain = 2}, 70);
    tables.map(iova, page);
    read(iova);
    EXPECT_EQ(target(), page);
    device.tlp.has_pasid = true;
    device.tlp.pasid = {70};
    read(0x5000);
    EXPECT_EQ(target(), 0x5000u);  // pass-through
  });
}

TEST_F(Translation, PassThroughHitTakesTheLookup) {
  run([&] {
    enable_default({.pgtt = 4});
    EXPECT_EQ(time_of_read(0x5040), lookup + 4 * step + memory_latency);
    EXPECT_EQ(time_of_read(0x9990), lookup + memory_latency);
    EXPECT_EQ(target(), 0x9990u);
  });
}

TEST_F(Translation, UpperHalfOfABusHasItsOwnTable) {
  run([&] {
    constexpr std::uint16_t upper = 0x01f9;
    vtd::Tables other{[&](std::uint64_t a, std::uint64_t v) { memory.put(a, v); }, upper};
    other.build({}, {.pgtt = 4});
    enable(other.root());
    device.tlp.requester = {upper};
    EXPECT_TRUE(read(0x7000).ok());
    EXPECT_EQ(memory.seen_by(1)[0].address & ~7ull, other.root() + 16);
    EXPECT_EQ(memory.seen_by(1)[1].address, other.context_entry());
  });
}

TEST_F(Translation, OffMeansIdentity) {
  run([&] {
    EXPECT_EQ(time_of_read(iova), lookup + memory_latency);
    EXPECT_EQ(target(), iova);
    EXPECT_EQ(walk_reads(), 0u);
  });
}

// Invariants 47 and 45/46 in small: who is snooped on the way.
TEST_F(Translation, StructureReadsAreSnoopedAsTheCapabilitiesSay) {
  run([&] {
    enable_default({.walk_snoop = false});
    tables.map(iova, page);
    read(iova);
    const auto reads = memory.seen_by(1);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(reads[i].snoop) << i;
    for (std::size_t i = 4; i < 8; ++i) EXPECT_FALSE(reads[i].snoop) << i;
  });
}

TEST_F(Translation, PageWalkSnoop) {
  run([&] {
    enable_default({.walk_snoop = true});
    tables.map(iova, page);
    read(iova);
    for (const auto& entry : memory.seen_by(1)) EXPECT_TRUE(entry.snoop);
  });
}

class Incoherent : public Translation {
 protected:
  static Params params() {
    auto incoherent = simple();
    incoherent.coherent = incoherent.walk_coherent = incoherent.snoop_control = false;
    return incoherent;
  }
  Incoherent() : Translation{params()} {}
};

TEST_F(Incoherent, NothingIsSnooped) {
  run([&] {
    enable_default({.walk_snoop = false});
    tables.map(iova, page);
    read(iova);
    for (const auto& entry : memory.seen_by(1)) EXPECT_FALSE(entry.snoop);
    EXPECT_EQ(get(0x10) & 1, 0u);        // ECAP.C
    EXPECT_EQ(get(0x10) >> 7 & 1, 0u);   // SC
    EXPECT_EQ(get(0x10) >> 48 & 1, 0u);  // SMPWCS
  });
}

// ---- registers ----

TEST_F(Translation, RegisterAccessTakesItsTime) {
  run([&] {
    const Request& read = cores.read(0x08, 8);
    sleep(1_us);
    EXPECT_EQ(read.done_at, register_access);
    EXPECT_EQ(read.value() >> 40 & 0xff, 3u);   // NFR: four records
    EXPECT_EQ(read.value() >> 16 & 0x3f, 47u);  // MGAW
    EXPECT_NE(read.value() & 1ull << 39, 0u);   // PSI
    EXPECT_NE(read.value() & 1ull << 54, 0u);   // DWD
  });
}

TEST_F(Translation, GlobalStatusFollowsTheCommands) {
  run([&] {
    EXPECT_EQ(get(0x1c, 4), 0u);
    set(0x18, 1u << 30, 4);
    EXPECT_EQ(get(0x1c, 4), 1u << 30);
    set(0x18, 1u << 31 | 1u << 26, 4);
    EXPECT_EQ(get(0x1c, 4), 1u << 31 | 1u << 30 | 1u << 26);
    set(0x18, 0, 4);
    EXPECT_EQ(get(0x1c, 4), 1u << 30);
  });
}

TEST_F(Translation, BackDoorTranslatesByTheCaches) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    test::Data data(8);
    EXPECT_EQ(device.debug_read(iova, data), 0u);
    read(iova);
    memory.put(page + 8, 0x99);
    EXPECT_EQ(device.debug_read(iova + 8, data), 8u);
    EXPECT_EQ(test::value_of(data), 0x99u);
  });
}

}  // namespace
}  // namespace ioasim::iommu
