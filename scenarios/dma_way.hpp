// What the requests of a device go through, as the machine is described.
#pragma once

#include <string_view>

#include "machine/description.hpp"

namespace ioasim::scenarios {

struct DmaWay {
  const machine::Device& device;
  const machine::RootPort& port;
  const machine::Iommu& iommu;

  // What the device asks to go past the caches does so, unless its I/O address space enforces
  // snooping.
  bool can_go_past_caches() const {
    return device.params.function.no_snoop && port.params.honor_no_snoop;
  }
};

// Of a device that the machine has.
DmaWay dma_way(const machine::Description& machine, std::string_view device);

}  // namespace ioasim::scenarios
