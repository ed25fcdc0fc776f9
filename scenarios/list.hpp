// The scenarios of this program, each in a file of its own.
#pragma once

#include "scenarios/scenario.hpp"

namespace ioasim::scenarios {

Scenario first_dma();
Scenario coherency_matrix();
Scenario invalidation_latency();
Scenario snoop_vs_nosnoop();
Scenario false_sharing_dma();
Scenario memory_types();
Scenario coherence_torture();
Scenario wbinvd_cost();
Scenario flush_crossover();
Scenario ddio_window();

}  // namespace ioasim::scenarios
