#include "scenarios/report.hpp"

#include <gmock/gmock.h>

#include "scenarios/outcome.hpp"
#include "scenarios/table.hpp"

namespace ioasim::scenarios {
namespace {

using testing::HasSubstr;

TEST(Decimal, IsExact) {
  EXPECT_EQ(to_text(Decimal{0, 3}), "0");
  EXPECT_EQ(to_text(Decimal{980, 3}), "0.98");
  EXPECT_EQ(to_text(Decimal{-1'500, 3}), "-1.5");
  EXPECT_EQ(to_text(Decimal{5, 3}), "0.005");
  EXPECT_EQ(to_text(Decimal{7, 0}), "7");
  EXPECT_EQ(to_text(Decimal{INT64_MIN, 0}), "-9223372036854775808");
  EXPECT_EQ(to_text(nanoseconds(300_ns)), "300");
  EXPECT_EQ(to_text(nanoseconds(Picoseconds{1'234'567})), "1234.567");
}

TEST(Decimal, RatiosRoundHalfUp) {
  EXPECT_EQ(to_text(ratio(1, 3)), "0.333");
  EXPECT_EQ(to_text(ratio(2, 3)), "0.667");
  EXPECT_EQ(to_text(ratio(1, 2, 0)), "1");
  EXPECT_EQ(to_text(ratio(98, 100)), "0.98");
  EXPECT_EQ(to_text(ratio(1, 0)), "0");
  EXPECT_EQ(to_text(ratio(UINT64_MAX, UINT64_MAX)), "1");
}

TEST(Table, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(csv({{"a", "b,c"}, {"say \"x\"", "two\nlines"}}),
            "a,\"b,c\"\r\n\"say \"\"x\"\"\",\"two\nlines\"\r\n");
}

TEST(Table, AlignsByCharacter) {
  EXPECT_EQ(aligned({{"µs", "1"}, {"abc", "100"}}, {Align::left, Align::right}),
            "µs     1\nabc  100\n");
}

Outcome example() {
  Outcome outcome{.scenario = "first-dma",
                  .question = "How long?",
                  .platform = "server",
                  .seed = 1,
                  .sim_time = Picoseconds{12'345}};
  Report& report = outcome.report;
  report.column("latency", "ns", "doorbell to interrupt");
  report.column("stale", "", "old data were read");
  report.row("read", {{"latency", Picoseconds{1'234'500}}, {"stale", false}});
  report.row("write, no snoop", {{"stale", true}, {"latency", 300_ns}});
  report.metric("iotlb_hit_rate", ratio(98, 100), "1", "lookups that hit");
  report.claim("reads are fresh", true, "0 of 1 stale");
  report.claim("writes are fresh", false, "1 of 1 stale");
  return outcome;
}

// In every form, in a column of numbers.
TEST(Outcome, CellWithoutAValue) {
  Outcome outcome;
  outcome.report.column("time", "ns", "of a neighbour");
  outcome.report.row("alone", {{"time", Cell{}}});
  outcome.report.row("beside", {{"time", std::optional{5_ns}}});
  EXPECT_EQ(to_text(outcome, {.quiet = true}),
            "name    time\n"
            "          ns\n"
            "alone      -\n"
            "beside     5\n");
  EXPECT_EQ(to_csv(outcome), "name,time (ns)\r\nalone,\r\nbeside,5\r\n");
  EXPECT_THAT(to_json(outcome), HasSubstr(R"({"name":"alone","time":null})"));
}

TEST(Outcome, NoLineOfUnitsWithoutUnits) {
  Outcome outcome;
  outcome.report.column("reads", "1", "of all");
  outcome.report.row("all", {{"reads", 3}});
  EXPECT_EQ(to_text(outcome, {.quiet = true}), "name  reads\nall       3\n");
}

TEST(Report, AnswersWhatWasPutIn) {
  const Report report = example().report;
  EXPECT_EQ(report.at("write, no snoop", "latency"), Cell{300_ns});
  EXPECT_FALSE(report.all_held());
  EXPECT_TRUE(Report{}.all_held());
}

TEST(Outcome, Text) {
  const Outcome outcome = example();
  EXPECT_EQ(to_text(outcome, {}),
            "How long?\n"
            "scenario first-dma, platform server, seed 1, simulated time 12.345 ns, output hash " +
                output_hash(outcome) +
                "\n"
                "\n"
                "name             latency  stale\n"
                "                      ns\n"
                "read              1234.5  no\n"
                "write, no snoop      300  yes\n"
                "\n"
                "latency  doorbell to interrupt\n"
                "stale    old data were read\n"
                "\n"
                "iotlb_hit_rate  0.98    lookups that hit\n"
                "\n"
                "held    reads are fresh (0 of 1 stale)\n"
                "FAILED  writes are fresh (1 of 1 stale)\n");
}

TEST(Outcome, QuietTextHasNoProse) {
  EXPECT_EQ(to_text(example(), {.quiet = true}),
            "name             latency  stale\n"
            "                      ns\n"
            "read              1234.5  no\n"
            "write, no snoop      300  yes\n"
            "\n"
            "iotlb_hit_rate  0.98\n"
            "\n"
            "held    reads are fresh (0 of 1 stale)\n"
            "FAILED  writes are fresh (1 of 1 stale)\n");
}

TEST(Outcome, ColourOnlyIfAsked) {
  EXPECT_EQ(to_text(example(), {}).find('\033'), std::string::npos);
  EXPECT_THAT(to_text(example(), {.colour = true}), HasSubstr("\033[1;31mFAILED\033[0m"));
}

TEST(Outcome, Csv) {
  EXPECT_EQ(to_csv(example()),
            "name,latency (ns),stale\r\n"
            "read,1234.5,false\r\n"
            "\"write, no snoop\",300,true\r\n");
}

TEST(Outcome, Json) {
  const Outcome outcome = example();
  const std::string json = to_json(outcome);
  EXPECT_THAT(json, testing::StartsWith("{\"schema\":1,\"version\":\""));
  const auto rest = json.substr(json.find("\"scenario\""));
  EXPECT_EQ(
      rest,
      R"("scenario":"first-dma","question":"How long?","platform":"server","seed":1,)"
      R"("sim_time_ps":12345,"columns":[{"name":"latency","unit":"ns",)"
      R"("doc":"doorbell to interrupt"},{"name":"stale","unit":"","doc":"old data were read"}],)"
      R"("rows":[{"name":"read","latency":1234.5,"stale":false},)"
      R"({"name":"write, no snoop","latency":300,"stale":true}],)"
      R"("metrics":{"iotlb_hit_rate":{"value":0.98,"unit":"1","doc":"lookups that hit"}},)"
      R"("claims":[{"text":"reads are fresh","held":true,"detail":"0 of 1 stale"},)"
      R"({"text":"writes are fresh","held":false,"detail":"1 of 1 stale"}],)"
      R"("stale_reads":[],"output_hash":")" +
          output_hash(outcome) + "\"}\n");
}

StaleRead stale_read(std::int64_t number) {
  return {.text = "read " + std::to_string(number) + " was stale",
          .values = {{"reader", "core 1"}, {"time_ps", number}}};
}

// Of each kind, that is of each reader and missing operation, the first; five kinds at most.
TEST(Outcome, TextExplainsTheFirstFiveKindsOfStaleReads) {
  Outcome outcome{.scenario = "s", .question = "?", .platform = "server"};
  outcome.report.column("latency", "ns", "of the read");
  outcome.report.row("read", {{"latency", 1_ns}});
  outcome.report.metric("stale_reads", 5, "1", "old");
  const auto add = [&](std::int64_t number, const std::string& missing) {
    auto read = stale_read(number);
    read.values.emplace_back("missing", missing);
    outcome.report.stale_read(read);
  };
  add(0, "flush");
  add(1, "fence");
  add(2, "flush");
  add(3, "flush");
  EXPECT_THAT(to_text(outcome, {}),
              HasSubstr("\n\nread 0 was stale; and 2 alike\nread 1 was stale\n\nstale_reads  5"));
  for (int n = 4; n < 9; ++n) add(n, std::to_string(n));
  EXPECT_THAT(to_text(outcome, {}), HasSubstr("\nread 6 was stale\nand 2 more\n\n"));
  EXPECT_THAT(to_text(outcome, {.quiet = true}), testing::Not(HasSubstr("was stale")));
}

TEST(Outcome, JsonHasTheStaleReadsInOrder) {
  Outcome outcome;
  outcome.report.stale_read(stale_read(7));
  outcome.report.stale_read(stale_read(3));
  EXPECT_THAT(to_json(outcome), HasSubstr(R"("stale_reads":[{"reader":"core 1","time_ps":7},)"
                                          R"({"reader":"core 1","time_ps":3}],"output_hash")"));
}

TEST(Report, KeepsTheFirstStaleReadsAndCountsAll) {
  Report report;
  const int kept = static_cast<int>(Report::stale_reads_kept);
  for (int n = 0; n <= kept; ++n) report.stale_read(stale_read(n));
  EXPECT_EQ(report.stale_reads().size(), Report::stale_reads_kept);
  EXPECT_EQ(report.stale_reads().back().values[1].second, Cell{kept - 1});
  EXPECT_EQ(report.stale_reads_seen(), Report::stale_reads_kept + 1);
}

TEST(Outcome, HashIsOfTheResult) {
  const std::string hash = output_hash(example());
  EXPECT_EQ(hash.size(), 16u);
  EXPECT_EQ(output_hash(example()), hash);
  Outcome other = example();
  other.seed = 2;
  EXPECT_NE(output_hash(other), hash);
  other = example();
  other.report.claim("more", true);
  EXPECT_NE(output_hash(other), hash);
  other = example();
  other.report.stale_read(stale_read(1));
  EXPECT_NE(output_hash(other), hash);
}

}  // namespace
}  // namespace ioasim::scenarios
