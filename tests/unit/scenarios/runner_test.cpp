#include "scenarios/runner.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "scenarios/usage_error.hpp"
#include "scenarios/verbs.hpp"

namespace ioasim::scenarios {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

struct TestParams {
  unsigned copies = 4;
  Picoseconds gap = 5_ns;

  static constexpr auto fields =
      std::tuple{Field{"copies", &TestParams::copies, "copies made [model choice]", Limits{1u, 9u}},
                 Field{"gap", &TestParams::gap, "time between two [model choice]"}};
};

constexpr Scenario test_scenarios[]{
    {.name = "first-dma",
     .question = "How long does a copy take?",
     .platform = "server",
     .parameters = parameters_of<TestParams>},
    {.name = "coherency-matrix", .question = "Which reads are stale?", .platform = "client"}};

// Stands in for the simulation: what it reports follows from the configuration alone.
SimulationResult pretend(const Scenario& scenario, Configuration& configuration, Report& report,
                         const std::vector<TraceRequest>& traces) {
  report.column("copies", "1", "copies made");
  std::uint64_t copies = 0;
  if (scenario.name == "first-dma") copies = configuration.scenario.as<TestParams>().copies;
  report.row("all", {{"copies", copies}});
  report.claim("snooping can be forced", configuration.machine.iommus[0].params.snoop_control);
  for (const TraceRequest& trace : traces) trace.listener->on(5_ps, trace::Interrupt{0, 1});
  SimulationResult result{.sim_time = 1_us};
  if (copies == 9) result.stuck = "nothing moves";
  return result;
}

constexpr Program program{.scenarios = test_scenarios, .run = pretend};

class Runner : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path{testing::TempDir()} / (std::string{"ioasim_runner_"} + test->name());
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static std::string read(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream{path(name)} << text;
  }
  std::vector<std::string> files(const std::string& name = ".") const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator{folder_ / name}) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  template <class Act>
  static std::string error_of(Act act) {
    try {
      act();
    } catch (const UsageError& error) {
      return error.what();
    } catch (const config::ConfigError& error) {
      return error.what();
    }
    return "accepted";
  }
  static std::string error_of_run(const RunCommand& command) {
    return error_of([&] { run(program, command); });
  }

  fs::path folder_;
};

TEST_F(Runner, StatusIsThatOfTheClaims) {
  EXPECT_EQ(run(program, {.scenario = "first-dma"}).status, exit_held);
  EXPECT_EQ(run(program, {.scenario = "first-dma", .platform = "client"}).status, exit_failed);
}

TEST_F(Runner, AStuckRunFails) {
  const auto answer = run(program, {.scenario = "first-dma", .settings = {"scenario.copies=9"}});
  EXPECT_EQ(answer.status, exit_failed);
  EXPECT_EQ(answer.complaint, "ioasim: nothing moves\n");
}

TEST_F(Runner, UnknownNames) {
  EXPECT_EQ(error_of_run({.scenario = "first-dam"}),
            "unknown scenario \"first-dam\"; did you mean first-dma?");
  EXPECT_EQ(error_of_run({.scenario = "first-dma", .platform = "servr"}),
            "unknown platform \"servr\", and no file of that name; did you mean server?");
  EXPECT_EQ(error_of_run({.scenario = "first-dma", .format = "jsn"}),
            "--format: unknown format \"jsn\"; did you mean json?");
  EXPECT_EQ(error_of_run({.scenario = "first-dma", .traces = {"txt"}}),
            "--trace: unknown kind \"txt\"; did you mean text?");
  EXPECT_EQ(error_of_run({.scenario = "first-dma", .settings = {"kernel.pin_pgae=1ns"}}),
            "--set kernel.pin_pgae=1ns: unknown parameter; did you mean kernel.pin_page?");
  EXPECT_EQ(error_of_run({.scenario = "first-dma", .settings = {"scenario.copies=10"}}),
            "--set scenario.copies=10: out of range: must be from 1 to 9");
  EXPECT_THAT(error_of_run({.scenario = "first-dma", .seed = "-1"}),
              HasSubstr("--seed -1: not a count"));
}

TEST_F(Runner, TracesThatComeLater) {
  for (const std::string kind : {"perfetto", "vcd", "pcapng"}) {
    EXPECT_EQ(error_of_run({.scenario = "first-dma", .traces = {kind + ":f"}}),
              "--trace " + kind + " comes later; today use --trace text:FILE");
  }
}

TEST_F(Runner, DirectoriesThatCannotBeUsed) {
  write("file", "x");
  EXPECT_THAT(error_of_run({.scenario = "first-dma", .out = path("file")}),
              HasSubstr("is a file: name a directory"));
  EXPECT_THAT(error_of_run({.scenario = "first-dma", .out = path("file/below")}),
              HasSubstr("is no directory"));
  EXPECT_THAT(error_of_run({.scenario = "first-dma", .out = folder_.string()}),
              HasSubstr("is not empty"));
  EXPECT_THAT(error_of_run({.scenario = "first-dma", .out = ""}), HasSubstr("name of a directory"));
  EXPECT_THAT(files(), UnorderedElementsAre("file"));
}

