#include "memory/mmio_router.hpp"

#include <fmt/format.h>

namespace ioasim::memory {

MmioRouter::MmioRouter(const sc_core::sc_module_name& name, sim::Clockwork& clock, unsigned cores,
                       const std::vector<Range<Hpa>>& windows)
    : sc_module{name} {
  for (unsigned n = 0; n < cores; ++n) {
    cores_.push_back(
        std::make_unique<sim::TargetSocket>(fmt::format("core{}", n).c_str(), clock, *this, n));
  }
  for (unsigned n = 0; n < windows.size(); ++n) {
    map_.add(windows[n], n);
    windows_.push_back(std::make_unique<sim::InitiatorSocket>(fmt::format("window{}", n).c_str(),
                                                              clock, *this, n));
  }
}

sim::InitiatorSocket* MmioRouter::find(const sim::Transaction& transaction) {
  const auto port = map_.find({Hpa{transaction.get_address()}, transaction.get_data_length()});
  return port ? windows_[*port].get() : nullptr;
}

std::optional<Picoseconds> MmioRouter::request(unsigned port, sim::Transaction& transaction,
                                               Picoseconds at) {
  auto* const window = find(transaction);
  if (window == nullptr) {
    transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return at;
  }
  sim::extension<Route>(transaction).core = port;
  return window->send(transaction, at);
}

unsigned MmioRouter::debug(unsigned, sim::Transaction& transaction) {
  auto* const window = find(transaction);
  return window == nullptr ? 0 : window->debug(transaction);
}

void MmioRouter::response(unsigned, sim::Transaction& transaction, Picoseconds at) {
  cores_[sim::extension<Route>(transaction).core]->respond(transaction, at);
}

}  // namespace ioasim::memory
