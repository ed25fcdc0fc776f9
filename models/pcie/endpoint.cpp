#include "pcie/endpoint.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ioasim::pcie {
namespace {

// Encoding of payload and request sizes: 128 << code.
std::uint32_t size_code(unsigned bytes) {
  return static_cast<std::uint32_t>(std::countr_zero(bytes / 128));
}

constexpr unsigned unextended_tags = 32;

// Tags of posted requests mean nothing to others (PCIe 2.2.6.2); this one marks an interrupt
// message among the function's own.
constexpr std::uint16_t message_tag = 0xff;

}  // namespace

Endpoint::Endpoint(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
                   const EndpointParams& params, const Assignment& assignment,
                   const Identity& identity)
    : sc_module{name},
      upstream{"upstream", clock, *this},
      downstream{"downstream", clock, *this},
      clock_{clock},
      bus_{bus},
      id_{assignment.id},
      no_snoop_{params.no_snoop},
      bar0_bytes_{assignment.bar0_bytes},
      posted_{params.posted_max},
      posted_returned_{clock, std::string{this->name()} + ".posted"},
      tags_{clock, std::string{this->name()} + ".tags",
            params.extended_tag ? 256u : unextended_tags} {
  for (unsigned tag = tags_.size(); tag-- > 0;) {
    free_tags_.push_back(static_cast<std::uint16_t>(tag));
  }
  build_config_space(params, assignment, identity);
  decode_control();
}

void Endpoint::build_config_space(const EndpointParams& params, const Assignment& assignment,
                                  const Identity& identity) {
  config_.define(config::vendor_id, 2, identity.vendor);
  config_.define(config::device_id, 2, identity.device);
  config_.define(config::command, 2, config::memory_space::mask,
                 config::memory_space::mask | config::bus_master::mask);
  config_.define(config::class_code, 4, identity.class_code << 8);
  const auto bar = assignment.bar0.value;
  const auto size_mask = static_cast<std::uint32_t>(~(bar0_bytes_ - 1));
  constexpr std::uint32_t memory_64_bit = 0x4;  // PCIe 7.5.1.2.1
  config_.define(config::bar0, 4, static_cast<std::uint32_t>(bar) | memory_64_bit, size_mask);
  config_.define(config::bar0 + 4, 4, static_cast<std::uint32_t>(bar >> 32), ~0u);

  using namespace express;
  express_ = config_.add_capability(express::id, 0x3c);
  config_.define(express_ + device_capabilities, 4,
                 static_cast<std::uint32_t>(max_payload_supported::of(size_code(4096)) |
                                            extended_tag_supported::of(params.extended_tag)));
  // A function that never sends No Snoop may hard-wire the bit to 0.
  const auto no_snoop = params.no_snoop ? enable_no_snoop::mask : 0;
  const auto reset = enable_relaxed_ordering::mask | no_snoop |
                     express::max_payload::of(size_code(params.max_payload)) |
                     express::max_read_request::of(size_code(params.max_read_request)) |
                     extended_tag::of(params.extended_tag);
  const auto writable = enable_relaxed_ordering::mask | no_snoop | express::max_payload::mask |
                        express::max_read_request::mask;
  config_.define(express_ + device_control, 2, static_cast<std::uint32_t>(reset),
                 static_cast<std::uint32_t>(writable));

  msi_ = config_.add_capability(msi::id, 0x10);
  config_.define(msi_ + msi::control, 2, msi::address_64::mask, msi::enable::mask);
  config_.define(msi_ + msi::address_low, 4, 0, ~3u);
  config_.define(msi_ + msi::address_high, 4, 0, ~0u);
  config_.define(msi_ + msi::data, 2, 0, 0xffff);
}

// Reserved size codes count as the largest size.
void Endpoint::decode_control() {
  const auto control = config_.read(express_ + express::device_control, 2);
  bus_master_ = config::bus_master::test(config_.read(config::command, 2));
  no_snoop_enabled_ = express::enable_no_snoop::test(control);
  max_payload_ = 128u << std::min<std::uint64_t>(express::max_payload::get(control), 5);
  max_read_request_ = 128u << std::min<std::uint64_t>(express::max_read_request::get(control), 5);
}

