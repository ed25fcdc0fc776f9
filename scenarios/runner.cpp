#include "scenarios/runner.hpp"

#include <fmt/format.h>

#include <chrono>

#include "scenarios/json.hpp"
#include "scenarios/outcome.hpp"
#include "scenarios/output.hpp"
#include "scenarios/usage_error.hpp"
#include "scenarios/version.hpp"

namespace ioasim::scenarios {
namespace {

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string formatted(const Outcome& outcome, Format format, const RunCommand& command) {
  switch (format) {
    case Format::text:
      return to_text(outcome, {.colour = command.colour, .quiet = command.quiet});
    case Format::json:
      return to_json(outcome);
    case Format::csv:
      return to_csv(outcome);
  }
  UNREACHABLE();
}

void write_results(OutputDirectory& out, const Outcome& outcome, const Configuration& configuration,
                   const stats::Snapshot& stats, const RunFacts& facts) {
  out.write("result.json", to_json(outcome));
  out.write("config.yaml", to_yaml(configuration));
  out.write("stats.json", to_json(stats));
  out.write("stats.txt", to_text(stats));
  out.write("run.json", to_json(facts));
  out.keep();
}

std::optional<std::uint64_t> parse_seed(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const auto seed = config::Text<std::uint64_t>::parse(*text);
  if (!seed) throw UsageError{fmt::format("--seed {}: {}", *text, seed.error().message)};
  return *seed;
}

}  // namespace

Format parse_format(const std::string& text) {
  const auto format = config::Text<Format>::parse(text);
  if (!format) {
    throw UsageError{fmt::format("--format: unknown format \"{}\"{}", text,
                                 config::offer(text, config::names_of<Format>()))};
  }
  return *format;
}

std::vector<config::Setting> parse_settings(const std::vector<std::string>& texts) {
  std::vector<config::Setting> settings;
  for (const std::string& text : texts) settings.push_back(config::parse_setting(text));
  return settings;
}

Answer run(const Program& program, const RunCommand& command) {
  const Scenario& scenario = find_scenario(program.scenarios, command.scenario);
  const Format format = parse_format(command.format);
  Configuration configuration = configure(
      {.platform = command.platform.empty() ? std::string{scenario.platform} : command.platform,
       .settings = parse_settings(command.settings),
       .seed = parse_seed(command.seed)},
      &scenario, program.scenarios);
  std::optional<OutputDirectory> out;
  if (command.out) out.emplace(*command.out);
  Traces traces{command.traces, out ? &*out : nullptr, format != Format::text};

  Outcome outcome{.scenario = std::string{scenario.name},
                  .question = std::string{scenario.question},
                  .platform = configuration.machine.name,
                  .seed = configuration.seed};
  const auto begin = std::chrono::steady_clock::now();
  const auto result = program.run(scenario, configuration, outcome.report, traces.requests());
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  outcome.sim_time = result.sim_time;
  traces.finish();

  if (out) {
    const double simulated = static_cast<double>(result.sim_time.count()) * 1e-12;
    const RunFacts facts{.version = std::string{version},
                         .compiler = compiler(),
                         .command_line = command.command_line,
                         .wall_seconds = wall.count(),
                         .simulated_seconds_per_second = simulated / wall.count(),
                         .output_hash = output_hash(outcome)};
    write_results(*out, outcome, configuration, result.stats, facts);
  }
  const bool held = outcome.report.all_held() && result.stuck.empty();
  return {.status = held ? exit_held : exit_failed,
          .text = formatted(outcome, format, command),
          .complaint =
              result.stuck.empty() ? std::string{} : fmt::format("ioasim: {}\n", result.stuck)};
}

}  // namespace ioasim::scenarios
