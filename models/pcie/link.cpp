#include "pcie/link.hpp"

namespace ioasim::pcie {
namespace {

// Address translation keeps the offset in a page, hence the words that the payload touches.
unsigned data_credits(const sim::Transaction& transaction) {
  return pcie::data_credits(transaction.get_address(), transaction.get_data_length());
}

}  // namespace

Link::Link(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
           const LinkParams& params, unsigned max_payload, Picoseconds port_latency)
    : sc_module{name},
      from_device{"from_device", clock, *this, up},
      to_port{"to_port", clock, *this, up},
      from_port{"from_port", clock, *this, down},
      to_device{"to_device", clock, *this, down},
      clock_{clock},
      bus_{bus},
      wire_up_{params, max_payload},
      wire_down_{params, max_payload},
      posted_headers_{params.posted_header_credits},
      posted_data_{params.posted_data_credits},
      nonposted_headers_{params.nonposted_header_credits},
      port_latency_{port_latency} {}

// The wires are reserved in order of arrival: a request that arrives later than now gets its
// event then.
std::optional<Picoseconds> Link::request(unsigned port, sim::Transaction& transaction,
                                         Picoseconds at) {
  if (at > clock_.now()) {
    if (port == up) {
      clock_.at<&Link::queue_up>(at, this, &transaction);
    } else {
      clock_.at<&Link::send_request_down>(at, this, &transaction);
    }
  } else if (port == up) {
    queue_up(&transaction);
  } else {
    send_request_down(&transaction);
  }
  return std::nullopt;
}

void Link::send_request_down(sim::Transaction* transaction) {
  const Tlp& tlp = tlp_of(*transaction);
  const auto bytes =
      request_wire_bytes(tlp, transaction->get_address(), transaction->get_data_length());
  const auto sent = wire_down_.send(bytes, clock_.now());
  wire_up_.acknowledge(sent.last_bit);
  ++stats_.down_tlps;
  stats_.down_bytes += bytes;
  // The endpoint answers by response(), so that its completion takes its turn on the wire.
  if (const auto done = to_device.send(*transaction, sent.last_bit)) {
    response(down, *transaction, *done);
  }
}

unsigned Link::debug(unsigned port, sim::Transaction& transaction) {
  return (port == up ? to_port : to_device).debug(transaction);
}

void Link::queue_up(sim::Transaction* transaction) {
  const auto tlp_class = tlp_of(*transaction).request_class();
  if (waiting_.empty() && has_credits(*transaction, tlp_class)) {
    send_request_up(*transaction);
    return;
  }
  ++stats_.credit_waits;
  enqueue(*transaction, tlp_class);
}

void Link::enqueue(sim::Transaction& transaction, TlpClass tlp_class) {
  waiting_.push_back({&transaction, tlp_class});
  pump(0);
}

bool Link::has_credits(const sim::Transaction& transaction, TlpClass tlp_class) {
  const auto now = clock_.now();
  switch (tlp_class) {
    case TlpClass::posted:
      return posted_headers_.free(now) >= 1 && posted_data_.free(now) >= data_credits(transaction);
    case TlpClass::non_posted:
      return nonposted_headers_.free(now) >= 1;
    case TlpClass::completion:
      return true;
  }
  UNREACHABLE();
}

// Sends what may go: in order of arrival, but past requests of a class that a blocked one does
// not hold back (PCIe 2.4.1: nothing passes a posted request; anything passes a non-posted one).
void Link::pump(int) {
  if (pump_at_ <= clock_.now()) pump_at_ = forever;
  bool posted_blocked = false;
  bool nonposted_blocked = false;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const Waiting item = waiting_[i];
    const bool blocked = posted_blocked ||
                         (item.tlp_class == TlpClass::non_posted && nonposted_blocked) ||
                         !has_credits(*item.transaction, item.tlp_class);
    if (!blocked) {
      send_up(*item.transaction, item.tlp_class);
      continue;
    }
    posted_blocked |= item.tlp_class == TlpClass::posted;
    nonposted_blocked |= item.tlp_class == TlpClass::non_posted;
    waiting_[kept++] = item;
  }
  waiting_.resize(kept);
  if (!waiting_.empty()) wait_for_credits();
}

// Credits on their way bring an event; if none are, giving some will.
void Link::wait_for_credits() {
  auto next = forever;
  for (CreditPool* pool : {&posted_headers_, &posted_data_, &nonposted_headers_}) {
    next = std::min(next, std::max(pool->next_return(), clock_.now()));
    pool->free(clock_.now());  // what is back is not on its way any more
  }
  if (next >= pump_at_) return;
  pump_at_ = next;
  clock_.at<&Link::pump>(next, this, 0);
}