// ---- requests of the device ----

sim::Payload& Endpoint::new_request(TlpKind kind, Iova address, std::uint64_t bytes,
                                    Attributes attributes) {
  auto& payload = pool_.take();
  payload.prepare(kind == TlpKind::memory_write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND,
                  address.value, bytes);
  Tlp& tlp = tlp_of(payload);
  tlp = Tlp{};
  tlp.kind = kind;
  tlp.requester = id_;
  tlp.no_snoop = attributes.no_snoop && no_snoop_enabled_;
  tlp.transaction = ++transactions_;
  if (tlp.no_snoop) ++stats_.no_snoop;
  return payload;
}

void Endpoint::send(sim::Payload& payload) {
  TRACE(bus_, clock_.now(), trace::TlpHop{tlp_of(payload).transaction, trace::Hop::issued, id_});
  if (const auto done = upstream.send(payload, clock_.now())) response(0, payload, *done);
}

sim::Task<> Endpoint::write(Iova to, std::span<const std::byte> from, Attributes attributes) {
  while (!from.empty()) {
    const auto bytes = request_split(to.value, from.size(), max_payload());
    while (!try_write(to, from.first(bytes), attributes)) co_await wait_for_room();
    from = from.subspan(bytes);
    to += bytes;
  }
}

// Nothing is sent, and the data are dropped, while software has not made the function a master.
bool Endpoint::try_write(Iova to, std::span<const std::byte> from, Attributes attributes) {
  if (!bus_master()) return true;
  if (posted_.free(clock_.now()) == 0) return false;
  posted_.take(1);
  auto& payload = new_request(TlpKind::memory_write, to, from.size(), attributes);
  std::memcpy(payload.get_data_ptr(), from.data(), from.size());
  ++stats_.writes;
  stats_.written_bytes += from.size();
  send(payload);
  return true;
}

sim::Task<> Endpoint::wait_for_room() {
  if (const auto next = posted_.next_return(); next != forever) {
    co_await sim::Until{clock_, next};
  } else {
    co_await posted_returned_.wait();
  }
}

sim::Task<CompletionStatus> Endpoint::read(Iova from, std::span<std::byte> into,
                                           Attributes attributes) {
  if (!bus_master()) co_return CompletionStatus::unsupported_request;
  Transfer transfer{.pieces = {clock_, std::string{}}};
  while (!into.empty()) {
    const auto bytes = request_split(from.value, into.size(), max_read_request());
    co_await tags_.take();
    auto& payload = new_request(TlpKind::memory_read, from, bytes, attributes);
    const auto tag = take_tag();
    tlp_of(payload).tag = tag;
    outstanding_[tag] = {&transfer, into.data(), clock_.now()};
    transfer.pieces.add();
    ++stats_.reads;
    stats_.read_bytes += bytes;
    send(payload);
    into = into.subspan(bytes);
    from += bytes;
  }
  co_await transfer.pieces.wait();
  co_return transfer.status;
}

std::uint16_t Endpoint::take_tag() {
  const auto tag = free_tags_.back();
  free_tags_.pop_back();
  return tag;
}

void Endpoint::interrupt() {
  if (!msi::enable::test(config_.read(msi_ + msi::control, 2)) || !bus_master()) return;
  const auto low = config_.read(msi_ + msi::address_low, 4);
  const auto high = std::uint64_t{config_.read(msi_ + msi::address_high, 4)};
  const std::uint32_t data = config_.read(msi_ + msi::data, 2);
  // An MSI carries neither No Snoop nor Relaxed Ordering (PCIe 6.1.4). It needs no room of its
  // own: its data fit in the header's buffer.
  auto& payload = new_request(TlpKind::memory_write, Iova{high << 32 | low}, sizeof data, {});
  std::memcpy(payload.get_data_ptr(), &data, sizeof data);
  tlp_of(payload).tag = message_tag;
  ++stats_.interrupts;
  send(payload);
}

