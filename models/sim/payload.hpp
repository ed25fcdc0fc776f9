// Pooled transactions. A payload keeps its extensions and its data buffer from one use to the
// next, so that a transaction costs no allocation in steady state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/systemc.hpp"

namespace ioasim::sim {

using Transaction = tlm::tlm_generic_payload;

// The extension of that type; attached, with its default value, if the transaction had none.
// Extensions are ignorable: a transaction without one means the default.
template <class Extension>
Extension& extension(Transaction& transaction) {
  auto* found = transaction.get_extension<Extension>();
  if (found == nullptr) {
    found = new Extension;
    transaction.set_extension(found);
  }
  return *found;
}

// Bytes of a transaction, as the rest of the code likes to see them.
inline std::span<std::byte> data_of(Transaction& transaction) {
  return {reinterpret_cast<std::byte*>(transaction.get_data_ptr()), transaction.get_data_length()};
}

class PayloadPool;

class Payload final : public Transaction {
 public:
  explicit Payload(tlm::tlm_mm_interface& owner) : Transaction{&owner} {}

  // Makes it a new request, with room for `bytes` of its own and one reference held.
  void prepare(tlm::tlm_command command, std::uint64_t address, std::size_t bytes) {
    if (buffer_.size() < bytes) buffer_.resize(bytes);
    prepare(command, address, {buffer_.data(), bytes});
  }
  // The same, for bytes that lie elsewhere and outlive the transaction.
  void prepare(tlm::tlm_command command, std::uint64_t address, std::span<std::byte> bytes) {
    set_command(command);
    set_address(address);
    set_data_ptr(reinterpret_cast<unsigned char*>(bytes.data()));
    set_data_length(static_cast<unsigned>(bytes.size()));
    set_streaming_width(static_cast<unsigned>(bytes.size()));
    set_byte_enable_ptr(nullptr);
    set_byte_enable_length(0);
    set_dmi_allowed(false);
    set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  }

 private:
  std::vector<std::byte> buffer_;
};

class PayloadPool final : public tlm::tlm_mm_interface {
 public:
  // A payload with one reference; its former extensions are still attached.
  Payload& take() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Payload>(*this));
      free_.reserve(all_.size());
      free_.push_back(all_.back().get());
    }
    Payload* const payload = free_.back();
    free_.pop_back();
    payload->acquire();
    return *payload;
  }

  std::size_t in_use() const { return all_.size() - free_.size(); }

 private:
  void free(Transaction* transaction) override {
    free_.push_back(static_cast<Payload*>(transaction));
  }

  std::vector<std::unique_ptr<Payload>> all_;
  std::vector<Payload*> free_;
};

}  // namespace ioasim::sim