void Link::send_up(sim::Transaction& transaction, TlpClass tlp_class) {
  if (tlp_class == TlpClass::completion) {
    send_completion_up(transaction);
  } else {
    send_request_up(transaction);
  }
}

void Link::send_request_up(sim::Transaction& transaction) {
  const Tlp& tlp = tlp_of(transaction);
  const auto length = transaction.get_data_length();
  const auto bytes = request_wire_bytes(tlp, transaction.get_address(), length);
  const auto sent = wire_up_.send(bytes, clock_.now());
  wire_down_.acknowledge(sent.last_bit);
  ++stats_.up_tlps;
  stats_.up_bytes += bytes;
  if (tlp.request_class() == TlpClass::posted) {
    posted_headers_.take(1);
    posted_data_.take(data_credits(transaction));
  } else {
    nonposted_headers_.take(1);
    nonposted_headers_.give(1, sent.last_bit + port_latency_ + wire_down_.propagation());
  }
  TRACE(bus_, sent.first_bit, trace::TlpHop{tlp.transaction, trace::Hop::sent, tlp.requester});
  TRACE(bus_, sent.last_bit,
        trace::TlpHop{tlp.transaction, trace::Hop::at_root_port, tlp.requester});
  if (const auto done = to_port.send(transaction, sent.last_bit)) {
    response(up, transaction, *done);
  }
}

// The other end has answered. The return path is a queue of its own.
void Link::response(unsigned port, sim::Transaction& transaction, Picoseconds at) {
  const Tlp& tlp = tlp_of(transaction);
  if (tlp.request_class() == TlpClass::posted) {
    if (port == up) {
      const auto returned = at + wire_down_.propagation();
      posted_headers_.give(1, returned);
      posted_data_.give(data_credits(transaction), returned);
      if (!waiting_.empty()) wait_for_credits();
    }
    (port == up ? from_device : from_port).respond(transaction, at);
  } else if (port == up) {
    clock_.at<&Link::complete_down>(at, this, &transaction);
  } else {
    clock_.at<&Link::complete_up>(at, this, &transaction);
  }
}

// A completion toward the device.
void Link::complete_down(sim::Transaction* transaction) {
  const Tlp& tlp = tlp_of(*transaction);
  const auto sent =
      send_completion(wire_down_, *transaction, tlp, stats_.down_tlps, stats_.down_bytes);
  wire_up_.acknowledge(sent.last_bit);
  TRACE(bus_, sent.first_bit,
        trace::TlpHop{tlp.transaction, trace::Hop::completion_sent, tlp.requester});
  from_device.respond(*transaction, sent.last_bit);
}

// A completion from the device, which does not pass posted requests that wait.
void Link::complete_up(sim::Transaction* transaction) {
  if (waiting_.empty()) {
    send_completion_up(*transaction);
  } else {
    enqueue(*transaction, TlpClass::completion);
  }
}

void Link::send_completion_up(sim::Transaction& transaction) {
  const auto sent =
      send_completion(wire_up_, transaction, tlp_of(transaction), stats_.up_tlps, stats_.up_bytes);
  wire_down_.acknowledge(sent.last_bit);
  from_port.respond(transaction, sent.last_bit);
}

// All completions of one request, one after the other: first bit of the first, last of the last.
Wire::Sent Link::send_completion(Wire& wire, const sim::Transaction& transaction, const Tlp& tlp,
                                 stats::Counter& tlps, stats::Counter& bytes) {
  constexpr auto overhead = framing_bytes + completion_header_bytes;
  const bool with_data = !tlp.carries_data() && tlp.status == CompletionStatus::successful;
  auto address = transaction.get_address();
  std::uint64_t left = with_data ? transaction.get_data_length() : 0;
  Wire::Sent all{forever, {}};
  do {
    const auto length =
        completion_split(address, left, tlp.completion_payload, tlp.completion_boundary);
    const auto packet = overhead + payload_bytes(address, length);
    const auto sent = wire.send(packet, clock_.now());
    all = {std::min(all.first_bit, sent.first_bit), sent.last_bit};
    ++tlps;
    bytes += packet;
    address += length;
    left -= length;
  } while (left > 0);
  return all;
}

}  // namespace ioasim::pcie
