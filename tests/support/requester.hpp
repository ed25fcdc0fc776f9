// A module of ours that asks: an initiator socket, and what became of each request.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "memory/origin.hpp"
#include "pcie/tlp_extension.hpp"
#include "sim/sockets.hpp"
#include "support/data.hpp"

namespace ioasim::test {

struct Request {
  bool done = false;
  Picoseconds done_at{};
  tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
  pcie::CompletionStatus completion = pcie::CompletionStatus::successful;
  Data data;  // read, or written

  bool ok() const { return done && status == tlm::TLM_OK_RESPONSE; }
  std::uint64_t value() const { return value_of(data); }
};

class Requester final : public sc_core::sc_module, public sim::Initiator {
 public:
  Requester(const sc_core::sc_module_name& name, sim::Clockwork& clock)
      : sc_module{name}, socket{"socket", clock, *this}, clock_{clock} {}

  sim::InitiatorSocket socket;

  // How the next requests are marked: on PCIe, and on the memory side.
  pcie::Tlp tlp{};
  memory::Origin origin{};
  // Byte enables of the next requests, if any.
  std::vector<unsigned char> enables{};

  // Both send at `at`, by default now. The result stays where it is.
  Request& read(std::uint64_t address, std::size_t bytes, std::optional<Picoseconds> at = {});
  Request& write(std::uint64_t address, Data data, std::optional<Picoseconds> at = {});

  // The back door. Returns the bytes done.
  unsigned debug_read(std::uint64_t address, Data& into);
  unsigned debug_write(std::uint64_t address, Data from);

  // In order of their completion.
  const std::vector<const Request*>& completed() const { return completed_; }

 private:
  struct Mark final : tlm::tlm_extension<Mark> {
    Request* request = nullptr;
    tlm::tlm_extension_base* clone() const override { return new Mark{*this}; }
    void copy_from(const tlm::tlm_extension_base& other) override {
      *this = static_cast<const Mark&>(other);
    }
  };

  Request& send(tlm::tlm_command command, std::uint64_t address, Data data,
                std::optional<Picoseconds> at);
  unsigned debug(tlm::tlm_command command, std::uint64_t address, Data& data);
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;

  sim::Clockwork& clock_;
  sim::PayloadPool pool_;
  std::deque<Request> requests_;
  std::vector<const Request*> completed_;
};

}  // namespace ioasim::test
