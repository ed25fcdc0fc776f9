#include "scenarios/configuration.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "machine/shipped.hpp"

namespace ioasim::scenarios {
namespace {

using config::ConfigError;

std::vector<std::string> shipped_names() {
  std::vector<std::string> names;
  for (const machine::Shipped& one : machine::shipped()) names.emplace_back(one.name);
  return names;
}

// A shipped machine's name wins over a file of that name; ./NAME means the file.
config::Value read_platform(const std::string& platform) {
  for (const machine::Shipped& one : machine::shipped()) {
    if (one.name == platform) {
      return config::read_text(std::string{one.yaml}, fmt::format("{}.yaml", one.name));
    }
  }
  struct stat status {};
  const bool is_path = platform.find_first_of("/.") != std::string::npos;
  if (!is_path && ::stat(platform.c_str(), &status) != 0) {
    throw ConfigError{{{},
                       {},
                       {},
                       fmt::format("unknown platform \"{}\", and no file of that name{}", platform,
                                   config::offer(platform, shipped_names()))}};
  }
  return config::read_file(platform);
}

config::Node header(std::string_view name, auto& value, std::string_view doc) {
  config::Node node = config::leaf(name, value, doc);
  node.settable = false;
  return node;
}

// What a file holds beside the machine itself.
std::vector<config::Node> sections(Configuration& configuration) {
  std::vector<config::Node> nodes;
  nodes.push_back(config::bind("kernel", configuration.kernel, "the simulated operating system"));
  nodes.push_back(config::bind("simulation", configuration.simulation, "how it is simulated"));
  nodes.push_back(header("scenario_name", configuration.scenario_name, "the scenario to run"));
  nodes.push_back(configuration.scenario.bind());
  nodes.push_back(header("seed", configuration.seed, "seed of all random draws"));
  return nodes;
}

// Which scenario's parameters the file holds.
const Scenario* scenario_of(const config::Value& document, const Scenario* asked,
                            std::span<const Scenario> known) {
  const config::Entry* name = document.find("scenario_name");
  if (!name || name->value.text.empty()) return asked;
  const auto fail = [&](const std::string& message) {
    throw ConfigError{{name->value.place, "scenario_name", name->value.text, message}};
  };
  if (!asked) {
    for (const Scenario& scenario : known) {
      if (scenario.name == name->value.text) return &scenario;
    }
    fail("unknown scenario" + config::offer(name->value.text, names_of(known)));
  } else if (asked->name != name->value.text) {
    fail(
        fmt::format("the file is for another scenario; to run {} on its machine, remove "
                    "scenario_name and scenario",
                    asked->name));
  }
  return asked;
}

void require_devices(const Scenario& scenario, const machine::Description& machine,
                     const std::string& platform) {
  for (const std::string_view needed : scenario.devices) {
    const bool there = std::any_of(machine.devices.begin(), machine.devices.end(),
                                   [&](const auto& device) { return device.name == needed; });
    if (there) continue;
    throw ConfigError{{{platform},
                       "devices",
                       {},
                       fmt::format("{} needs a device named {}", scenario.name, needed)}};
  }
}

void require_oracle(const Scenario& scenario, const SimulationParams& simulation) {
  if (!scenario.needs_oracle || simulation.oracle) return;
  throw ConfigError{{{},
                     "simulation.oracle",
                     "false",
                     fmt::format("{} is answered by the oracle; leave it on", scenario.name)}};
}

}  // namespace

Configuration configure(const Request& request, const Scenario* scenario,
                        std::span<const Scenario> known) {
  const config::Value document = read_platform(request.platform);
  const Scenario* found = scenario_of(document, scenario, known);
  Configuration configuration;
  if (found) configuration.scenario = found->parameters();
  configuration.machine = machine::load(document, request.settings, sections(configuration));
  if (found) {
    configuration.scenario_name = found->name;
    require_devices(*found, configuration.machine, request.platform);
    require_oracle(*found, configuration.simulation);
    if (found->check != nullptr) found->check(configuration);
  }
  if (request.seed) configuration.seed = *request.seed;
  return configuration;
}

config::Node tree(Configuration& configuration) {
  return machine::tree(configuration.machine, sections(configuration));
}

std::string to_yaml(Configuration configuration) {
  return "# Resolved configuration. Give it back with --platform and this file's name.\n" +
         config::to_yaml(tree(configuration));
}

std::vector<std::string> names_of(std::span<const Scenario> scenarios) {
  std::vector<std::string> names;
  for (const Scenario& scenario : scenarios) names.emplace_back(scenario.name);
  return names;
}

const Scenario& find_scenario(std::span<const Scenario> scenarios, const std::string& name) {
  const auto found = std::find_if(scenarios.begin(), scenarios.end(),
                                  [&](const Scenario& one) { return one.name == name; });
  if (found != scenarios.end()) return *found;
  throw ConfigError{
      {{},
       {},
       {},
       fmt::format("unknown scenario \"{}\"{}", name, config::offer(name, names_of(scenarios)))}};
}

}  // namespace ioasim::scenarios
