#include "cache/stale_read.hpp"

#include <gmock/gmock.h>

namespace ioasim::cache {
namespace {

using testing::HasSubstr;
using testing::Not;
using trace::Agent;
using Kind = Location::Kind;

// A device reads past what core 0 has in its caches.
StaleRead example() {
  StaleRead stale;
  stale.reader = {Agent::device, RequesterId::of(1, 0, 0).value, false, 812'500_ps};
  stale.writer = {Agent::core, 0, true, 512'500_ps};
  stale.address = Hpa{0x1040};
  stale.bytes = 1;
  stale.got = std::byte{0x11};
  stale.newest = std::byte{0x22};
  stale.source = {Kind::memory, 0};
  stale.place = {Kind::core, 0};
  stale.missing = Missing::flush_before_read;
  return stale;
}

TEST(StaleReadTest, TextOfADevicesRead) {
  EXPECT_EQ(example().text(),
            "0000:01:00.0 read 0x11 at 0x1040 (no snoop, from memory) at 812.500 ns; core 0 had "
            "written 0x22 there 300.000 ns before; the newer value is in core 0's caches; missing: "
            "clflush, or clwb with sfence, before the doorbell (or wbinvd), or a snooped access");
}

TEST(StaleReadTest, TextOfACoresRead) {
  auto stale = example();
  stale.reader = {Agent::core, 3, true, 7_ns};
  stale.writer = {Agent::device, RequesterId::of(0x3b, 2, 1).value, false, 2_ns};
  stale.bytes = 8;
  stale.source = {Kind::llc, 1};
  stale.place = {Kind::memory, 0};
  stale.missing = Missing::invalidate_before_read;
  EXPECT_EQ(stale.text(),
            "core 3 read 0x11 at 0x1040 (first of 8 stale bytes, snooped, from the last-level "
            "cache of socket 1) at 7.000 ns; 0000:3b:02.1 had written 0x22 there 5.000 ns before; "
            "the newer value is in memory; missing: clflush or wbinvd, before the write and again "
            "before the read, or a snooped write: it went past the caches, which hold an older "
            "copy");
}

TEST(StaleReadTest, TextOfTheAccessesOfAnIommu) {
  auto stale = example();
  stale.reader = {Agent::walker, 1, false, 812'500_ps};
  EXPECT_THAT(stale.text(), HasSubstr("iommu1's page walk read 0x11"));
  EXPECT_THAT(stale.text(), Not(HasSubstr("doorbell")));
  stale.reader.agent = Agent::queue;
  EXPECT_THAT(stale.text(), HasSubstr("iommu1's descriptor fetch read 0x11"));
  stale.writer = {Agent::queue, 0, false, 512'500_ps};
  EXPECT_THAT(stale.text(), HasSubstr("iommu0's invalidation queue had written 0x22"));
  stale.writer.agent = Agent::walker;
  EXPECT_THAT(stale.text(), HasSubstr("iommu0's page walk had written 0x22"));
}

TEST(StaleReadTest, TextOfWhatNobodyWrote) {
  auto stale = example();
  stale.writer = {};
  EXPECT_THAT(stale.text(), HasSubstr("ns; memory started with 0x22 there; the newer"));
  stale.writer.at = 1_ps;
  EXPECT_THAT(stale.text(), HasSubstr("the back door had written 0x22 there"));
  stale.writer = {Agent::core, 2, true, 0_ps};
  EXPECT_THAT(stale.text(), HasSubstr("core 2 had written 0x22 there"));
}

TEST(StaleReadTest, TextOfEveryPlace) {
  const std::pair<Location, const char*> places[] = {
      {{Kind::memory, 0}, "the newer value is in memory;"},
      {{Kind::llc, 2}, "in the last-level cache of socket 2;"},
      {{Kind::core, 3}, "in core 3's caches;"},
      {{Kind::write_combining, 4}, "in a write-combining buffer of core 4;"},
      {{Kind::overwritten, 0}, "is nowhere: overwritten when an older copy of the line was"},
      {{Kind::dropped, 0}, "is nowhere: dropped by invd;"}};
  for (const auto& [place, text] : places) {
    auto stale = example();
    stale.place = place;
    EXPECT_THAT(stale.text(), HasSubstr(text));
  }
}

// What a driver's author has to write.
TEST(StaleReadTest, TextOfEveryMissingOperation) {
  const std::pair<Missing, const char*> operations[] = {
      {Missing::flush_before_read, "missing: clflush, or clwb with sfence, before"},
      {Missing::fence_after_flush, "missing: a fence after the clflushopt or clwb"},
      {Missing::fence_after_store, "missing: sfence between the weakly ordered store and"},
      {Missing::invalidate_before_read, "missing: clflush or wbinvd, before the write and again"},
      {Missing::flush_before_device_write, "missing: clflush or wbinvd before the write, or"},
      {Missing::one_memory_type, "missing: one memory type for all mappings"},
      {Missing::do_not_invd, "missing: wbinvd in the place of invd"},
      {Missing::nothing, "missing: nothing in software"}};
  for (const auto& [missing, text] : operations) {
    auto stale = example();
    stale.missing = missing;
    EXPECT_THAT(stale.text(), HasSubstr(text));
  }
}

using Row = std::vector<std::pair<std::string_view, StaleRead::Value>>;

TEST(StaleReadTest, RowForMachines) {
  EXPECT_EQ(example().row(), (Row{{"reader", "0000:01:00.0"},
                                  {"reader_kind", "device"},
                                  {"writer", "core 0"},
                                  {"address", "0x1040"},
                                  {"bytes", 1},
                                  {"got", "0x11"},
                                  {"newest", "0x22"},
                                  {"place", "core 0"},
                                  {"source", "memory"},
                                  {"age_ps", 300'000},
                                  {"time_ps", 812'500},
                                  {"missing", "flush_before_read"}}));
}

std::string cell(const StaleRead& stale, std::string_view name) {
  for (const auto& [column, value] : stale.row()) {
    if (column == name) return std::get<std::string>(value);
  }
  return "no such column";
}

TEST(StaleReadTest, NamesInARow) {
  auto stale = example();
  stale.writer = {};
  EXPECT_EQ(cell(stale, "writer"), "nobody");
  const std::pair<Agent, std::pair<const char*, const char*>> readers[] = {
      {Agent::core, {"core 7", "core"}},
      {Agent::device, {"0000:00:00.7", "device"}},
      {Agent::walker, {"iommu7", "walker"}},
      {Agent::queue, {"iommu7", "queue"}},
      {Agent::debug, {"the back door", "debug"}}};
  for (const auto& [agent, names] : readers) {
    stale.reader = {agent, 7, true, 1_ns};
    EXPECT_EQ(cell(stale, "reader"), names.first);
    EXPECT_EQ(cell(stale, "reader_kind"), names.second);
  }
  const std::pair<Kind, const char*> places[] = {{Kind::memory, "memory"},
                                                 {Kind::llc, "llc 5"},
                                                 {Kind::core, "core 5"},
                                                 {Kind::write_combining, "write_combining 5"},
                                                 {Kind::overwritten, "overwritten"},
                                                 {Kind::dropped, "dropped"}};
  for (const auto& [kind, name] : places) {
    stale.place = {kind, 5};
    EXPECT_EQ(cell(stale, "place"), name);
  }
  const std::pair<Missing, const char*> operations[] = {
      {Missing::flush_before_read, "flush_before_read"},
      {Missing::fence_after_flush, "fence_after_flush"},
      {Missing::fence_after_store, "fence_after_store"},
      {Missing::invalidate_before_read, "invalidate_before_read"},
      {Missing::flush_before_device_write, "flush_before_device_write"},
      {Missing::one_memory_type, "one_memory_type"},
      {Missing::do_not_invd, "do_not_invd"},
      {Missing::nothing, "nothing"}};
  for (const auto& [missing, name] : operations) {
    stale.missing = missing;
    EXPECT_EQ(cell(stale, "missing"), name);
  }
}

TEST(StaleReadTest, PlacesOfEvents) {
  EXPECT_EQ(Location::of(trace::Place::memory, 3), (Location{Kind::memory, 0}))
      << "there is one memory, whatever socket has it";
  EXPECT_EQ(Location::of(trace::Place::llc, 3), (Location{Kind::llc, 3}));
  EXPECT_EQ(Location::of(trace::Place::core, 3), (Location{Kind::core, 3}));
}

}  // namespace
}  // namespace ioasim::cache
