#include "cache/oracle.hpp"

#include <gmock/gmock.h>

#include "unit/cache/oracle_bench.hpp"

namespace ioasim::cache {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using trace::Agent;
using trace::Flush;

class OracleTest : public OracleBench {};

TEST_F(OracleTest, NothingToSayWhileEveryoneSeesTheNewest) {
  read(core(0), 0x1000, {0, 0, 0, 0});
  write(core(0), 0x1000, {1, 2});
  read(device(false), 0x1000, {1, 2, 0, 0});
  write(device(false), 0x1001, {3});
  read(core(1), 0x1000, {1, 3});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
}

TEST_F(OracleTest, TheReportSaysWhoReadWhatAndWhoWroteTheNewest) {
  now = 10_ns;
  write(core(1), 0x1000, {0xab, 0xcd});
  now = 12'500_ps;
  read(device(false), 0x1000, {0, 0});
  const auto& stale = only();
  EXPECT_EQ(stale.reader, (Party{Agent::device, device_id.value, false, 12'500_ps}));
  EXPECT_EQ(stale.writer, (Party{Agent::core, 1, true, 10_ns}));
  EXPECT_EQ(stale.age(), 2'500_ps);
  EXPECT_EQ(stale.address, Hpa{0x1000});
  EXPECT_EQ(stale.bytes, 2u);
  EXPECT_EQ(stale.got, std::byte{0});
  EXPECT_EQ(stale.newest, std::byte{0xab});
  EXPECT_EQ(stale.source, memory);
}

// Another core's bytes of the same line may be old as far as this reader asks for others.
TEST_F(OracleTest, FalseSharingIsNotReported) {
  write(core(0), 0x4000, {1, 1, 1, 1});
  write(device(false), 0x4020, {2, 2, 2, 2});
  read(device(false), 0x4020, {2, 2, 2, 2});
  read(core(0), 0x4000, {1, 1, 1, 1}, caches(0));
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
}

TEST_F(OracleTest, AnOldByteOfTheSameValueIsNotReported) {
  write(core(0), 0x4000, {7});
  write(device(false), 0x4000, {7});
  read(core(0), 0x4000, {7}, caches(0));
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
  read(other_device(false), 0x5000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(2)) << "another reader";
  read(core(1), 0x5000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(3)) << "another kind of reader";
  read(device(true), 0x5000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(4)) << "another kind of access";
  move(0x5000, caches(0), llc(0));
  lose(0x5000, llc(0));
  read(device(false), 0x5000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(4)) << "moved is not written";
  write(core(0), 0x503f, {9});
  read(device(false), 0x5000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(5)) << "written again";
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

TEST_F(OracleTest, WriterAndPlaceAreThoseOfTheFirstStaleByte) {
  now = 1_ns;
  write(core(0), 0x7000, {1, 1, 1, 1});
  now = 2_ns;
  write(core(1), 0x7001, {2, 2});
  now = 3_ns;
  read(device(false), 0x7000, {1, 0, 0, 0});
  EXPECT_EQ(last().writer, (Party{Agent::core, 1, true, 2_ns}));
  EXPECT_EQ(last().place, caches(1));
  read(other_device(false), 0x7000, {1, 2, 2, 0});
  EXPECT_EQ(last().writer, (Party{Agent::core, 0, true, 1_ns})) << "what is left of a write";
  EXPECT_EQ(last().place, caches(0));
}

TEST_F(OracleTest, AWholeLineIsAWriteToo) {
  write(core(0), 0x7000, {1, 2, 3});
  write(core(1), 0x7000, Values(64, 5));
  auto got = Values(64, 5);
  got[63] = 0;
  read(device(false), 0x7000, got);
  EXPECT_EQ(only().address, Hpa{0x703f});
  EXPECT_EQ(only().writer.who, 1u);
}

TEST_F(OracleTest, MemoryStartsAsZeros) {
  now = 4_ns;
  read(device(true), 0x8000, {0, 5});
  EXPECT_EQ(only().address, Hpa{0x8001});
  EXPECT_EQ(only().newest, std::byte{0});
  EXPECT_EQ(only().writer.at, 0_ps);
  EXPECT_EQ(only().age(), 4_ns);
  EXPECT_EQ(only().missing, Missing::nothing);
  EXPECT_THAT(only().text(), HasSubstr("memory started"));
}

TEST_F(OracleTest, WalkersAndQueuesAreReadersToo) {
  write(core(0), 0x9000, {1});
  read(Party{Agent::walker, 0, false, {}}, 0x9000, {0});
  expect(caches(0), Missing::flush_before_read);
  read(Party{Agent::queue, 0, false, {}}, 0x9000, {0});
  expect(caches(0), Missing::flush_before_read);
  EXPECT_THAT(oracle.stale_reads(), SizeIs(2));
}

TEST_F(OracleTest, OtherEventsSayNothing) {
  oracle.on(now, trace::CachesFlushed{0, Flush::wbinvd, 1, 1, 1_ns});
  move(0x1000, caches(0), memory);
  lose(0x1000, caches(0));
  flush(0, 0x1000, Flush::clflush);
  doorbell(0);
  read(device(false), 0x1000, {0});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
}

// ---- held stores ----

TEST_F(OracleTest, AHeldStoreIsNotExpectedBeforeADoorbell) {
  hold(0, 0x1000, {1});
  read(device(false), 0x1000, {0});
  read(core(1), 0x1000, {0});
  doorbell(1);
  read(device(true), 0x1000, {0});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
}

TEST_F(OracleTest, AHeldStoreThatADoorbellPassedMissesItsFence) {
  now = 1_ns;
  hold(3, 0x103e, {7, 8, 9});
  now = 2_ns;
  doorbell(3);
  now = 5_ns;
  read(device(true), 0x103f, {0, 0});
  ASSERT_THAT(oracle.stale_reads(), SizeIs(2)) << "in two lines";
  const auto& stale = oracle.stale_reads()[0];
  EXPECT_EQ(stale.address, Hpa{0x103f});
  EXPECT_EQ(stale.newest, std::byte{8});
  EXPECT_EQ(stale.writer, (Party{Agent::core, 3, false, 1_ns}));
  EXPECT_EQ(stale.age(), 4_ns);
  EXPECT_EQ(stale.place, buffer(3));
  EXPECT_EQ(stale.missing, Missing::fence_after_store);
  expect(buffer(3), Missing::fence_after_store);
}

TEST_F(OracleTest, AHeldStoreIsJudgedByItsBytes) {
  write(core(0), 0x1000, {5, 5, 5, 5});
  hold(0, 0x1001, {6, 5});
  doorbell(0);
  read(device(true), 0x1002, {5, 5}, caches(0));
  EXPECT_THAT(oracle.stale_reads(), IsEmpty()) << "the same value, and a byte that is not held";
  read(device(true), 0x1000, {5, 5, 5, 0}, caches(0));
  EXPECT_EQ(only().address, Hpa{0x1001});
  EXPECT_EQ(only().bytes, 2u);
  EXPECT_EQ(only().newest, std::byte{6});
}

TEST_F(OracleTest, TheVisibleBytesBesideAHeldStoreAreJudgedAsEver) {
  hold(0, 0x1008, {6});
  hold(0, 0x1040, {6});
  write(core(0), 0x1000, {1});
  doorbell(0);
  read(device(false), 0x1000, {0});
  expect(caches(0), Missing::flush_before_read);
}

TEST_F(OracleTest, OnlyTheStoresBeforeTheDoorbellAreExpected) {
  hold(0, 0x1000, {1, 1});
  hold(1, 0x1010, {1});
  doorbell(0);
  hold(0, 0x1001, {2, 2});
  read(device(true), 0x1001, {0, 0});
  read(device(true), 0x1010, {0});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
  read(device(true), 0x1000, {0});
  expect(buffer(0), Missing::fence_after_store);
}

// A weakly ordered doorbell has itself waited in a buffer.
TEST_F(OracleTest, OnlyTheStoresBeforeADoorbellThatRingsLaterAreExpected) {
  now = 1_ns;
  hold(0, 0x1000, {1});
  now = 3_ns;
  hold(0, 0x1001, {2});
  now = 5_ns;
  doorbell(0, 2_ns);
  read(device(true), 0x1001, {0});
  EXPECT_TRUE(oracle.stale_reads().empty());
  read(device(true), 0x1000, {0, 0});
  EXPECT_EQ(only().bytes, 1u);
  EXPECT_EQ(only().newest, std::byte{1});
  doorbell(0, 3_ns);
  read(device(true), 0x1000, {1, 0});
  EXPECT_EQ(last().newest, std::byte{2});
}

TEST_F(OracleTest, TheHoldingCoreMayReadEitherValue) {
  write(core(0), 0x1000, {5});
  hold(0, 0x1000, {6});
  read(core(0), 0x1000, {6});
  doorbell(0);
  read(core(0), 0x1000, {6});
  read(core(0), 0x1000, {5});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
  read(core(0), 0x1000, {0}, caches(0));
  EXPECT_EQ(only().newest, std::byte{5}) << "but no older one";
  expect(caches(0), Missing::nothing);
  read(core(1), 0x1000, {5});
  EXPECT_EQ(last().newest, std::byte{6});
}

// A device's number may be that of a core.
TEST_F(OracleTest, TheHoldingCoreIsACore) {
  hold(device_id.value, 0x1000, {6});
  doorbell(device_id.value);
  read(device(true), 0x1000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(1));
}

TEST_F(OracleTest, AStoreIsNoLongerHeldOnceItIsVisible) {
  hold(0, 0x1000, {1, 1});
  doorbell(0);
  write_to(memory, uncached(0), 0x1000, {1});
  read(device(false), 0x1000, {1});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
  read(core(1), 0x1000, {0}, caches(1));
  expect(memory, Missing::one_memory_type);
  read(core(2), 0x1001, {0}, caches(2));
  expect(buffer(0), Missing::fence_after_store);
  write_to(memory, uncached(0), 0x1001, {1});
  read(device(false), 0x1000, {1, 1});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(2));
}

TEST_F(OracleTest, ALaterWriteOfAnotherIsNewerThanAHeldStore) {
  hold(0, 0x1000, {1});
  doorbell(0);
  write(device(false), 0x1000, {2});
  read(other_device(false), 0x1000, {2});
  EXPECT_THAT(oracle.stale_reads(), IsEmpty());
  read(core(1), 0x1000, {0}, caches(1));
  expect(memory, Missing::invalidate_before_read);
}

TEST_F(OracleTest, ADoorbellAfterHeldStoresIsToldLikeAWrite) {
  write(core(1), 0x1000, {1});
  read(device(false), 0x1000, {0});
  hold(0, 0x1000, {2});
  read(device(false), 0x1000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(1)) << "held is not written";
  doorbell(0);
  read(device(false), 0x1000, {0});
  read(device(false), 0x1000, {0});
  doorbell(0);
  read(device(false), 0x1000, {0});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(2)) << "a doorbell that adds nothing";
  expect(buffer(0), Missing::fence_after_store);
}

}  // namespace
}  // namespace ioasim::cache
