// Trace events as text.
#pragma once

#include <string>

#include "base/time.hpp"
#include "trace/events.hpp"

namespace ioasim::trace {

// "12.345 ns": exact, with three decimals.
std::string to_text(Picoseconds at);

// The event's name and its fields: "tlp_hop transaction=1 hop=issued requester=0000:3b:00.0".
std::string to_text(const Event& event);

}  // namespace ioasim::trace