TEST_F(Runner, WritesItsResults) {
  fs::create_directory(path("empty"));
  for (const std::string out : {"new", "empty", "a/b/", "slash/"}) {
    run(program, {.scenario = "first-dma", .out = path(out), .traces = {"text"}});
    EXPECT_THAT(files(out), UnorderedElementsAre("result.json", "config.yaml", "stats.json",
                                                 "stats.txt", "run.json", "trace.txt"));
    EXPECT_EQ(read(path(out + "/trace.txt")), "         0.005 ns interrupt core=0 vector=1\n");
  }
}

TEST_F(Runner, AMistakeLeavesNothingBehind) {
  EXPECT_THAT(error_of_run({.scenario = "first-dma",
                            .out = path("a/b"),
                            .traces = {"text", "text:" + path("t"), "text:/dev/full"}}),
              HasSubstr("/dev/full: cannot write: No space left on device"));
  EXPECT_THAT(
      error_of_run({.scenario = "first-dma", .traces = {"text:" + path("t"), "text:/nowhere/t"}}),
      HasSubstr("cannot write: No such file or directory"));
  EXPECT_THAT(
      error_of_run({.scenario = "first-dma", .traces = {"text:" + path("t"), "text:" + path("t")}}),
      HasSubstr("two traces cannot go to one place"));
  EXPECT_THAT(error_of_run({.scenario = "first-dma", .format = "json", .traces = {"text:-"}}),
              HasSubstr("the result goes there"));
  EXPECT_THAT(error_of_run({.scenario = "first-dma", .traces = {"text:"}}),
              HasSubstr("name a file"));
  EXPECT_TRUE(files().empty());
}

TEST_F(Runner, AnExistingTraceFileSurvivesAMistake) {
  write("t", "old");
  EXPECT_NE(
      error_of_run(
          {.scenario = "first-dma", .settings = {"cpu.cores=0"}, .traces = {"text:" + path("t")}}),
      "accepted");
  EXPECT_EQ(read(path("t")), "old");
}

TEST_F(Runner, TheResolvedConfigurationGivesTheSameResult) {
  const auto first = run(program, {.scenario = "first-dma",
                                   .settings = {"scenario.copies=7", "iommu0.lookup=1.5ns"},
                                   .seed = "42",
                                   .out = path("a"),
                                   .format = "json"});
  const auto second = run(program, {.scenario = "first-dma",
                                    .platform = path("a/config.yaml"),
                                    .out = path("b"),
                                    .format = "json"});
  EXPECT_EQ(first.text, second.text);
  for (const std::string name : {"result.json", "config.yaml", "stats.json"}) {
    EXPECT_EQ(read(path("a/" + name)), read(path("b/" + name))) << name;
  }
  EXPECT_THAT(first.text, HasSubstr("\"seed\":42"));
  const auto other = run(
      program,
      {.scenario = "first-dma", .platform = path("a/config.yaml"), .seed = "43", .format = "json"});
  EXPECT_THAT(other.text, HasSubstr("\"seed\":43"));
}

TEST_F(Runner, AConfigurationIsForItsScenario) {
  run(program, {.scenario = "first-dma", .out = path("a")});
  EXPECT_THAT(error_of_run({.scenario = "coherency-matrix", .platform = path("a/config.yaml")}),
              HasSubstr("scenario_name=first-dma: the file is for another scenario"));
  EXPECT_THAT(check(program, path("a/config.yaml")), HasSubstr("machine server"));
  write("unknown.yaml", "scenario_name: first-dam\n");
  EXPECT_THAT(error_of([&] { check(program, path("unknown.yaml")); }),
              HasSubstr("unknown scenario; did you mean first-dma?"));
  write("nameless.yaml", "scenario: {copies: 3}\n");
  EXPECT_THAT(error_of([&] { check(program, path("nameless.yaml")); }),
              HasSubstr("scenario.copies: unknown key"));
}

TEST(Verbs, List) {
  const std::string all = list(program, "");
  EXPECT_THAT(all, HasSubstr("scenarios\n  first-dma         How long does a copy take?\n"));
  EXPECT_THAT(all, HasSubstr("platforms\n  client  "));
  EXPECT_THAT(all, HasSubstr("devices\n  dma-engine  "));
  EXPECT_THAT(list(program, "devices"), testing::StartsWith("dma-engine  "));
  EXPECT_THROW(list(program, "device"), UsageError);
}

TEST(Verbs, Describe) {
  EXPECT_THAT(describe(program, "first-dma"), HasSubstr("scenario.copies  4      count  1..9"));
  EXPECT_THAT(describe(program, "server"), HasSubstr("iommu0     IOMMU"));
  EXPECT_THAT(describe(program, "dma-engine"), HasSubstr("NAME.function.no_snoop"));
  EXPECT_THROW(describe(program, "firstdma"), UsageError);
}

TEST(Verbs, Params) {
  const std::string text = params(program, "server", {"memory.latency=50ns"}, "text");
  EXPECT_THAT(text, testing::ContainsRegex("memory\\.latency +50ns +time +0ns\\.\\.10us +from"));
  EXPECT_THAT(text, HasSubstr("[CAL-7]"));
  EXPECT_THAT(text, HasSubstr("simulation.watchdog"));
  EXPECT_THAT(
      params(program, "client", {}, "csv"),
      testing::StartsWith(
          "path,value,unit,range,doc,source\r\n"
          "cpu.cores,2,count,1..64,\"cores, an equal number in each socket\",model choice\r\n"));
  EXPECT_THAT(params(program, "client", {}, "json"), HasSubstr("\"path\": \"cpu.cores\""));
}

}  // namespace
}  // namespace ioasim::scenarios
