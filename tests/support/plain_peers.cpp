#include "support/plain_peers.hpp"

#include <algorithm>
#include <cstring>

namespace ioasim::test {

PlainLooseInitiator::Outcome PlainLooseInitiator::access(tlm::tlm_command command,
                                                         std::uint64_t address, void* data,
                                                         unsigned bytes, sc_core::sc_time delay) {
  tlm::tlm_generic_payload payload;
  payload.set_command(command);
  payload.set_address(address);
  payload.set_data_ptr(static_cast<unsigned char*>(data));
  payload.set_data_length(bytes);
  payload.set_streaming_width(bytes);
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  socket->b_transport(payload, delay);
  return {payload.get_response_status(), delay, kernel_ps()};
}

// ---- four phases ----

PlainTimedInitiator::PlainTimedInitiator(const sc_core::sc_module_name& name)
    : sc_module{name}, socket{"socket"} {
  socket.register_nb_transport_bw(this, &PlainTimedInitiator::backward);
  SC_HAS_PROCESS(PlainTimedInitiator);
  SC_METHOD(end_responses);
  sensitive << end_response_;
  dont_initialize();
}

PlainTimedInitiator::~PlainTimedInitiator() = default;

PlainTimedInitiator::Access& PlainTimedInitiator::start(tlm::tlm_command command,
                                                        std::uint64_t address, unsigned bytes,
                                                        unsigned char fill) {
  Access& access = accesses_.emplace_back();
  access.data.fill(fill);
  auto& payload = access.payload;
  payload.set_mm(&manager_);
  payload.acquire();
  ++manager_.references;
  payload.set_command(command);
  payload.set_address(address);
  payload.set_data_ptr(access.data.data());
  payload.set_data_length(bytes);
  payload.set_streaming_width(bytes);
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  auto delay = request_delay;
  const auto status = socket->nb_transport_fw(payload, phase, delay);
  if (status == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
    access.end_request_at = kernel_ps() + delay.value();
  } else if (status == tlm::TLM_COMPLETED) {
    access.begin_response_at = kernel_ps() + delay.value();
    ++access.responses;
    answered.push_back(&access);
    payload.release();
  }
  return access;
}

PlainTimedInitiator::Access& PlainTimedInitiator::of(const tlm::tlm_generic_payload& payload) {
  return *std::find_if(accesses_.begin(), accesses_.end(),
                       [&](const Access& access) { return &access.payload == &payload; });
}

tlm::tlm_sync_enum PlainTimedInitiator::backward(tlm::tlm_generic_payload& payload,
                                                 tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  Access& access = of(payload);
  if (phase == tlm::END_REQ) {
    access.end_request_at = kernel_ps() + delay.value();
    return tlm::TLM_ACCEPTED;
  }
  access.begin_response_at = kernel_ps() + delay.value();
  ++access.responses;
  answered.push_back(&access);
  if (in_response_ != nullptr) ++rule_broken;
  if (end == EndResponse::later) {
    in_response_ = &access;
    end_response_.notify(picoseconds(end_after_ps));
    return tlm::TLM_ACCEPTED;
  }
  payload.release();
  if (end == EndResponse::returned_completed) return tlm::TLM_COMPLETED;
  phase = tlm::END_RESP;
  return tlm::TLM_UPDATED;
}

void PlainTimedInitiator::end_responses() {
  auto& payload = in_response_->payload;
  in_response_ = nullptr;
  tlm::tlm_phase phase = tlm::END_RESP;
  auto delay = sc_core::SC_ZERO_TIME;
  socket->nb_transport_fw(payload, phase, delay);
  payload.release();
}

// ---- b_transport only ----

PlainLooseTarget::PlainLooseTarget(const sc_core::sc_module_name& name)
    : sc_module{name}, socket{"socket"} {
  socket.register_b_transport(this, &PlainLooseTarget::serve);
  socket.register_transport_dbg(this, &PlainLooseTarget::debug);
}

unsigned PlainLooseTarget::debug(tlm::tlm_generic_payload& payload) {
  auto* const held = memory.data() + payload.get_address();
  if (payload.is_write()) {
    std::memcpy(held, payload.get_data_ptr(), payload.get_data_length());
  } else {
    std::memcpy(payload.get_data_ptr(), held, payload.get_data_length());
  }
  return payload.get_data_length();
}

void PlainLooseTarget::serve(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  called_at.push_back(kernel_ps() + delay.value());
  if (wait_ps != 0) sc_core::wait(picoseconds(wait_ps));
  debug(payload);
  delay += picoseconds(delay_ps);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

// ---- all answers to BEGIN_REQ ----

PlainTimedTarget::PlainTimedTarget(const sc_core::sc_module_name& name)
    : sc_module{name}, socket{"socket"} {
  socket.register_nb_transport_fw(this, &PlainTimedTarget::forward);
  SC_HAS_PROCESS(PlainTimedTarget);
  SC_METHOD(run);
  sensitive << wake_;
  dont_initialize();
}

tlm::tlm_sync_enum PlainTimedTarget::forward(tlm::tlm_generic_payload& payload,
                                             tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) {
    ++end_responses;
    if (payload.get_ref_count() == 0) ++freed_early;
    return tlm::TLM_COMPLETED;
  }
  const auto now = kernel_ps() + delay.value();
  begin_request_at.push_back(now);
  if (in_request_ != nullptr || now < request_ends_at_) ++rule_broken;
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (payload.is_read()) std::memset(payload.get_data_ptr(), 0xa5, payload.get_data_length());
  switch (answer) {
    case Answer::accepted:
    case Answer::no_end_request:
      in_request_ = &payload;
      if (answer == Answer::accepted) pending_.push_back({now + request_ps, &payload, false});
      pending_.push_back({now + response_ps, &payload, true});
      break;
    case Answer::end_request:
      request_ends_at_ = now + request_ps;
      phase = tlm::END_REQ;
      delay += picoseconds(request_ps);
      pending_.push_back({now + response_ps, &payload, true});
      wake_.notify(picoseconds(pending_.front().at - kernel_ps()));
      return tlm::TLM_UPDATED;
    case Answer::begin_response:
      phase = tlm::BEGIN_RESP;
      delay += picoseconds(response_ps);
      return tlm::TLM_UPDATED;
    case Answer::completed:
      delay += picoseconds(response_ps);
      return tlm::TLM_COMPLETED;
  }
  std::sort(pending_.begin(), pending_.end(),
            [](const Pending& a, const Pending& b) { return a.at < b.at; });
  wake_.notify(picoseconds(pending_.front().at - kernel_ps()));
  return tlm::TLM_ACCEPTED;
}

void PlainTimedTarget::run() {
  while (!pending_.empty() && pending_.front().at <= kernel_ps()) {
    const Pending due = pending_.front();
    pending_.pop_front();
    tlm::tlm_phase phase = due.response ? tlm::BEGIN_RESP : tlm::END_REQ;
    if (in_request_ == due.payload) in_request_ = nullptr;
    auto delay = sc_core::SC_ZERO_TIME;
    const auto status = socket->nb_transport_bw(*due.payload, phase, delay);
    if (status == tlm::TLM_COMPLETED || phase == tlm::END_RESP) ++end_responses;
  }
  if (!pending_.empty()) wake_.notify(picoseconds(pending_.front().at - kernel_ps()));
}

}  // namespace ioasim::test
