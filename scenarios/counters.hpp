// What the modules of a machine have counted since a moment, by path: "llc.writebacks".
#pragma once

#include <string_view>

#include "scenarios/simulation.hpp"
#include "stats/registry.hpp"

namespace ioasim::scenarios {

class Counters {
 public:
  explicit Counters(World& world);

  // Since construction. Of a counter that the machine has.
  std::uint64_t since(std::string_view path) const;
  // Of all that end in this: "iotlb_lookup" of every IOMMU.
  std::uint64_t since_of_all(std::string_view ending) const;

 private:
  stats::Snapshot read() const;

  World& world_;
  stats::Registry registry_;
  stats::Snapshot before_;
};

}  // namespace ioasim::scenarios
