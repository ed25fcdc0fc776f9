#include "scenarios/list.hpp"

#include <vector>

namespace ioasim::scenarios {

std::span<const Scenario> scenarios() {
  static const std::vector<Scenario> all{first_dma(), coherency_matrix(), invalidation_latency()};
  return all;
}

}  // namespace ioasim::scenarios
