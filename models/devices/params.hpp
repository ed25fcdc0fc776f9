// Parameters of the device models.
#pragma once

#include "base/fields.hpp"
#include "base/quantity.hpp"
#include "pcie/params.hpp"

namespace ioasim::devices {

// A descriptor-driven copy engine.
struct DmaEngineParams {
  pcie::EndpointParams function{};
  Picoseconds setup = 120_ns;
  Picoseconds issue = 21'053_ps;
  unsigned requests_max = 32;

  static constexpr auto fields = std::tuple{
      Field{"function", &DmaEngineParams::function, "the PCIe function"},
      Field{"setup", &DmaEngineParams::setup,
            "engine's own time from doorbell or descriptor to its first request [CAL-4]",
            Limits{0_ps, 100'000_ns}},
      Field{"issue", &DmaEngineParams::issue,
            "shortest time between two requests: 47.5 M/s [CAL-4]", Limits{0_ps, 100'000_ns}},
      Field{"requests_max", &DmaEngineParams::requests_max,
            "requests of one copy in flight [CAL-4]", Limits{1u, 1024u}}};
};

}  // namespace ioasim::devices