void Endpoint::response(unsigned, sim::Transaction& transaction, Picoseconds at) {
  if (transaction.is_write()) {
    if (tlp_of(transaction).tag != message_tag) posted_.give(1, at);
    transaction.release();
    posted_returned_.signal();
  } else {
    clock_.at<&Endpoint::complete>(at, this, &transaction);
  }
}

void Endpoint::complete(sim::Transaction* transaction) {
  const Tlp& tlp = tlp_of(*transaction);
  const Outstanding request = outstanding_[tlp.tag];
  if (tlp.status == CompletionStatus::successful) {
    std::memcpy(request.into, transaction->get_data_ptr(), transaction->get_data_length());
  } else {
    ++stats_.errors;
    request.transfer->status = tlp.status;
  }
  stats_.read_ps.sample(static_cast<std::uint64_t>((clock_.now() - request.issued).count()));
  TRACE(bus_, clock_.now(), trace::TlpHop{tlp.transaction, trace::Hop::completed, id_});
  clock_.progress();
  free_tags_.push_back(tlp.tag);
  transaction->release();
  request.transfer->pieces.done();
  tags_.give();
}

// ---- requests to the device ----

std::optional<Picoseconds> Endpoint::request(unsigned, sim::Transaction& transaction,
                                             Picoseconds at) {
  clock_.at<&Endpoint::serve>(at, this, &transaction);
  return std::nullopt;
}

void Endpoint::serve(sim::Transaction* transaction) {
  if (tlp_of(*transaction).is_config()) {
    serve_config(*transaction);
  } else {
    serve_memory(*transaction);
  }
  downstream.respond(*transaction, clock_.now());
}

void Endpoint::serve_config(sim::Transaction& transaction) {
  const auto offset = static_cast<unsigned>(transaction.get_address() % page_bytes);
  const bool served = config_.serve(offset, sim::data_of(transaction), transaction.is_write());
  if (transaction.is_write()) decode_control();
  tlp_of(transaction).status =
      served ? CompletionStatus::successful : CompletionStatus::unsupported_request;
  transaction.set_response_status(served ? tlm::TLM_OK_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

void Endpoint::serve_memory(sim::Transaction& transaction) {
  const auto bar = config_.read(config::bar0, 4) & ~0xfu;
  const auto base = std::uint64_t{config_.read(config::bar0 + 4, 4)} << 32 | bar;
  const auto offset = transaction.get_address() - base;
  const auto bytes = transaction.get_data_length();
  const bool enabled = config::memory_space::test(config_.read(config::command, 2));
  Tlp& tlp = tlp_of(transaction);
  const auto largest = transaction.is_write() ? line_bytes : sizeof(std::uint64_t);
  if (!enabled || tlp.kind == TlpKind::deferrable_write || bytes > largest ||
      offset >= bar0_bytes_ || offset + bytes > bar0_bytes_) {
    tlp.status = CompletionStatus::unsupported_request;
    transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  tlp.status = CompletionStatus::successful;
  transaction.set_response_status(tlm::TLM_OK_RESPONSE);
  if (transaction.is_write()) {
    write_registers(offset, {transaction.get_data_ptr(), bytes});
  } else {
    const auto value = read_register(offset, bytes);
    std::memcpy(transaction.get_data_ptr(), &value, bytes);
  }
}

// A write of more than a register's width, such as that of a write-combining buffer, goes to one
// after the other.
void Endpoint::write_registers(std::uint64_t offset, std::span<const unsigned char> data) {
  while (!data.empty()) {
    std::uint64_t value = 0;
    const auto bytes = std::min(data.size(), sizeof value - offset % sizeof value);
    std::memcpy(&value, data.data(), bytes);
    write_register(offset, static_cast<unsigned>(bytes), value);
    data = data.subspan(bytes);
    offset += bytes;
  }
}

// The back door reads and writes configuration space and registers like a request does.
unsigned Endpoint::debug(unsigned, sim::Transaction& transaction) {
  if (tlp_of(transaction).is_config()) {
    serve_config(transaction);
  } else {
    serve_memory(transaction);
  }
  return transaction.is_response_ok() ? transaction.get_data_length() : 0;
}

}  // namespace ioasim::pcie
