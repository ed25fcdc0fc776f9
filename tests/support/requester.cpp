#include "support/requester.hpp"

#include "base/check.hpp"

namespace ioasim::test {

Request& Requester::read(std::uint64_t address, std::size_t bytes, std::optional<Picoseconds> at) {
  return send(tlm::TLM_READ_COMMAND, address, filled(bytes, 0), at);
}

Request& Requester::write(std::uint64_t address, Data data, std::optional<Picoseconds> at) {
  return send(tlm::TLM_WRITE_COMMAND, address, std::move(data), at);
}

Request& Requester::send(tlm::tlm_command command, std::uint64_t address, Data data,
                         std::optional<Picoseconds> at) {
  Request& request = requests_.emplace_back();
  request.data = std::move(data);
  auto& payload = pool_.take();
  payload.prepare(command, address, request.data);
  if (!enables.empty()) {
    payload.set_byte_enable_ptr(enables.data());
    payload.set_byte_enable_length(static_cast<unsigned>(enables.size()));
  }
  const bool write = command == tlm::TLM_WRITE_COMMAND;
  auto& header = pcie::tlp_of(payload);
  header = tlp;
  if (!write) {
    header.kind = pcie::TlpKind::memory_read;
  } else if (tlp.kind != pcie::TlpKind::deferrable_write) {
    header.kind = pcie::TlpKind::memory_write;
  }
  auto& from = sim::extension<memory::Origin>(payload);
  from.agent = origin.agent;
  from.who = origin.who;
  from.snoop = origin.snoop;
  from.io_ways = origin.io_ways;
  sim::extension<Mark>(payload).request = &request;
  if (const auto done = socket.send(payload, at.value_or(clock_.now()))) {
    response(0, payload, *done);
  }
  return request;
}

void Requester::response(unsigned, sim::Transaction& transaction, Picoseconds at) {
  Request& request = *sim::extension<Mark>(transaction).request;
  CHECK(!request.done);
  request.done = true;
  request.done_at = at;
  request.status = transaction.get_response_status();
  request.completion = pcie::tlp_of(transaction).status;
  completed_.push_back(&request);
  transaction.release();
}

unsigned Requester::debug(tlm::tlm_command command, std::uint64_t address, Data& data) {
  auto& payload = pool_.take();
  payload.prepare(command, address, data);
  pcie::tlp_of(payload) = tlp;
  const auto done = socket.debug(payload);
  payload.release();
  return done;
}

unsigned Requester::debug_read(std::uint64_t address, Data& into) {
  return debug(tlm::TLM_READ_COMMAND, address, into);
}

unsigned Requester::debug_write(std::uint64_t address, Data from) {
  return debug(tlm::TLM_WRITE_COMMAND, address, from);
}

}  // namespace ioasim::test
