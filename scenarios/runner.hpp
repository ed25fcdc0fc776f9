// Runs one scenario and writes what came out.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scenarios/configuration.hpp"
#include "scenarios/report.hpp"
#include "scenarios/scenario.hpp"
#include "scenarios/traces.hpp"
#include "stats/registry.hpp"

namespace ioasim::scenarios {

struct SimulationResult {
  Picoseconds sim_time{0};  // the instant at which the simulation ended
  stats::Snapshot stats{};  // of every module, at that instant
  std::string stuck{};      // what waits for what, if the watchdog ended it; else empty
};

// Builds the machine and the kernel that `configuration` describes, runs the scenario's code on
// them until it returns and everything has drained, and fills the report. Adds the listeners of
// `traces` to the bus for that time. Draws random numbers from configuration.seed alone. To be
// called once a process; prints nothing on standard output. In scenarios/simulation.cpp.
SimulationResult simulate(const Scenario& scenario, Configuration& configuration, Report& report,
                          const std::vector<TraceRequest>& traces);

// What the verbs work on: the scenarios there are, and what runs one.
struct Program {
  std::span<const Scenario> scenarios;
  decltype(&simulate) run;
};

enum class Format { text, json, csv };

constexpr auto enum_names(Format) {
  return std::array{Named{Format::text, "text"}, Named{Format::json, "json"},
                    Named{Format::csv, "csv"}};
}

inline constexpr int exit_held = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

struct RunCommand {
  std::string scenario;
  std::string platform{};  // empty: the scenario's own
  std::vector<std::string> settings{};
  std::optional<std::string> seed{};
  std::optional<std::string> out{};
  std::string format = "text";
  std::vector<std::string> traces{};
  bool quiet = false;
  bool colour = false;
  std::vector<std::string> command_line{};
};

struct Answer {
  int status = exit_held;
  std::string text{};       // for standard output
  std::string complaint{};  // for standard error
};

// Throws UsageError or ConfigError, having written nothing.
Answer run(const Program& program, const RunCommand& command);

Format parse_format(const std::string& text);
std::vector<config::Setting> parse_settings(const std::vector<std::string>& texts);

}  // namespace ioasim::scenarios
