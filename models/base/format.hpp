// Text forms that are the same wherever they appear: in traces, in fault lines, in messages.
#pragma once

#include <string>

#include "base/address.hpp"

namespace ioasim {

// Segment, bus, device and function, as Linux prints them: "0000:3b:00.0".
std::string to_text(RequesterId id);

}  // namespace ioasim
