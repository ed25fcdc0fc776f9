// What ends a scenario early: the modelled system refused something that it cannot do without.
#pragma once

#include <stdexcept>
#include <string>

namespace ioasim::scenarios {

// Thrown by the user's thread while no other core runs a body of the scenario. World::run() makes
// a failed claim of it, and of nothing else of the scenario.
class Refused final : public std::runtime_error {
 public:
  // What was asked for, and the -errno: "dma0: IOMMU_MAP_DMA", -12.
  Refused(const std::string& what, int error);
  // "dma0: IOMMU_MAP_DMA: -12 (ENOMEM)".
  explicit Refused(const std::string& why) : std::runtime_error{why} {}

  int error() const { return error_; }  // -errno, or 0

 private:
  int error_ = 0;
};

}  // namespace ioasim::scenarios
