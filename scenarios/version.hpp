// The version of this program, given by the build.
#pragma once

#include <string_view>

namespace ioasim::scenarios {

inline constexpr std::string_view version = IOASIM_VERSION;

}  // namespace ioasim::scenarios
