// MESI, MESIF and MOESI: who answers for a line, what becomes of the copies, and when memory gets
// the data. A no-snoop write puts a value of its own into memory under the copies: who reads it was
// answered by memory. Sockets by broadcast, so that memory is read for data only.
#include "block/cache/home_bench.hpp"

namespace ioasim::cache {
namespace {

constexpr std::uint64_t line = 0x4000;
constexpr std::uint64_t marked = 0x7777'7777'7777'7777;  // what the no-snoop write leaves in memory

// Cores 0 and 1 are at socket 0, cores 2 and 3 at socket 1, and so on.
template <Protocol protocol, bool inclusive = true>
class Copies : public HomeBench {
 protected:
  static Params params() {
    auto changed = small();
    changed.protocol = protocol;
    changed.llc.inclusive = inclusive;
    changed.filter = {.covers = 64_KiB, .ways = 8};
    changed.home.snoop = SocketSnoop::broadcast;
    return changed;
  }
  Copies() : HomeBench{params(), 4} {}

  // When nothing is under way any more.
  std::uint64_t loaded(unsigned core) {
    const Result& result = load(core, line);
    settle();
    EXPECT_EQ(breach(line), "");
    return result.value;
  }
  void stored(unsigned core, std::uint64_t value) {
    store(core, line, value);
    settle();
    EXPECT_EQ(breach(line), "");
  }
  // Memory and the caches can be told apart from here on.
  void mark_memory() {
    write_no_snoop(line, 0x77);
    settle();
  }
  std::uint64_t dram_reads() const { return memory.stats().reads.n; }
};
using Mesi = Copies<Protocol::mesi>;
using Mesif = Copies<Protocol::mesif>;
using Moesi = Copies<Protocol::moesi>;
using MesiFilter = Copies<Protocol::mesi, false>;
using MesifFilter = Copies<Protocol::mesif, false>;
using MoesiFilter = Copies<Protocol::moesi, false>;

// ---- a clean line that several sockets read ----

TEST_F(Mesi, TheOnlyHolderAnswersAndThenMemoryDoes) {
  run([&] {
    loaded(0);
    EXPECT_EQ(state(0, line), State::exclusive);
    mark_memory();
    EXPECT_EQ(loaded(2), 0u);  // from core 0
    EXPECT_EQ(dram_reads(), 1u);
    EXPECT_EQ(state(0, line), State::shared);
    EXPECT_EQ(state(2, line), State::shared);
    EXPECT_EQ(loaded(4), marked);  // nobody answers for a line that is shared
    EXPECT_EQ(dram_reads(), 2u);
    EXPECT_EQ(state(4, line), State::shared);
  });
}

TEST_F(Mesif, TheLastReaderAnswers) {
  run([&] {
    loaded(0);
    mark_memory();
    EXPECT_EQ(loaded(2), 0u);
    EXPECT_EQ(loaded(4), 0u);
    EXPECT_EQ(loaded(6), 0u);
    EXPECT_EQ(dram_reads(), 1u);
  });
}

// Each reader becomes the one that answers; when it is gone, memory answers, though others hold it.
TEST_F(Mesif, MemoryAnswersWhenTheForwarderIsGone) {
  run([&] {
    for (const unsigned core : {0u, 2u, 4u}) loaded(core);
    mark_memory();
    // The last level of socket 2 displaces the line.
    for (unsigned way = 1; way <= 8; ++way) load(4, line + way * set_stride), settle();
    EXPECT_EQ(state(4, line), State::invalid);
    EXPECT_EQ(state(2, line), State::shared);
    EXPECT_EQ(loaded(6), marked);
  });
}

TEST_F(Moesi, CleanLinesThatAreSharedAreMemorys) {
  run([&] {
    loaded(0);
    mark_memory();
    EXPECT_EQ(loaded(2), 0u);
    EXPECT_EQ(loaded(4), marked);
    EXPECT_EQ(state(0, line), State::shared);
  });
}

// Without a copy in the last level, a core is the one that answers: Forward is its state.
TEST_F(MesifFilter, TheForwardStateIsTheLastReaders) {
  run([&] {
    loaded(0);
    EXPECT_EQ(state(0, line), State::exclusive);
    loaded(1);
    EXPECT_EQ(state(0, line), State::shared);
    EXPECT_EQ(state(1, line), State::forward);
    loaded(2);
    EXPECT_EQ(state(1, line), State::shared);
    EXPECT_EQ(state(2, line), State::forward);
    EXPECT_EQ(dram_reads(), 1u);
  });
}

TEST_F(MesiFilter, NobodyForwards) {
  run([&] {
    loaded(0);
    loaded(1);
    EXPECT_EQ(state(0, line), State::shared);
    EXPECT_EQ(state(1, line), State::shared);
    mark_memory();
    EXPECT_EQ(loaded(2), marked);
    EXPECT_EQ(dram_reads(), 2u);
  });
}

// ---- a modified line that another core of the socket reads ----

TEST_F(Mesi, AModifiedLineThatASocketSharesIsItsLastLevels) {
  run([&] {
    stored(0, 5);
    EXPECT_EQ(loaded(1), 5u);
    EXPECT_EQ(state(0, line), State::shared);
    EXPECT_EQ(state(1, line), State::shared);
    EXPECT_EQ(in_memory(line), 0u);
  });
}

TEST_F(MesifFilter, AModifiedLineThatASocketSharesGoesToItsLastLevel) {
  run([&] {
    stored(0, 5);
    EXPECT_EQ(loaded(1), 5u);
    EXPECT_EQ(state(0, line), State::shared);
    EXPECT_EQ(state(1, line), State::shared);
    EXPECT_EQ(in_memory(line), 0u);
    const auto begin = now();
    EXPECT_EQ(read(line).done_at, begin + lookup);
  });
}

TEST_F(Moesi, AModifiedLineThatASocketSharesStaysWithItsOwner) {
  run([&] {
    stored(0, 5);
    EXPECT_EQ(loaded(1), 5u);
    EXPECT_EQ(state(0, line), State::owned);
    EXPECT_EQ(state(1, line), State::shared);
    EXPECT_EQ(in_memory(line), 0u);
    const auto begin = now();
    EXPECT_EQ(read(line).done_at, begin + lookup + snoop);  // the owner answers devices too
  });
}

// ---- a modified line that another socket reads ----

TEST_F(Mesi, AModifiedLineThatAnotherSocketReadsIsWrittenBack) {
  run([&] {
    stored(0, 5);
    EXPECT_EQ(loaded(2), 5u);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(memory.stats().writes.n, 1u);
    EXPECT_EQ(state(0, line), State::shared);
    EXPECT_EQ(state(2, line), State::shared);
    mark_memory();
    EXPECT_EQ(loaded(4), marked);
  });
}

TEST_F(Mesif, AModifiedLineThatAnotherSocketReadsIsWrittenBackAndForwarded) {
  run([&] {
    stored(0, 5);
    EXPECT_EQ(loaded(2), 5u);
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(memory.stats().writes.n, 1u);
    mark_memory();
    EXPECT_EQ(loaded(4), 5u);  // core 2's socket answers
    EXPECT_EQ(memory.stats().reads.n, 1u);
  });
}

TEST_F(Moesi, AModifiedLineThatAnotherSocketReadsStaysWithItsOwner) {
  run([&] {
    stored(0, 5);
    EXPECT_EQ(loaded(2), 5u);
    EXPECT_EQ(in_memory(line), 0u);
    EXPECT_EQ(memory.stats().writes.n, 0u);
    EXPECT_EQ(state(0, line), State::owned);
    EXPECT_EQ(state(2, line), State::shared);
    EXPECT_EQ(loaded(4), 5u);  // it goes on answering
    EXPECT_EQ(loaded(6), 5u);
    EXPECT_EQ(memory.stats().reads.n, 1u);
  });
}

// ---- an Owned line ----

TEST_F(Moesi, TheOwnerThatWritesAgainTakesTheOtherCopiesOut) {
  run([&] {
    stored(0, 5);
    loaded(2);
    stored(0, 6);
    EXPECT_EQ(state(0, line), State::modified);
    EXPECT_EQ(state(2, line), State::invalid);
    EXPECT_EQ(loaded(2), 6u);
  });
}

TEST_F(Moesi, AnotherSocketsWriteMovesTheOwnersDataThere) {
  run([&] {
    stored(0, 5);
    loaded(2);
    store(4, line + 8, 9);  // another word of the line
    settle();
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(state(2, line), State::invalid);
    EXPECT_EQ(loaded(4), 5u);
    EXPECT_EQ(in_memory(line), 0u);
    EXPECT_EQ(loaded(0), 5u);
  });
}

TEST_F(Moesi, TheOwnersDataReachMemoryWhenTheyLeaveItsCaches) {
  run([&] {
    stored(0, 5);
    loaded(2);
    // Level 2 displaces the line: the last level has it now, newer than memory, and answers.
    for (unsigned way = 1; way <= 4; ++way) load(0, line + way * 0x200), settle();
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(in_memory(line), 0u);
    EXPECT_EQ(loaded(4), 5u);
    // And the last level displaces it.
    for (unsigned way = 1; way <= 8; ++way) load(0, line + way * set_stride), settle();
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(state(2, line), State::shared);
    EXPECT_EQ(loaded(6), 5u);
  });
}

TEST_F(MoesiFilter, TheOwnersDataAreNotLostWithItsLine) {
  run([&] {
    stored(0, 5);
    loaded(2);
    EXPECT_EQ(state(0, line), State::owned);
    for (unsigned way = 1; way <= 4; ++way) load(0, line + way * 0x200), settle();
    EXPECT_EQ(state(0, line), State::invalid);
    EXPECT_EQ(in_memory(line), 0u);
    EXPECT_EQ(loaded(4), 5u);
    EXPECT_EQ(loaded(0), 5u);
  });
}

TEST_F(Moesi, ClwbMakesTheOwnerAnOrdinarySharer) {
  run([&] {
    stored(0, 5);
    loaded(2);
    flush(2, line, trace::Flush::clwb);
    settle();
    EXPECT_EQ(in_memory(line), 5u);
    EXPECT_EQ(state(0, line), State::shared);
    EXPECT_EQ(state(2, line), State::shared);
    EXPECT_EQ(breach(line), "");
  });
}

TEST_F(Moesi, ADeviceReadsTheOwnersData) {
  run([&] {
    stored(0, 5);
    loaded(2);
    const auto& got = read(line, 8, 2);  // at a socket that does not hold it
    settle();
    EXPECT_EQ(got.value(), 5u);
    EXPECT_EQ(state(0, line), State::owned);
    EXPECT_EQ(in_memory(line), 0u);
  });
}

// ---- writes ----

TEST_F(Mesif, AWriterIsTheOnlyHolderLeft) {
  run([&] {
    for (const unsigned core : {0u, 1u, 2u, 4u, 6u}) loaded(core);
    stored(5, 9);
    for (const unsigned core : {0u, 1u, 2u, 3u, 4u, 6u, 7u}) {
      EXPECT_EQ(state(core, line), State::invalid) << core;
    }
    EXPECT_EQ(state(5, line), State::modified);
    EXPECT_EQ(in_memory(line), 0u);
  });
}

// A claim is a write that is yet to come: the line is clean until then.
TEST_F(Mesif, AClaimBringsTheLineExclusive) {
  run([&] {
    loaded(2);
    fetch(0, line, Want::claim);
    settle();
    EXPECT_EQ(state(0, line), State::exclusive);
    EXPECT_EQ(state(2, line), State::invalid);
    flush(0, line, trace::Flush::clflush);
    settle();
    EXPECT_EQ(memory.stats().writes.n, 0u);
  });
}

}  // namespace
}  // namespace ioasim::cache
