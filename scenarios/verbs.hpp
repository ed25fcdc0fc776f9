// The verbs that do not simulate. Each gives the text to print, or throws UsageError or
// ConfigError.
#pragma once

#include <string>
#include <vector>

#include "scenarios/runner.hpp"

namespace ioasim::scenarios {

// Of "scenarios", "platforms", "devices", or of all if `what` is empty.
std::string list(const Program& program, const std::string& what);

// A scenario, a platform or a kind of device.
std::string describe(const Program& program, const std::string& name);

// Every parameter: path, value, unit, range, sentence, source of the default.
std::string params(const Program& program, const std::string& platform,
                   const std::vector<std::string>& settings, const std::string& format);

// Whether the file makes a machine that can work.
std::string check(const Program& program, const std::string& file);

}  // namespace ioasim::scenarios
