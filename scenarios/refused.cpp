#include "scenarios/refused.hpp"

#include <fmt/format.h>

#include <cstring>

namespace ioasim::scenarios {

Refused::Refused(const std::string& what, int error)
    : std::runtime_error{fmt::format("{}: {} ({})", what, error, strerrorname_np(-error))},
      error_{error} {}

}  // namespace ioasim::scenarios
