// A root port: the top of a hierarchy of one link.
//
// Models: requests upstream, checked (4 KiB boundary, Max Payload Size) and handed to the
// remapping unit; the return of their completions; MMIO and configuration requests downstream,
// whose completions push earlier posted writes ahead of them (PCIe 2.4.1: that is what makes a read
// of a status register a flush); its own type 1 configuration header. Firmware has assigned bus
// numbers and the memory window; software cannot move them. Does not model: ACS, peer-to-peer (a
// request to another device's window ends at the home agent as an unsupported request), AER, hot
// plug.
#pragma once

#include <vector>

#include "pcie/config_space.hpp"
#include "pcie/params.hpp"
#include "pcie/tlp_extension.hpp"
#include "sim/sockets.hpp"
#include "stats/counter.hpp"

namespace ioasim::pcie {

struct PortAssignment {
  RequesterId id;  // of the port itself, on bus 0
  std::uint8_t secondary_bus;
  Hpa ecam;  // start of configuration space of bus 0
};

class RootPort final : public sc_core::sc_module, public sim::Target, public sim::Initiator {
 public:
  struct Stats {
    stats::Counter reads;
    stats::Counter writes;
    stats::Counter rejected;
    stats::Counter unsupported;

    static constexpr auto fields =
        std::tuple{Field{"reads", &Stats::reads, "memory reads from below"},
                   Field{"writes", &Stats::writes, "memory writes from below"},
                   Field{"rejected", &Stats::rejected, "malformed requests from below"},
                   Field{"unsupported", &Stats::unsupported, "requests that could not be served"}};
  };

  RootPort(const sc_core::sc_module_name& name, sim::Clockwork& clock, const RootPortParams& params,
           const PortAssignment& assignment);

  sim::TargetSocket from_link;     // requests from below, or of any TLM-2.0 initiator
  sim::InitiatorSocket iommu;      // the remapping unit that serves this port
  sim::InitiatorSocket to_link;    // requests to below
  sim::TargetSocket window;        // cores: memory window of the device
  sim::TargetSocket own_config;    // cores: the port's configuration space
  sim::TargetSocket lower_config;  // cores: configuration space of the secondary bus

  const Stats& stats() const { return stats_; }

 private:
  enum From : unsigned { link, cores, cores_own_config, cores_lower_config };
  enum To : unsigned { memory, below };

  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;

  std::optional<Picoseconds> upward(sim::Transaction& transaction, Picoseconds at);
  std::optional<Picoseconds> downward(unsigned port, sim::Transaction& transaction, Picoseconds at);
  bool well_formed(const sim::Transaction& transaction) const;
  bool is_taken(unsigned port, sim::Transaction& transaction);
  static bool is_deferrable(sim::Transaction& transaction);
  void serve_own_config(sim::Transaction& transaction);
  void settle(sim::Transaction& transaction);
  void complete(sim::Transaction* transaction);
  void answer_core(sim::Transaction& transaction, Picoseconds at);
  void posted_done(Picoseconds at);

  // The cores' socket that a request downstream came by, and the posted writes from below that
  // its completion pushes.
  struct Route final : tlm::tlm_extension<Route> {
    unsigned port = 0;
    std::uint64_t behind = 0;
    tlm::tlm_extension_base* clone() const override { return new Route{*this}; }
    void copy_from(const tlm::tlm_extension_base& other) override {
      *this = static_cast<const Route&>(other);
    }
  };

  sim::Clockwork& clock_;
  RootPortParams params_;
  PortAssignment assignment_;
  std::uint32_t
      cache_ways_;  // that writes from below may allocate in: bits; all: as the socket says
  std::uint64_t posted_in_ = 0;          // writes from below
  std::uint64_t posted_out_ = 0;         // of them visible in memory
  std::vector<sim::Transaction*> held_;  // completions for the cores, in order of arrival
  ConfigSpace config_;
  Stats stats_;
};

}  // namespace ioasim::pcie
