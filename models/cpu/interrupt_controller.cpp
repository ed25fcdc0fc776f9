#include "cpu/interrupt_controller.hpp"

#include <fmt/format.h>

#include <cstring>

namespace ioasim::cpu {

InterruptController::InterruptController(const sc_core::sc_module_name& name, sim::Clockwork& clock,
                                         std::vector<Core*> cores, unsigned ports)
    : sc_module{name}, clock_{clock}, cores_{std::move(cores)} {
  for (unsigned n = 0; n < ports; ++n) {
    messages_.push_back(
        std::make_unique<sim::TargetSocket>(fmt::format("messages{}", n).c_str(), clock, *this, n));
  }
}

std::optional<Picoseconds> InterruptController::request(unsigned, sim::Transaction& transaction,
                                                        Picoseconds at) {
  if (!transaction.is_write() || transaction.get_data_length() != 4) {
    transaction.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return at;
  }
  transaction.set_response_status(tlm::TLM_OK_RESPONSE);
  const auto address = transaction.get_address();
  std::uint32_t data = 0;
  std::memcpy(&data, transaction.get_data_ptr(), sizeof data);
  const auto core = Address::destination::get(address);
  const bool understood = interrupt_range.contains(Hpa{address}) &&
                          !Address::remappable::test(address) && !Address::logical::test(address) &&
                          Data::delivery_mode::get(data) == 0;
  if (!understood || core >= cores_.size()) {
    ++stats_.dropped;
    return at;
  }
  clock_.at<&InterruptController::deliver>(at, this, core << 8 | Data::vector::get(data));
  return at;
}

void InterruptController::deliver(std::uint64_t message) {
  ++stats_.delivered;
  cores_[message >> 8]->interrupt(static_cast<std::uint8_t>(message & 0xff));
}

}  // namespace ioasim::cpu
