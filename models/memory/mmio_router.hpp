// Routes uncached accesses of the cores to what answers to their address: register files,
// configuration space, windows of root ports. An access that nothing answers to completes with
// an address error, which the core sees as all ones.
#pragma once

#include <memory>
#include <vector>

#include "memory/address_map.hpp"
#include "sim/sockets.hpp"

namespace ioasim::memory {

class MmioRouter final : public sc_core::sc_module, public sim::Target, public sim::Initiator {
 public:
  MmioRouter(const sc_core::sc_module_name& name, sim::Clockwork& clock, unsigned cores,
             const std::vector<Range<Hpa>>& windows);

  // Target sockets, one a core.
  sim::TargetSocket& core(unsigned n) { return *cores_[n]; }
  // Initiator sockets, one a window, to be bound to what answers to its range. Addresses are
  // handed on as they are.
  sim::InitiatorSocket& window(unsigned n) { return *windows_[n]; }

 private:
  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;
  sim::InitiatorSocket* find(const sim::Transaction& transaction);

  // The core's port of a request under way.
  struct Route final : tlm::tlm_extension<Route> {
    unsigned core = 0;
    tlm::tlm_extension_base* clone() const override { return new Route{*this}; }
    void copy_from(const tlm::tlm_extension_base& other) override {
      *this = static_cast<const Route&>(other);
    }
  };

  AddressMap map_;
  std::vector<std::unique_ptr<sim::TargetSocket>> cores_;
  std::vector<std::unique_ptr<sim::InitiatorSocket>> windows_;
};

}  // namespace ioasim::memory
