#include "scenarios/list.hpp"

#include <vector>

namespace ioasim::scenarios {

std::span<const Scenario> scenarios() {
  static const std::vector<Scenario> all{
      first_dma(),         coherency_matrix(), invalidation_latency(), snoop_vs_nosnoop(),
      false_sharing_dma(), memory_types(),     coherence_torture(),    wbinvd_cost(),
      flush_crossover(),   ddio_window()};
  return all;
}

}  // namespace ioasim::scenarios
