// TLM-2.0 modules that know nothing of this library: what somebody else's model looks like at the
// other end of our sockets.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <deque>
#include <systemc>
#include <tlm>
#include <vector>

#include "base/time.hpp"

namespace ioasim::test {

inline std::uint64_t kernel_ps() { return sc_core::sc_time_stamp().value(); }
inline Picoseconds kernel_now() { return Picoseconds{static_cast<std::int64_t>(kernel_ps())}; }
inline sc_core::sc_time picoseconds(std::uint64_t count) {
  return sc_core::sc_time::from_value(count);
}

// Loosely timed: calls b_transport from whatever thread calls it.
class PlainLooseInitiator final : public sc_core::sc_module {
 public:
  explicit PlainLooseInitiator(const sc_core::sc_module_name& name)
      : sc_module{name}, socket{"socket"} {}

  tlm_utils::simple_initiator_socket<PlainLooseInitiator> socket;

  struct Outcome {
    tlm::tlm_response_status status;
    sc_core::sc_time delay;     // that is left
    std::uint64_t returned_at;  // kernel time
  };
  Outcome access(tlm::tlm_command command, std::uint64_t address, void* data, unsigned bytes,
                 sc_core::sc_time delay = sc_core::SC_ZERO_TIME);
};

// Approximately timed, all four phases: accepts BEGIN_RESP and ends it `end_after` later. Keeps
// the request exclusion rule and checks that its peer keeps the response exclusion rule.
class PlainTimedInitiator final : public sc_core::sc_module {
 public:
  explicit PlainTimedInitiator(const sc_core::sc_module_name& name);
  ~PlainTimedInitiator() override;

  tlm_utils::simple_initiator_socket<PlainTimedInitiator> socket;

  enum class EndResponse { later, returned_completed, returned_updated };
  EndResponse end = EndResponse::later;
  std::uint64_t end_after_ps = 10'000;
  // Of BEGIN_REQ.
  sc_core::sc_time request_delay = sc_core::SC_ZERO_TIME;

  struct Access {
    tlm::tlm_generic_payload payload;
    std::array<unsigned char, 256> data{};
    std::uint64_t end_request_at = 0;
    std::uint64_t begin_response_at = 0;
    unsigned responses = 0;
  };
  Access& start(tlm::tlm_command command, std::uint64_t address, unsigned bytes,
                unsigned char fill = 0);

  // In order of BEGIN_RESP.
  std::vector<const Access*> answered;
  unsigned rule_broken = 0;  // BEGIN_RESP before the END_RESP of the one before
  unsigned references() const { return manager_.references; }

 private:
  struct Manager final : tlm::tlm_mm_interface {
    unsigned references = 0;  // transactions not yet freed
    void free(tlm::tlm_generic_payload*) override { --references; }
  };

  tlm::tlm_sync_enum backward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                              sc_core::sc_time& delay);
  void end_responses();
  Access& of(const tlm::tlm_generic_payload& payload);

  Manager manager_;
  std::deque<Access> accesses_;
  Access* in_response_ = nullptr;
  sc_core::sc_event end_response_;
};

// Registers b_transport and nothing else.
class PlainLooseTarget final : public sc_core::sc_module {
 public:
  explicit PlainLooseTarget(const sc_core::sc_module_name& name);

  tlm_utils::simple_target_socket<PlainLooseTarget> socket;

  std::uint64_t delay_ps = 0;  // annotated
  std::uint64_t wait_ps = 0;   // waited for
  std::array<unsigned char, 4096> memory{};
  std::vector<std::uint64_t> called_at;

 private:
  void serve(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned debug(tlm::tlm_generic_payload& payload);
};

// Approximately timed: answers BEGIN_REQ in one of the ways that the base protocol knows.
class PlainTimedTarget final : public sc_core::sc_module {
 public:
  explicit PlainTimedTarget(const sc_core::sc_module_name& name);

  tlm_utils::simple_target_socket<PlainTimedTarget> socket;

  enum class Answer {
    accepted,        // TLM_ACCEPTED, END_REQ later, BEGIN_RESP later still
    end_request,     // TLM_UPDATED, END_REQ
    begin_response,  // TLM_UPDATED, BEGIN_RESP
    completed,       // TLM_COMPLETED
    no_end_request,  // TLM_ACCEPTED, then BEGIN_RESP, which implies END_REQ
  };
  Answer answer = Answer::accepted;
  std::uint64_t request_ps = 20'000;   // BEGIN_REQ to END_REQ
  std::uint64_t response_ps = 50'000;  // BEGIN_REQ to BEGIN_RESP

  std::vector<std::uint64_t> begin_request_at;
  unsigned end_responses = 0;
  unsigned rule_broken = 0;  // BEGIN_REQ before the END_REQ of the one before
  unsigned freed_early = 0;  // END_RESP for a transaction that nobody holds

 private:
  struct Pending {
    std::uint64_t at;
    tlm::tlm_generic_payload* payload;
    bool response;
  };

  tlm::tlm_sync_enum forward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                             sc_core::sc_time& delay);
  void run();

  tlm::tlm_generic_payload* in_request_ = nullptr;
  std::uint64_t request_ends_at_ = 0;
  std::deque<Pending> pending_;
  sc_core::sc_event wake_;
};

}  // namespace ioasim::test
