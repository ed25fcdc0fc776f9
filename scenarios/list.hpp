// The scenarios of this program, each in a file of its own.
#pragma once

#include "scenarios/scenario.hpp"

namespace ioasim::scenarios {

Scenario first_dma();
Scenario coherency_matrix();
Scenario invalidation_latency();

}  // namespace ioasim::scenarios
