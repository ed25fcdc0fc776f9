#include "support/responder.hpp"

#include <fmt/format.h>

namespace ioasim::test {

Responder::Responder(const sc_core::sc_module_name& name, sim::Clockwork& clock, unsigned ports)
    : sc_module{name}, clock_{clock} {
  for (unsigned n = 0; n < ports; ++n) {
    ports_.push_back(
        std::make_unique<sim::TargetSocket>(fmt::format("port{}", n).c_str(), clock, *this, n));
  }
}

std::optional<Picoseconds> Responder::request(unsigned port, sim::Transaction& transaction,
                                              Picoseconds at) {
  const auto data = sim::data_of(transaction);
  const auto* origin = transaction.get_extension<memory::Origin>();
  const auto* tlp = transaction.get_extension<pcie::TlpExtension>();
  const bool write = transaction.is_write();
  seen.push_back({port, at, write, transaction.get_address(),
                  write ? Data(data.begin(), data.end()) : Data{}, data.size(),
                  origin != nullptr ? origin->agent : trace::Agent::device,
                  origin == nullptr || origin->snoop,
                  tlp != nullptr ? static_cast<const pcie::Tlp&>(*tlp) : pcie::Tlp{}});
  if (transaction.get_address() == broken) {
    transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  } else {
    move(transaction);
    transaction.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  if (hold) {
    kept_.push_back({port, &transaction});
    return std::nullopt;
  }
  if (!defer) return at + latency;
  deferred_.push_back({port, &transaction});
  clock_.at<&Responder::answer>(at, this, std::uint64_t{deferred_.size() - 1});
  return std::nullopt;
}

void Responder::answer(std::uint64_t index) {
  ports_[deferred_[index].port]->respond(*deferred_[index].transaction, clock_.now() + latency);
}

void Responder::release() {
  const Kept oldest = kept_.front();
  kept_.erase(kept_.begin());
  ports_[oldest.port]->respond(*oldest.transaction, clock_.now());
}

unsigned Responder::debug(unsigned, sim::Transaction& transaction) {
  move(transaction);
  transaction.set_response_status(tlm::TLM_OK_RESPONSE);
  return transaction.get_data_length();
}

void Responder::move(sim::Transaction& transaction) {
  const auto data = sim::data_of(transaction);
  const auto address = transaction.get_address();
  if (transaction.is_write()) {
    put(address, Data(data.begin(), data.end()));
  } else {
    const auto held = get(address, data.size());
    std::copy(held.begin(), held.end(), data.begin());
  }
}

std::vector<Responder::Seen> Responder::seen_by(unsigned port) const {
  std::vector<Seen> mine;
  for (const auto& entry : seen) {
    if (entry.port == port) mine.push_back(entry);
  }
  return mine;
}

void Responder::put(std::uint64_t address, const Data& data) {
  for (const auto byte : data) {
    pages_[address / 4096][address % 4096] = byte;
    ++address;
  }
}

Data Responder::get(std::uint64_t address, std::size_t bytes) const {
  Data data(bytes);
  for (auto& byte : data) {
    const auto page = pages_.find(address / 4096);
    byte = page == pages_.end() ? std::byte{0} : page->second[address % 4096];
    ++address;
  }
  return data;
}

}  // namespace ioasim::test
