// All that decides a run: the machine, the kernel, how it is simulated, the scenario's parameters
// and the seed. One file holds it, and gives the same results when it is read again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/params.hpp"
#include "machine/description.hpp"
#include "scenarios/scenario.hpp"

namespace ioasim::scenarios {

enum class Mode { run_ahead, step };

constexpr auto enum_names(Mode) {
  return std::array{Named{Mode::run_ahead, "run-ahead"}, Named{Mode::step, "step"}};
}

struct SimulationParams {
  Mode mode = Mode::run_ahead;
  bool shuffle_ties = false;
  Picoseconds watchdog = 100_ms;
  bool oracle = true;
  bool isolation = true;

  static constexpr auto fields = std::tuple{
      Field{"mode", &SimulationParams::mode,
            "run ahead of the SystemC kernel, or return to it at every instant; results are the "
            "same [model choice]"},
      Field{"shuffle_ties", &SimulationParams::shuffle_ties,
            "events of one instant come in an order drawn from the seed [model choice]"},
      Field{"watchdog", &SimulationParams::watchdog,
            "simulated time without progress after which a run is given up [model choice]",
            Limits{1_us, 1'000'000_ms}},
      Field{"oracle", &SimulationParams::oracle, "report reads of stale data [model choice]"},
      Field{"isolation", &SimulationParams::isolation,
            "report DMA to memory that is not mapped for the device [model choice]"}};
};

struct Configuration {
  machine::Description machine{};
  kernel::Params kernel{};
  SimulationParams simulation{};
  Parameters scenario = parameters_of<>();
  std::string scenario_name{};  // empty: of no scenario
  std::uint64_t seed = 1;
};

struct Request {
  std::string platform;                     // a shipped machine's name, else a file
  std::vector<config::Setting> settings{};  // of several for one path, the last wins
  std::optional<std::uint64_t> seed{};      // else the file's, else 1
};

// The configuration for `scenario`. Without one, for that which the file names among `known`, if
// it names any. Throws ConfigError.
Configuration configure(const Request& request, const Scenario* scenario,
                        std::span<const Scenario> known);

// Bound to `configuration`, which must stay where it is while the tree is in use.
config::Node tree(Configuration& configuration);

// As a file that `--platform` accepts.
std::string to_yaml(Configuration configuration);

std::vector<std::string> names_of(std::span<const Scenario> scenarios);
// Throws ConfigError if there is none of that name.
const Scenario& find_scenario(std::span<const Scenario> scenarios, const std::string& name);

}  // namespace ioasim::scenarios
