// The command line: what the user typed, checked for form, handed to the verb.
#pragma once

#include "scenarios/runner.hpp"

namespace ioasim::scenarios {

// Throws UsageError or ConfigError.
Answer command_line(const Program& program, int argc, const char* const* argv);

}  // namespace ioasim::scenarios
