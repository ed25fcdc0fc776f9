#include "cache/oracle.hpp"

#include <gmock/gmock.h>

#include <map>
#include <set>
#include <tuple>

#include "base/prng.hpp"

namespace ioasim::cache {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using trace::Agent;

constexpr auto device_id = RequesterId::of(1, 0, 0);

Party core(std::uint32_t number) { return {Agent::core, number, true, {}}; }
Party device(bool snooped) { return {Agent::device, device_id.value, snooped, {}}; }

// Feeds the oracle as the bus does.
class OracleTest : public testing::Test {
 protected:
  using Values = std::vector<unsigned>;

  static std::vector<std::byte> data(const Values& values) {
    std::vector<std::byte> bytes;
    for (const auto value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
  }
  void write(const Party& who, std::uint64_t address, const Values& values) {
    const auto bytes = data(values);
    oracle.on(now, trace::MemoryWrite{who.agent, who.who, Hpa{address}, bytes, who.snooped});
  }
  void read(const Party& who, std::uint64_t address, const Values& values) {
    const auto bytes = data(values);
    oracle.on(now, trace::MemoryRead{who.agent, who.who, Hpa{address}, bytes, who.snooped});
  }
  const StaleRead& only() const {
    EXPECT_THAT(oracle.stale_reads(), SizeIs(1));
    return oracle.stale_reads().at(0);
  }

  Oracle oracle;
  Picoseconds now{};
};

TEST_F(OracleTest, NothingToSayWhileEveryoneSeesTheNewest) {
  read(core(0), 0x1000, {0, 0, 0, 0});
  write(core(0), 0x1000, {1, 2});
  read(device(false), 0x1000, {1, 2, 0, 0});
  write(device(false), 0x1001, {3});
  read(core(1), 0x1000, {1, 3});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
}

// Invariant 2: the newest value is dirty in a cache and a No Snoop read returns memory.
TEST_F(OracleTest, ADeviceThatReadsPastADirtyLineIsStale) {
  now = 10_ns;
  write(core(1), 0x1000, {0xab, 0xcd});
  now = 12'500_ps;
  read(device(false), 0x1000, {0, 0});
  const auto& stale = only();
  EXPECT_EQ(stale.reader, (Party{Agent::device, device_id.value, false, 12'500_ps}));
  EXPECT_EQ(stale.writer, (Party{Agent::core, 1, true, 10_ns}));
  EXPECT_EQ(stale.address, Hpa{0x1000});
  EXPECT_EQ(stale.bytes, 2u);
  EXPECT_EQ(stale.got, std::byte{0});
  EXPECT_EQ(stale.newest, std::byte{0xab});
}

// Invariant 11: a No Snoop write leaves the clean cached copy behind.
TEST_F(OracleTest, ACoreThatReadsAStaleCleanLineIsStale) {
  write(core(0), 0x2000, {1});
  now = 5_ns;
  write(device(false), 0x2000, {2});
  now = 9_ns;
  read(core(0), 0x2000, {1});
  EXPECT_EQ(only().writer, (Party{Agent::device, device_id.value, false, 5_ns}));
  EXPECT_EQ(only().got, std::byte{1});
  EXPECT_EQ(only().newest, std::byte{2});
}

// Invariants 12 and 13: the write-back of a dirty line buries the bytes of a No Snoop write; who
// reads memory afterwards gets the cached copy.
TEST_F(OracleTest, ALostWriteShowsWhenSomeoneReads) {
  write(core(0), 0x3000, {1, 1, 1, 1, 1, 1, 1, 1});
  write(device(false), 0x3002, {2, 2, 2, 2});
  read(device(false), 0x3000, {1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_EQ(only().address, Hpa{0x3002});
  EXPECT_EQ(only().bytes, 4u);
  EXPECT_EQ(only().got, std::byte{1});
  EXPECT_EQ(only().newest, std::byte{2});
  EXPECT_THAT(only().text(), HasSubstr("overwritten"));
}

// Another core's bytes of the same line may be old as far as this reader asks for others.
TEST_F(OracleTest, FalseSharingIsNotReported) {
  write(core(0), 0x4000, {1, 1, 1, 1});
  write(device(false), 0x4020, {2, 2, 2, 2});
  read(device(false), 0x4020, {2, 2, 2, 2});
  read(core(0), 0x4000, {1, 1, 1, 1});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
}

TEST_F(OracleTest, AnOldByteOfTheSameValueIsNotReported) {
  write(core(0), 0x4000, {7});
  write(device(false), 0x4000, {7});
  read(core(0), 0x4000, {7});
  write(core(0), 0x4001, {0});
  read(device(false), 0x4001, {0});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
}

TEST_F(OracleTest, EachReaderIsToldOnceUntilTheLineIsWrittenAgain) {
  write(core(0), 0x5000, {1, 1});
  read(device(false), 0x5000, {0});
  read(device(false), 0x5000, {0});
  read(device(false), 0x5001, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(1));
  read(Party{Agent::device, device_id.value + 1u, false, {}}, 0x5000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(2)) << "another reader";
  read(core(1), 0x5000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(3)) << "another kind of reader";
  write(core(0), 0x503f, {9});
  read(device(false), 0x5000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(4)) << "written again";
}

TEST_F(OracleTest, ALineIsToldOfOnItsOwn) {
  write(core(0), 0x5000, {1});
  write(core(0), 0x5040, {1});
  read(device(false), 0x5000, {0});
  read(device(false), 0x5040, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(2));
}

TEST_F(OracleTest, AReadOverALineBoundaryIsJudgedLineByLine) {
  write(core(0), 0x603e, {1, 1, 1, 1});
  read(device(false), 0x603e, {0, 1, 0, 0});
  ASSERT_THAT(oracle.stale_reads(), SizeIs(2));
  EXPECT_EQ(oracle.stale_reads()[0].address, Hpa{0x603e});
  EXPECT_EQ(oracle.stale_reads()[0].bytes, 1u);
  EXPECT_EQ(oracle.stale_reads()[1].address, Hpa{0x6040});
  EXPECT_EQ(oracle.stale_reads()[1].bytes, 2u);
}

TEST_F(OracleTest, TheWriterIsThatOfTheFirstStaleByte) {
  now = 1_ns;
  write(core(0), 0x7000, {1});
  now = 2_ns;
  write(core(1), 0x7001, {2});
  now = 3_ns;
  read(device(false), 0x7000, {1, 0});
  EXPECT_EQ(only().writer, (Party{Agent::core, 1, true, 2_ns}));
}

TEST_F(OracleTest, MemoryStartsAsZeros) {
  now = 4_ns;
  read(device(true), 0x8000, {0, 5});
  EXPECT_EQ(only().address, Hpa{0x8001});
  EXPECT_EQ(only().newest, std::byte{0});
  EXPECT_EQ(only().writer.at, 0_ps);
  EXPECT_THAT(only().text(), HasSubstr("memory started"));
}

TEST_F(OracleTest, WalkersAndQueuesAreReadersToo) {
  write(core(0), 0x9000, {1});
  read(Party{Agent::walker, 0, false, {}}, 0x9000, {0});
  read(Party{Agent::queue, 0, false, {}}, 0x9000, {0});
  ASSERT_THAT(oracle.stale_reads(), SizeIs(2));
  EXPECT_THAT(oracle.stale_reads()[0].text(), HasSubstr("iommu0"));
  EXPECT_THAT(oracle.stale_reads()[1].text(), HasSubstr("iommu0"));
}

TEST_F(OracleTest, OtherEventsSayNothing) {
  oracle.on(now, trace::CachesFlushed{0, 1, 1});
  oracle.on(now, trace::LineFlushed{0, Hpa{0x1000}, true});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
}

// Reader, time, both values, address, writer, age, and the operation that was missing.
TEST_F(OracleTest, TextOfAStaleDeviceReadNamesTheWriteBackThatWasMissing) {
  now = 10_ns;
  write(core(3), 0xabc0, {0xab});
  now = 12'500_ps;
  read(device(false), 0xabc0, {0x01});
  const auto text = only().text();
  for (const auto* part : {"0000:01:00.0", "12.5", "0x01", "0xabc0", "core 3", "2.5", "0xab",
                           "cache", "clflush", "wbinvd", "snoop"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST_F(OracleTest, TextOfAStaleCoreReadNamesTheFlushThatWasMissing) {
  write(device(false), 0x1000, {0xab});
  now = 2'500_ps;
  read(core(0), 0x1000, {0});
  const auto text = only().text();
  for (const auto* part :
       {"core 0", "0x00", "0x1000", "0000:01:00.0", "2.5", "0xab", "past the caches", "clflush"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("memory started")));
}

// A byte map that keeps no lines: the number of stale bytes told must be that of the reads which
// had any, per line and reader, not told before.
TEST_F(OracleTest, AgreesWithAMapOfBytes) {
  Prng prng{1, "oracle"};
  std::map<std::uint64_t, unsigned> newest;
  std::map<std::uint64_t, std::set<std::uint32_t>> told;
  std::vector<std::tuple<std::uint64_t, unsigned>> expected;
  for (int i = 0; i < 20000; ++i) {
    const auto address = prng.between(0, 300);
    const auto bytes = prng.between(1, 40);
    const auto who = static_cast<std::uint32_t>(prng.between(0, 2));
    Values values;
    if (prng.one_in(2)) {
      for (std::uint64_t j = 0; j < bytes; ++j) {
        values.push_back(static_cast<unsigned>(prng.between(0, 3)));
        newest[address + j] = values.back();
        told[(address + j) / 64].clear();
      }
      write(core(who), address, values);
      continue;
    }
    std::map<std::uint64_t, unsigned> stale;  // by line
    std::map<std::uint64_t, std::uint64_t> first;
    for (std::uint64_t j = 0; j < bytes; ++j) {
      const bool old = prng.one_in(20);
      values.push_back(newest[address + j] + (old ? 1 : 0));
      if (!old) continue;
      ++stale[(address + j) / 64];
      first.emplace((address + j) / 64, address + j);
    }
    read(core(who), address, values);
    for (const auto& [number, count] : stale) {
      if (told[number].insert(who).second) expected.emplace_back(first[number], count);
    }
  }
  std::vector<std::tuple<std::uint64_t, unsigned>> got;
  for (const auto& stale : oracle.stale_reads()) {
    got.emplace_back(stale.address.value, stale.bytes);
  }
  EXPECT_EQ(got, expected);
  EXPECT_GT(got.size(), 1000u);
}

}  // namespace
}  // namespace ioasim::cache
