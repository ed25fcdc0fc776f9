// Who asks, and how: the ignorable extension of transactions on the memory side of the machine.
#pragma once

#include "sim/payload.hpp"
#include "trace/events.hpp"

namespace ioasim::memory {

// Without it a transaction is a snooped access by an unnamed device.
struct Origin final : tlm::tlm_extension<Origin> {
  trace::Agent agent = trace::Agent::device;
  std::uint32_t who = 0;
  bool snoop = true;  // look at the caches; else go round them
  // Ways of the shared level that a write may allocate in, a bit each; the socket's, if all ones.
  std::uint32_t io_ways = ~0u;

  tlm::tlm_extension_base* clone() const override { return new Origin{*this}; }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const Origin&>(other);
  }
};

}  // namespace ioasim::memory
