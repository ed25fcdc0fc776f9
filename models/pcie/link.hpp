// A PCIe link between an endpoint and a port.
//
// Models: serialisation, DLLPs and propagation of both directions (wire.hpp); flow-control
// credits for requests upstream; the ordering table (PCIe 2.4.1) for what waits for credits:
// nothing passes a posted request but another class's right to do so, a posted request passes
// non-posted ones, completions pass non-posted ones. RO and IDO do not reorder.
// Requests downstream (MMIO, configuration) and completions have infinite credits.
// Does not model: errors and replay, virtual channels, flit mode, link training.
#pragma once

#include <vector>

#include "pcie/credit_pool.hpp"
#include "pcie/params.hpp"
#include "pcie/tlp_extension.hpp"
#include "pcie/wire.hpp"
#include "sim/sockets.hpp"
#include "stats/counter.hpp"
#include "trace/bus.hpp"

namespace ioasim::pcie {

class Link final : public sc_core::sc_module, public sim::Target, public sim::Initiator {
 public:
  struct Stats {
    stats::Counter up_tlps;
    stats::Counter up_bytes;
    stats::Counter down_tlps;
    stats::Counter down_bytes;
    stats::Counter credit_waits;

    static constexpr auto fields =
        std::tuple{Field{"up_tlps", &Stats::up_tlps, "TLPs toward the root"},
                   Field{"up_bytes", &Stats::up_bytes, "their bytes on the wire"},
                   Field{"down_tlps", &Stats::down_tlps, "TLPs toward the device"},
                   Field{"down_bytes", &Stats::down_bytes, "their bytes on the wire"},
                   Field{"credit_waits", &Stats::credit_waits, "requests that waited for credits"}};
  };

  // `port_latency` is how long the port holds a non-posted request in the buffer that its credit
  // stands for.
  Link(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
       const LinkParams& params, unsigned max_payload, Picoseconds port_latency);

  sim::TargetSocket from_device;   // the endpoint's requests
  sim::InitiatorSocket to_port;    // the same, at the port
  sim::TargetSocket from_port;     // the port's requests
  sim::InitiatorSocket to_device;  // the same, at the endpoint

  const Stats& stats() const { return stats_; }

 private:
  enum Direction : unsigned { up, down };
  struct Waiting {
    sim::Transaction* transaction;
    TlpClass tlp_class;
  };

  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;

  void queue_up(sim::Transaction* transaction);
  void send_request_down(sim::Transaction* transaction);
  void complete_up(sim::Transaction* transaction);
  void complete_down(sim::Transaction* transaction);
  void enqueue(sim::Transaction& transaction, TlpClass tlp_class);
  void pump(int);
  bool has_credits(const sim::Transaction& transaction, TlpClass tlp_class);
  void send_up(sim::Transaction& transaction, TlpClass tlp_class);
  void send_request_up(sim::Transaction& transaction);
  void send_completion_up(sim::Transaction& transaction);
  void wait_for_credits();
  Wire::Sent send_completion(Wire& wire, const sim::Transaction& transaction, const Tlp& tlp,
                             stats::Counter& tlps, stats::Counter& bytes);

  sim::Clockwork& clock_;
  trace::Bus& bus_;
  Wire wire_up_;
  Wire wire_down_;
  CreditPool posted_headers_;
  CreditPool posted_data_;
  CreditPool nonposted_headers_;
  Picoseconds port_latency_;
  std::vector<Waiting> waiting_;  // upstream, in order of arrival
  Picoseconds pump_at_ = forever;
  Stats stats_;
};

}  // namespace ioasim::pcie
