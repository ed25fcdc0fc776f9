#include "pcie/root_port.hpp"

#include <algorithm>
#include <bit>

namespace ioasim::pcie {

RootPort::RootPort(const sc_core::sc_module_name& name, sim::Clockwork& clock,
                   const RootPortParams& params, const PortAssignment& assignment)
    : sc_module{name},
      from_link{"from_link", clock, *this, link},
      iommu{"iommu", clock, *this, memory},
      to_link{"to_link", clock, *this, below, sim::Binding::optional},
      window{"window", clock, *this, cores},
      own_config{"own_config", clock, *this, cores_own_config},
      lower_config{"lower_config", clock, *this, cores_lower_config},
      clock_{clock},
      params_{params},
      assignment_{assignment},
      cache_ways_{!params.ddio ? 0
                  : params.ddio_ways == 0
                      ? ~0u
                      : static_cast<std::uint32_t>((1ull << params.ddio_ways) - 1)} {
  constexpr std::uint32_t bridge_class = 0x06'04'00;
  config_.define(config::vendor_id, 2, 0x1af5);
  config_.define(config::device_id, 2, 0x0001);
  config_.define(config::command, 2, config::memory_space::mask | config::bus_master::mask);
  config_.define(config::class_code, 4, bridge_class << 8);
  config_.define(config::header_type, 1, 1);
  config_.define(config::secondary_bus, 1, assignment.secondary_bus);
  config_.define(config::subordinate_bus, 1, assignment.secondary_bus);
  const auto express = config_.add_capability(express::id, 0x3c);
  const auto code = static_cast<std::uint32_t>(std::countr_zero(params.max_payload / 128));
  config_.define(express + express::device_capabilities, 4, code);
  config_.define(express + express::device_control, 2,
                 static_cast<std::uint32_t>(express::max_payload::of(code)));
}

std::optional<Picoseconds> RootPort::request(unsigned port, sim::Transaction& transaction,
                                             Picoseconds at) {
  return port == link ? upward(transaction, at) : downward(port, transaction, at);
}

// ---- from the link to memory ----

std::optional<Picoseconds> RootPort::upward(sim::Transaction& transaction, Picoseconds at) {
  Tlp& tlp = tlp_of(transaction);
  tlp.kind = transaction.is_write() ? TlpKind::memory_write : TlpKind::memory_read;
  if (!well_formed(transaction)) {
    ++stats_.rejected;
    tlp.status = CompletionStatus::unsupported_request;
    transaction.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return at;
  }
  ++(transaction.is_write() ? stats_.writes : stats_.reads);
  if (transaction.is_write()) ++posted_in_;
  if (!params_.honor_no_snoop) tlp.no_snoop = false;
  tlp.cache_ways = cache_ways_;
  tlp.completion_payload = static_cast<std::uint16_t>(params_.completion_payload);
  tlp.completion_boundary = static_cast<std::uint16_t>(params_.read_completion_boundary);
  const auto done = iommu.send(transaction, at + params_.latency);
  if (!done) return std::nullopt;
  if (transaction.is_write()) posted_done(*done);
  settle(transaction);
  return *done + params_.latency;
}

// A malformed TLP crosses a 4 KiB boundary or exceeds Max Payload Size (PCIe 2.2.7, 2.2.2). A
// TLM transaction that streams into fewer bytes than it has is no TLP at all.
bool RootPort::well_formed(const sim::Transaction& transaction) const {
  const auto bytes = transaction.get_data_length();
  const auto largest = transaction.is_write() ? params_.max_payload : page_bytes;
  return bytes > 0 && bytes <= largest && transaction.get_streaming_width() >= bytes &&
         transaction.get_address() % page_bytes + bytes <= page_bytes;
}

// The transaction's TLM status and its completion status say the same.
void RootPort::settle(sim::Transaction& transaction) {
  Tlp& tlp = tlp_of(transaction);
  if (transaction.is_response_ok()) {
    tlp.status = CompletionStatus::successful;
  } else {
    ++stats_.unsupported;
    tlp.status = CompletionStatus::unsupported_request;
  }
}

// ---- from the cores to the link ----

std::optional<Picoseconds> RootPort::downward(unsigned port, sim::Transaction& transaction,
                                              Picoseconds at) {
  if (!is_taken(port, transaction)) {
    transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return at + params_.latency;
  }
  if (port == cores_own_config) {
    serve_own_config(transaction);
    return at + params_.latency;
  }
  Tlp& tlp = tlp_of(transaction);
  const bool write = transaction.is_write();
  const bool deferrable = is_deferrable(transaction);
  tlp = Tlp{};
  if (port == cores_lower_config) {
    tlp.kind = write ? TlpKind::config_write : TlpKind::config_read;
  } else {
    tlp.kind = deferrable ? TlpKind::deferrable_write
               : write    ? TlpKind::memory_write
                          : TlpKind::memory_read;
  }
  sim::extension<Route>(transaction).port = port;
  if (const auto done = to_link.send(transaction, at + params_.latency)) {
    response(below, transaction, *done);
  }
  return std::nullopt;
}

bool RootPort::is_deferrable(sim::Transaction& transaction) {
  return transaction.is_write() && tlp_of(transaction).kind == TlpKind::deferrable_write;
}

// Whether there is somebody for it: the port itself, or the one function of the one device below,
// if one is plugged in. A deferrable write is a memory request (PCIe 6.32): no configuration space
// takes it.
bool RootPort::is_taken(unsigned port, sim::Transaction& transaction) {
  if (port == cores) return to_link.bound();
  if (is_deferrable(transaction)) return false;
  if (port == cores_own_config) return true;
  const auto function = (transaction.get_address() - assignment_.ecam.value) / page_bytes;
  return to_link.bound() && (function & 0xff) == 0;
}

void RootPort::serve_own_config(sim::Transaction& transaction) {
  const auto offset = static_cast<unsigned>(transaction.get_address() % page_bytes);
  const bool served = config_.serve(offset, sim::data_of(transaction), transaction.is_write());
  transaction.set_response_status(served ? tlm::TLM_OK_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

void RootPort::response(unsigned port, sim::Transaction& transaction, Picoseconds at) {
  if (port == memory) {
    settle(transaction);
    from_link.respond(transaction, at + params_.latency);
    if (transaction.is_write()) posted_done(at);
    return;
  }
  // The link has just sent the completion: it pushes what the link had sent before.
  sim::extension<Route>(transaction).behind = posted_in_;
  clock_.at<&RootPort::complete>(at, this, &transaction);
}

void RootPort::complete(sim::Transaction* transaction) {
  const bool posted = tlp_of(*transaction).request_class() == TlpClass::posted;
  if (posted || sim::extension<Route>(*transaction).behind <= posted_out_) {
    answer_core(*transaction, clock_.now());
  } else {
    held_.push_back(transaction);
  }
}

// Writes reach memory in order, so that their count tells which ones have.
void RootPort::posted_done(Picoseconds at) {
  ++posted_out_;
  std::erase_if(held_, [&](sim::Transaction* transaction) {
    if (sim::extension<Route>(*transaction).behind > posted_out_) return false;
    answer_core(*transaction, at);
    return true;
  });
}

void RootPort::answer_core(sim::Transaction& transaction, Picoseconds at) {
  auto& socket = sim::extension<Route>(transaction).port == cores ? window : lower_config;
  socket.respond(transaction, at + params_.latency);
}

unsigned RootPort::debug(unsigned port, sim::Transaction& transaction) {
  switch (port) {
    case link:
      return iommu.debug(transaction);
    case cores_own_config:
      serve_own_config(transaction);
      return transaction.is_response_ok() ? transaction.get_data_length() : 0;
    default:
      return to_link.bound() ? to_link.debug(transaction) : 0;
  }
}

}  // namespace ioasim::pcie
