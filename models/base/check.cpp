#include "base/check.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace ioasim {
namespace {

std::string nowhere() { return "outside a simulation"; }

// One simulation a process (design section 3), hence one context a process.
CheckContext current_context = nowhere;

}  // namespace

void set_check_context(CheckContext context) { current_context = context; }

void check_failed(std::string_view expression, const char* file, int line) {
  fmt::print(stderr, "ioasim: internal error: {} ({}:{}), {}\n", expression, file, line,
             current_context());
  std::fflush(nullptr);
  std::_Exit(check_exit_status);
}

}  // namespace ioasim
