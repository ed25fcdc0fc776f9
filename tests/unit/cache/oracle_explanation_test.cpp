#include <gmock/gmock.h>

#include "cache/oracle.hpp"
#include "unit/cache/oracle_bench.hpp"

namespace ioasim::cache {
namespace {

using testing::SizeIs;
using trace::Agent;
using trace::Flush;

// Where the newest value is, and what was missing.
class OracleExplanationTest : public OracleBench {};

// ---- the newest is in a cache ----

// Invariant 2: the newest value is dirty in a cache and a No Snoop read returns memory.
TEST_F(OracleExplanationTest, ADeviceThatReadsPastAModifiedLineMissesAFlush) {
  write(core(1), 0x1000, {1});
  read(device(false), 0x1000, {0});
  expect(caches(1), Missing::flush_before_read);
}

TEST_F(OracleExplanationTest, DataOfADeviceInTheLlcAreMissedInTheSameWay) {
  write_to(llc(1), device(true), 0x1000, {1});
  read(other_device(false), 0x1000, {0});
  expect(llc(1), Missing::flush_before_read);
}

TEST_F(OracleExplanationTest, ThePlaceFollowsTheLine) {
  write(core(0), 0x1000, {1});
  write(core(0), 0x1040, {1});
  move(0x1000, caches(0), caches(1));
  read(device(false), 0x1000, {0});
  expect(caches(1), Missing::flush_before_read);
  move(0x1010, caches(1), llc(0));
  read(other_device(false), 0x1000, {0});
  expect(llc(0), Missing::flush_before_read);
  read(device(false), 0x1040, {0});
  expect(caches(0), Missing::flush_before_read);
}

TEST_F(OracleExplanationTest, AnotherCoresLineDoesNotMoveAlong) {
  write(core(0), 0x1000, {1});
  move(0x1000, caches(1), llc(0));
  move(0x1000, llc(0), memory);
  read(device(false), 0x1000, {0});
  expect(caches(0), Missing::flush_before_read);
}

// The core's copy holds the device's bytes too, which the LLC need not have announced again.
TEST_F(OracleExplanationTest, AModifiedLineOfACoreTakesAlongWhatTheLlcHeld) {
  write_to(llc(0), device(true), 0x1000, {1});
  write(core(2), 0x1001, {2});
  move(0x1000, caches(2), llc(1));
  read(device(false), 0x1000, {0});
  expect(llc(1), Missing::flush_before_read);
}

TEST_F(OracleExplanationTest, AnotherLlcsCopyDoesNot) {
  write_to(llc(0), device(true), 0x1000, {1});
  move(0x1000, llc(1), memory);
  read(device(false), 0x1000, {0});
  expect(llc(0), Missing::flush_before_read);
}

TEST_F(OracleExplanationTest, AHeldFlushMissesItsFence) {
  for (const auto instruction : {Flush::clflushopt, Flush::clwb}) {
    write(core(0), 0x1000, {1});
    hold_flush(0, 0x1020, instruction);
    doorbell(0);
    read(device(false), 0x1000, {0});
    expect(caches(0), Missing::fence_after_flush);
    flush(0, 0x1000, instruction);
    write(core(0), 0x1000, {1});
    read(device(false), 0x1000, {0});
    expect(caches(0), Missing::flush_before_read);
  }
}

TEST_F(OracleExplanationTest, AFlushEndsOnlyTheHeldFlushThatItIs) {
  write(core(0), 0x1000, {1});
  hold_flush(0, 0x1000, Flush::clwb);
  flush(0, 0x1040, Flush::clwb);
  flush(1, 0x1000, Flush::clwb);
  flush(0, 0x1000, Flush::clflushopt);
  read(device(false), 0x1000, {0});
  expect(caches(0), Missing::fence_after_flush);
}

TEST_F(OracleExplanationTest, EachHeldFlushEndsOnItsOwn) {
  write(core(0), 0x1000, {1});
  hold_flush(0, 0x1000, Flush::clwb);
  hold_flush(0, 0x1000, Flush::clwb);
  flush(0, 0x1000, Flush::clwb);
  read(device(false), 0x1000, {0});
  expect(caches(0), Missing::fence_after_flush);
}

TEST_F(OracleExplanationTest, AHeldFlushOfAnotherLineDoesNotCount) {
  write(core(0), 0x1000, {1});
  hold_flush(0, 0x1040, Flush::clflushopt);
  read(device(false), 0x1000, {0});
  expect(caches(0), Missing::flush_before_read);
}

// The store may become visible after the flush behind it has been executed.
TEST_F(OracleExplanationTest, AHeldFlushOfTheWritersCoreCountsWheneverItWasExecuted) {
  hold_flush(0, 0x1000, Flush::clflushopt);
  now = 1_ns;
  write(core(0), 0x1000, {1});
  read(device(false), 0x1000, {0});
  expect(caches(0), Missing::fence_after_flush);
}

TEST_F(OracleExplanationTest, AHeldFlushOfAnotherCoreCountsIfItCameAfterTheWrite) {
  hold_flush(1, 0x1000, Flush::clflushopt);
  now = 1_ns;
  write(core(0), 0x1000, {1});
  read(device(false), 0x1000, {0});
  expect(caches(0), Missing::flush_before_read);
  now = 2_ns;
  hold_flush(1, 0x1000, Flush::clflushopt);
  read(other_device(false), 0x1000, {0});
  expect(caches(0), Missing::fence_after_flush);
}

TEST_F(OracleExplanationTest, ACoreThatReadsPastAModifiedLineHasAnotherMemoryType) {
  write(core(0), 0x1000, {1});
  read(uncached(0), 0x1000, {0});
  expect(caches(0), Missing::one_memory_type);
  hold_flush(0, 0x1000, Flush::clflushopt);
  read(uncached(1), 0x1000, {0});
  expect(caches(0), Missing::fence_after_flush);
}

// No order of instructions explains it: the hardware is wrong.
TEST_F(OracleExplanationTest, SnoopedAccessesMissNothing) {
  write(core(0), 0x1000, {1});
  read(core(1), 0x1000, {0}, caches(1));
  expect(caches(0), Missing::nothing);
  read(core(0), 0x1000, {0}, caches(0));
  expect(caches(0), Missing::nothing);
  move(0x1000, caches(0), memory);
  read(core(2), 0x1000, {0}, caches(2));
  expect(memory, Missing::nothing);
  read(device(true), 0x1000, {0});
  expect(nowhere_overwritten, Missing::nothing);
}

// ---- the newest went past the caches ----

// Invariant 11: a No Snoop write leaves the clean cached copy behind.
TEST_F(OracleExplanationTest, ACoreThatReadsAStaleCleanLineMissesAnInvalidation) {
  write(core(0), 0x2000, {1});
  move(0x2000, caches(0), memory);
  now = 5_ns;
  write(device(false), 0x2000, {2});
  now = 9_ns;
  read(core(0), 0x2000, {1}, caches(0));
  expect(memory, Missing::invalidate_before_read);
  EXPECT_EQ(only().writer, (Party{Agent::device, device_id.value, false, 5_ns}));
  EXPECT_EQ(only().got, std::byte{1});
  EXPECT_EQ(only().newest, std::byte{2});
  EXPECT_EQ(only().source, caches(0));
}

TEST_F(OracleExplanationTest, ADeviceThatSnoopsTheStaleCleanLineDoesToo) {
  write(device(false), 0x2000, {2});
  read(other_device(true), 0x2000, {0}, llc(1));
  expect(memory, Missing::invalidate_before_read);
  EXPECT_EQ(only().source, llc(1));
}

// The loads passed the flush. CLWB may keep the line, and would not have helped.
TEST_F(OracleExplanationTest, AHeldInvalidationMissesItsFence) {
  hold_flush(0, 0x2000, Flush::clwb);
  write(device(false), 0x2000, {2});
  read(core(0), 0x2000, {0}, caches(0));
  expect(memory, Missing::invalidate_before_read);
  hold_flush(0, 0x2000, Flush::clflushopt);
  read(core(1), 0x2000, {0}, caches(1));
  expect(memory, Missing::fence_after_flush);
}

TEST_F(OracleExplanationTest, ACoreThatWritesPastACachedCopyHasAnotherMemoryType) {
  write(uncached(0), 0x2000, {2});
  read(core(1), 0x2000, {0}, caches(1));
  expect(memory, Missing::one_memory_type);
}

// Invariants 12 and 13: the write-back of a dirty line buries the bytes of a No Snoop write; who
// reads memory afterwards gets the cached copy.
TEST_F(OracleExplanationTest, AWriteBackBuriesWhatWentPastTheModifiedLine) {
  write(core(0), 0x3000, {1, 1, 1, 1, 1, 1, 1, 1});
  write(device(false), 0x3002, {2, 2, 2, 2});
  move(0x3000, caches(0), memory);
  read(device(false), 0x3000, {1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_EQ(only().address, Hpa{0x3002});
  EXPECT_EQ(only().bytes, 4u);
  EXPECT_EQ(only().got, std::byte{1});
  EXPECT_EQ(only().newest, std::byte{2});
  expect(nowhere_overwritten, Missing::flush_before_device_write);
  read(core(0), 0x3000, {1, 1, 1}, caches(0));
  expect(nowhere_overwritten, Missing::flush_before_device_write);
}

// Before it is written back they are still there; where it comes from does not matter.
TEST_F(OracleExplanationTest, BytesInMemoryAreBuriedByTheWriteBackAndNotByAMove) {
  write(core(0), 0x3000, {1, 1});
  write(device(false), 0x3001, {2});
  move(0x3000, caches(0), llc(0));
  read(core(1), 0x3000, {1, 1}, llc(0));
  expect(memory, Missing::invalidate_before_read);
  move(0x3000, llc(0), memory);
  read(core(2), 0x3000, {1, 1}, llc(0));
  expect(nowhere_overwritten, Missing::flush_before_device_write);
}

// Even bytes that the core never wrote.
TEST_F(OracleExplanationTest, AWriteBackBuriesTheWholeLine) {
  write(device(false), 0x3000, Values(64, 2));
  write(core(0), 0x3020, {1});
  move(0x3000, caches(0), memory);
  read(device(false), 0x303f, {0});
  expect(nowhere_overwritten, Missing::flush_before_device_write);
  read(other_device(false), 0x3020, {1});
  EXPECT_THAT(oracle.stale_reads(), SizeIs(1)) << "the core's own byte has arrived";
}

TEST_F(OracleExplanationTest, AWriteAfterTheWriteBackIsInMemory) {
  write(core(0), 0x3000, {1});
  move(0x3000, caches(0), memory);
  write(device(false), 0x3000, {2});
  read(core(0), 0x3000, {1}, caches(0));
  expect(memory, Missing::invalidate_before_read);
}

TEST_F(OracleExplanationTest, AnOlderByteOutOfMemoryProvesThatTheNewestIsNotThere) {
  write(device(false), 0x3000, {2});
  read(device(false), 0x3000, {1});
  expect(nowhere_overwritten, Missing::flush_before_device_write);
}

TEST_F(OracleExplanationTest, WhatAnotherMappingWroteIsBuriedToo) {
  write(core(0), 0x3000, {1, 1});
  write(uncached(0), 0x3001, {2});
  move(0x3000, caches(0), memory);
  read(core(1), 0x3001, {1});
  expect(nowhere_overwritten, Missing::one_memory_type);
}

TEST_F(OracleExplanationTest, InvdDropsTheNewest) {
  write(core(0), 0x3000, {1, 1});
  write(device(false), 0x3001, {2});
  write(core(1), 0x3040, {1});
  lose(0x3000, caches(0));
  lose(0x3040, caches(0));
  read(core(0), 0x3000, {0, 2});
  EXPECT_EQ(last().bytes, 1u);
  expect(nowhere_dropped, Missing::do_not_invd);
  read(device(false), 0x3040, {0});
  expect(caches(1), Missing::flush_before_read);
  move(0x3000, llc(0), memory);
  read(core(1), 0x3000, {0, 2});
  expect(nowhere_dropped, Missing::do_not_invd);
}

}  // namespace
}  // namespace ioasim::cache
