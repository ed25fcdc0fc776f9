#include "scenarios/dma_way.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace ioasim::scenarios {
namespace {

const auto& named(const auto& parts, std::string_view name) {
  const auto found =
      std::find_if(parts.begin(), parts.end(), [&](const auto& part) { return part.name == name; });
  CHECK(found != parts.end());
  return *found;
}

}  // namespace

DmaWay dma_way(const machine::Description& machine, std::string_view device) {
  const auto& first = named(machine.devices, device);
  const auto& port = named(machine.root_ports, first.port);
  return {first, port, named(machine.iommus, port.iommu)};
}

}  // namespace ioasim::scenarios
