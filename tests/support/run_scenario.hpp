// Runs a scenario on the server, in a process of its own.
#pragma once

#include <string>
#include <vector>

#include "scenarios/runner.hpp"
#include "support/forked.hpp"

namespace ioasim::test {

// What `of` says about the report and the configuration; and what was stuck or went wrong.
template <class Of>
std::string run_scenario(const scenarios::Scenario& scenario,
                         const std::vector<std::string>& settings, Of of) {
  const auto forked = in_fork([&] {
    auto configuration = configure(
        {.platform = "server", .settings = scenarios::parse_settings(settings)}, &scenario, {});
    scenarios::Report report;
    const auto result = simulate(scenario, configuration, report, {});
    return result.stuck + of(report, configuration);
  });
  return forked.text + forked.why();
}

// The claims that did not hold.
inline std::string not_held(const scenarios::Report& report) {
  std::string text;
  for (const auto& claim : report.claims()) {
    if (!claim.held) text += claim.text + " " + claim.detail + "\n";
  }
  return text;
}

}  // namespace ioasim::test
