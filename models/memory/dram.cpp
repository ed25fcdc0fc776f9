#include "memory/dram.hpp"

#include "memory/byte_enables.hpp"

namespace ioasim::memory {

Dram::Dram(const sc_core::sc_module_name& name, sim::Clockwork& clock, const Params& params,
           Placement placement)
    : sc_module{name},
      home{"home", clock, *this},
      store_{params.capacity},
      timing_{params, std::move(placement)} {}

std::optional<Picoseconds> Dram::request(unsigned, sim::Transaction& transaction, Picoseconds at) {
  const Hpa address{transaction.get_address()};
  const auto bytes = transaction.get_data_length();
  if (!move(transaction)) {
    transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return at;
  }
  transaction.set_response_status(tlm::TLM_OK_RESPONSE);
  auto done = at;
  for (auto line = address.line_base(); line < address + bytes; line += line_bytes) {
    done = std::max(done, timing_.access(line, at));
    ++(transaction.is_read() ? stats_.reads : stats_.writes);
  }
  (transaction.is_read() ? stats_.read_bytes : stats_.written_bytes) += bytes;
  return done;
}

unsigned Dram::debug(unsigned, sim::Transaction& transaction) {
  return move(transaction) ? transaction.get_data_length() : 0;
}

bool Dram::move(sim::Transaction& transaction) {
  const Hpa address{transaction.get_address()};
  const auto data = sim::data_of(transaction);
  if (!store_.holds(address, data.size())) return false;
  if (transaction.is_read()) {
    store_.read(address, data);
  } else if (transaction.is_write()) {
    for_each_enabled_run(transaction, [&](std::uint64_t offset, std::uint64_t bytes) {
      store_.write(address + offset, data.subspan(offset, bytes));
    });
  }
  return true;
}

}  // namespace ioasim::memory
