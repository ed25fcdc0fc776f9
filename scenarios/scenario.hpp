// A question that can be run: what it asks, on which machine, and the code that answers it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "scenarios/parameters.hpp"

namespace ioasim::scenarios {

class World;           // what a scenario runs in: scenarios/simulation.hpp
struct Configuration;  // all that decides a run: scenarios/configuration.hpp

struct Scenario {
  std::string_view name;
  std::string_view question;
  std::string_view platform;  // the shipped machine it runs on unless another is asked for
  std::vector<std::string_view> devices{};  // names of devices that the machine must have
  bool needs_oracle = false;                // it says what is stale, and why
  Parameters (*parameters)() = parameters_of<>;
  // What it asks of the machine beside devices. Throws ConfigError.
  void (*check)(const Configuration&) = nullptr;
  void (*run)(World&) = nullptr;
};

// Every scenario of this program, in the order in which `list` shows them.
std::span<const Scenario> scenarios();

}  // namespace ioasim::scenarios
