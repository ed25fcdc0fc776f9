// A PCIe function with one memory BAR: what every device model is built on. A device sees its
// link and nothing else.
//
// Models: configuration space with PCI Express and MSI capabilities; BAR registers; DMA requests
// split at Max Payload Size, Max Read Request Size and 4 KiB, tags, No Snoop gated by Device
// Control; MSI.
// Does not model: completion timeout (every request is answered), AER, function-level reset,
// several functions.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "pcie/config_space.hpp"
#include "pcie/credit_pool.hpp"
#include "pcie/params.hpp"
#include "pcie/tlp_extension.hpp"
#include "sim/credits.hpp"
#include "sim/sockets.hpp"
#include "sim/task.hpp"
#include "stats/counter.hpp"
#include "stats/histogram.hpp"
#include "trace/bus.hpp"

namespace ioasim::pcie {

// What firmware gives a function before the operating system sees it.
struct Assignment {
  RequesterId id;
  Hpa bar0;
  std::uint64_t bar0_bytes = page_bytes;
};

struct Identity {
  std::uint16_t vendor;
  std::uint16_t device;
  std::uint32_t class_code;  // 24 bits
};

class Endpoint : public sc_core::sc_module, public sim::Target, public sim::Initiator {
 public:
  struct Stats {
    stats::Counter reads;
    stats::Counter writes;
    stats::Counter read_bytes;
    stats::Counter written_bytes;
    stats::Counter no_snoop;
    stats::Counter errors;
    stats::Counter interrupts;
    stats::Histogram read_ps;

    static constexpr auto fields =
        std::tuple{Field{"reads", &Stats::reads, "memory read requests sent"},
                   Field{"writes", &Stats::writes, "memory write requests sent"},
                   Field{"read_bytes", &Stats::read_bytes, "bytes asked for"},
                   Field{"written_bytes", &Stats::written_bytes, "bytes written"},
                   Field{"no_snoop", &Stats::no_snoop, "requests with the No Snoop attribute"},
                   Field{"errors", &Stats::errors, "reads completed with an error"},
                   Field{"interrupts", &Stats::interrupts, "MSI messages sent"},
                   Field{"read_ps", &Stats::read_ps, "from a read request to its last completion"}};
  };

  sim::InitiatorSocket upstream;  // the link: requests of the device
  sim::TargetSocket downstream;   // the link: requests to the device

  const Stats& function_stats() const { return stats_; }
  // Enable No Snoop is not hard-wired to 0.
  bool can_send_no_snoop() const { return no_snoop_; }

 protected:
  // How a request wishes to be marked. Device Control decides whether it is.
  struct Attributes {
    bool no_snoop = false;
  };

  Endpoint(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
           const EndpointParams& params, const Assignment& assignment, const Identity& identity);

  // The device's registers, in BAR 0; `bytes` is 1 to 8, and access is naturally aligned.
  virtual std::uint64_t read_register(std::uint64_t offset, unsigned bytes) = 0;
  virtual void write_register(std::uint64_t offset, unsigned bytes, std::uint64_t value) = 0;

  // DMA. Both split as the function is configured. A read is done when its last byte is here;
  // on an error status the bytes are undefined. A write is done when its last request is handed to
  // the link, which takes time when many posted requests are on their way.
  sim::Task<CompletionStatus> read(Iova from, std::span<std::byte> into, Attributes attributes);
  sim::Task<> write(Iova to, std::span<const std::byte> from, Attributes attributes);
  // One posted request, of at most max_payload() bytes within 4 KiB; false if there is no room
  // for it now.
  bool try_write(Iova to, std::span<const std::byte> from, Attributes attributes);
  // Sends the MSI, behind all writes before it. Nothing is sent while MSI is disabled.
  void interrupt();

  bool bus_master() const { return bus_master_; }
  unsigned max_payload() const { return max_payload_; }
  unsigned max_read_request() const { return max_read_request_; }

  sim::Clockwork& clock_;
  trace::Bus& bus_;

 private:
  // One read of several requests, while they are out.
  struct Transfer {
    sim::Pending pieces;
    CompletionStatus status = CompletionStatus::successful;
  };
  struct Outstanding {
    Transfer* transfer = nullptr;
    std::byte* into = nullptr;
    Picoseconds issued{};
  };

  void build_config_space(const EndpointParams& params, const Assignment& assignment,
                          const Identity& identity);
  sim::Payload& new_request(TlpKind kind, Iova address, std::uint64_t bytes, Attributes attributes);
  void send(sim::Payload& payload);
  std::uint16_t take_tag();
  sim::Task<> wait_for_room();
  void decode_control();

  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  void serve(sim::Transaction* transaction);
  void serve_config(sim::Transaction& transaction);
  void serve_memory(sim::Transaction& transaction);
  void write_registers(std::uint64_t offset, std::span<const unsigned char> data);
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;
  void complete(sim::Transaction* transaction);

  ConfigSpace config_;
  unsigned express_ = 0;
  unsigned msi_ = 0;
  RequesterId id_;
  bool no_snoop_;
  std::uint64_t bar0_bytes_;
  // What software has set in Command and Device Control.
  bool bus_master_ = false;
  bool no_snoop_enabled_ = false;
  unsigned max_payload_ = 128;
  unsigned max_read_request_ = 512;
  CreditPool posted_;  // room for posted requests until memory has accepted them
  sim::Signal posted_returned_;
  sim::Credits tags_;
  std::vector<std::uint16_t> free_tags_;
  std::array<Outstanding, 256> outstanding_;
  sim::PayloadPool pool_;
  std::uint64_t transactions_ = 0;
  Stats stats_;
};

}  // namespace ioasim::pcie
