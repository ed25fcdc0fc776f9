#include "cache/slice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "base/prng.hpp"
#include "base/quantity.hpp"

namespace ioasim::cache {
namespace {

Picoseconds ps(std::uint64_t count) { return Picoseconds{static_cast<std::int64_t>(count)}; }

TEST(TagPipeline, AnIdlePipelineBeginsAtOnce) {
  TagPipeline pipeline;
  EXPECT_EQ(pipeline.take(5_ns, 2_ns), 5_ns);
  EXPECT_EQ(pipeline.take(7_ns, 2_ns), 7_ns);
  EXPECT_EQ(pipeline.take(100_ns, 2_ns), 100_ns);
}

TEST(TagPipeline, LookupsThatComeAtOnceBeginOneAfterTheOther) {
  TagPipeline pipeline;
  for (int n = 0; n < 10; ++n) EXPECT_EQ(pipeline.take(5_ns, 2_ns), 5_ns + n * 2_ns);
  EXPECT_EQ(pipeline.take(25_ns - 1_ps, 0_ps), 25_ns);  // one picosecond too early
  EXPECT_EQ(pipeline.take(25_ns, 0_ps), 25_ns);
}

// Against the ends of all lookups before.
TEST(TagPipeline, RandomLookupsBeginWhenAllBeforeThemAreDone) {
  Prng random{1, "pipeline"};
  TagPipeline pipeline;
  Picoseconds at{};
  Picoseconds last_end{};
  for (int n = 0; n < 10'000; ++n) {
    at += ps(random.between(0, 30));
    const auto cycle = ps(random.between(0, 30));
    const auto start = pipeline.take(at, cycle);
    ASSERT_EQ(start, last_end > at ? last_end : at);
    last_end = start + cycle;
  }
}

TEST(MissFile, ALineIsBusyUntilItsRequestEnds) {
  MissFile file{4};
  EXPECT_EQ(file.busy_until(1, 5_ns), 5_ns);
  file.hold(1, 20_ns, true);
  EXPECT_EQ(file.busy_until(1, 5_ns), 20_ns);
  EXPECT_EQ(file.busy_until(2, 5_ns), 5_ns);
  EXPECT_EQ(file.busy_until(1, 20_ns - 1_ps), 20_ns);
  EXPECT_FALSE(file.idle());
  EXPECT_EQ(file.busy_until(1, 20_ns), 20_ns);
  EXPECT_TRUE(file.idle());
}

TEST(MissFile, OnlyMissesTakeRegisters) {
  MissFile file{2};
  for (std::uint64_t line = 0; line < 5; ++line) file.hold(line, 20_ns, false);
  EXPECT_FALSE(file.full());
  EXPECT_EQ(file.next_free(), forever);
  file.hold(5, 30_ns, true);
  EXPECT_FALSE(file.full());
  file.hold(6, 25_ns, true);
  EXPECT_TRUE(file.full());
  EXPECT_EQ(file.next_free(), 25_ns);
  EXPECT_EQ(file.busy_until(9, 25_ns), 25_ns);
  EXPECT_FALSE(file.full());
}

TEST(MissFile, AnEndThatIsNotKnownIsForeverUntilItIsSettled) {
  MissFile file{1};
  const auto other = file.hold(2, forever, false);
  const auto ticket = file.hold(1, forever, true);
  EXPECT_EQ(file.busy_until(1, 1_ms), forever);
  EXPECT_TRUE(file.full());
  EXPECT_EQ(file.next_free(), forever);
  file.settle(other, 2_ms);
  EXPECT_EQ(file.busy_until(1, 1_ms), forever);
  file.settle(ticket, 2_ms);
  EXPECT_EQ(file.busy_until(1, 1_ms), 2_ms);
  EXPECT_EQ(file.next_free(), 2_ms);
  EXPECT_EQ(file.busy_until(1, 2_ms), 2_ms);
  EXPECT_FALSE(file.full());
}

// A request waits for those that came before it, not for those after.
TEST(MissFile, ARequestWaitsForThoseBeforeIt) {
  MissFile file{4};
  const auto first = file.hold(1, 20_ns, true);
  const auto second = file.hold(1, forever, false);
  const auto third = file.hold(1, forever, false);
  EXPECT_EQ(file.busy_until(1, 5_ns, first), 5_ns);
  EXPECT_EQ(file.busy_until(1, 5_ns, second), 20_ns);
  EXPECT_EQ(file.busy_until(1, 5_ns, third), forever);
  EXPECT_EQ(file.busy_until(1, 5_ns), forever);
}

TEST(MissFile, ARequestThatWaitedTakesItsRegisterLater) {
  MissFile file{1};
  const auto ticket = file.hold(1, forever, false);
  EXPECT_FALSE(file.full());
  file.take_register(ticket);
  EXPECT_TRUE(file.full());
  EXPECT_EQ(file.next_free(), forever);
  file.settle(ticket, 20_ns);
  EXPECT_EQ(file.next_free(), 20_ns);
  EXPECT_EQ(file.busy_until(1, 20_ns), 20_ns);
  EXPECT_FALSE(file.full());
}

// Against a list of all requests that ever were, more of them at once than there are registers.
TEST(MissFile, AgreesWithAListOfAllRequests) {
  struct Past {
    std::uint64_t line;
    Picoseconds until;
    bool miss;
    MissFile::Ticket ticket;
  };
  constexpr unsigned registers = 3;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Prng random{seed, "misses"};
    MissFile file{registers};
    std::vector<Past> all;
    Picoseconds at{};
    for (int n = 0; n < 2'000; ++n) {
      at += ps(random.between(0, 10));
      const auto line = random.between(0, 5);
      const auto before = all.empty() || random.one_in(2)
                              ? ~MissFile::Ticket{0}
                              : all[random.between(0, all.size() - 1)].ticket;
      auto busy = at;
      auto first = forever;
      unsigned misses = 0;
      for (const auto& past : all) {
        if (past.until <= at) continue;
        if (past.line == line && past.ticket < before) busy = std::max(busy, past.until);
        if (!past.miss) continue;
        ++misses;
        first = std::min(first, past.until);
      }
      ASSERT_EQ(file.busy_until(line, at, before), busy);
      ASSERT_EQ(file.full(), misses >= registers);
      ASSERT_EQ(file.next_free(), first);
      const auto end = at + ps(random.between(1, 60));
      const auto open = std::ranges::find(all, forever, &Past::until);
      if (open != all.end() && random.one_in(3)) {
        if (!open->miss && misses < registers && random.one_in(2)) {
          file.take_register(open->ticket);
          open->miss = true;
        } else {
          file.settle(open->ticket, end);
          open->until = end;
        }
      } else {
        const bool miss = misses < registers && random.one_in(2);
        const auto until = random.one_in(5) ? forever : end;
        all.push_back({line, until, miss, file.hold(line, until, miss)});
      }
    }
  }
}

TEST(WriteBuffer, HasRoomForItsEntries) {
  WriteBuffer buffer{2};
  EXPECT_EQ(buffer.room(1_ns), 1_ns);
  buffer.enter(20_ns);
  EXPECT_EQ(buffer.room(1_ns), 1_ns);
  buffer.enter(30_ns);
  EXPECT_EQ(buffer.room(1_ns), 20_ns);
  EXPECT_EQ(buffer.room(20_ns), 20_ns);
  EXPECT_EQ(buffer.empty_at(), 30_ns);
}

// First in, first out: a line that is written sooner than one before it leaves with that.
TEST(WriteBuffer, LinesLeaveInOrder) {
  WriteBuffer buffer{2};
  buffer.enter(30_ns);
  buffer.enter(20_ns);
  EXPECT_EQ(buffer.room(1_ns), 30_ns);
  buffer.enter(60_ns);
  EXPECT_EQ(buffer.room(1_ns), 30_ns);
  EXPECT_EQ(buffer.empty_at(), 60_ns);
}

// Against the number of lines that are still in it.
TEST(WriteBuffer, AgreesWithAQueue) {
  for (const unsigned entries : {1u, 2u, 7u}) {
    Prng random{entries, "writes"};
    WriteBuffer buffer{entries};
    std::deque<Picoseconds> leaves;
    Picoseconds last{};
    Picoseconds at{};
    for (int n = 0; n < 5'000; ++n) {
      at += ps(random.between(0, 20));
      auto room = at;
      while (!leaves.empty() && leaves.front() <= at) leaves.pop_front();
      if (leaves.size() >= entries) room = leaves[leaves.size() - entries];
      ASSERT_EQ(buffer.room(at), room);
      const auto written = room + ps(random.between(1, 60));
      buffer.enter(written);
      last = std::max(last, written);
      leaves.push_back(last);
      ASSERT_EQ(buffer.empty_at(), last);
    }
  }
}

}  // namespace
}  // namespace ioasim::cache
