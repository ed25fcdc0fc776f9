#include "sim/sockets.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace ioasim::sim {
namespace {

Picoseconds arrival(const Clockwork& clock, const sc_core::sc_time& delay) {
  return clock.kernel_now() + Picoseconds{static_cast<std::int64_t>(delay.value())};
}

// The owner is also a module; its path names the socket's errors.
void refuse_phase(const char* socket, const tlm::tlm_phase& phase) {
  SC_REPORT_ERROR("/ioasim/tlm-phase",
                  (std::string{socket} + ": unexpected phase " + phase.get_name()).c_str());
}

}  // namespace

class InitiatorSocket::Backward final : public tlm::tlm_bw_transport_if<>, public EngineAware {
 public:
  explicit Backward(InitiatorSocket& socket) : socket_{socket} {}

  tlm::tlm_sync_enum nb_transport_bw(Transaction& transaction, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    return socket_.backward(transaction, phase, delay);
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}

 private:
  InitiatorSocket& socket_;
};

InitiatorSocket::InitiatorSocket(const char* name, Clockwork& clock, Initiator& owner,
                                 unsigned port, Binding binding)
    : InitiatorBase{name},
      clock_{clock},
      owner_{owner},
      port_{port},
      binding_{binding},
      backward_{std::make_unique<Backward>(*this)} {
  bind(*backward_);
}

InitiatorSocket::~InitiatorSocket() = default;

void InitiatorSocket::end_of_elaboration() {
  if (!bound() && binding_ == Binding::required) {
    SC_REPORT_ERROR("/ioasim/unbound", (std::string{name()} + " is not bound").c_str());
  }
  foreign_ = dynamic_cast<EngineAware*>(get_base_port().get_interface()) == nullptr;
}

std::optional<Picoseconds> InitiatorSocket::send(Transaction& transaction, Picoseconds at) {
  if (foreign_) [[unlikely]] {
    transaction.acquire();
    clock_.in_kernel_at<&InitiatorSocket::deliver>(at, this, &transaction);
    return std::nullopt;
  }
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  auto delay = clock_.delay_until(at);
  const auto status = (*this)->nb_transport_fw(transaction, phase, delay);
  if (status == tlm::TLM_COMPLETED) return arrival(clock_, delay);
  return std::nullopt;
}

// A request to a target that is not ours; the kernel is at its time.
void InitiatorSocket::deliver(Transaction* transaction) {
  if (in_request_ != nullptr) {
    held_.push_back(transaction);
    return;
  }
  in_request_ = transaction;
  ++requests_;
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  auto delay = sc_core::SC_ZERO_TIME;
  switch ((*this)->nb_transport_fw(*transaction, phase, delay)) {
    case tlm::TLM_ACCEPTED:
      return;
    case tlm::TLM_UPDATED: {
      const bool answered = phase == tlm::BEGIN_RESP;
      transaction->acquire();
      backward(*transaction, phase, delay);
      if (answered) {
        phase = tlm::END_RESP;
        (*this)->nb_transport_fw(*transaction, phase, delay);
      }
      transaction->release();
      return;
    }
    case tlm::TLM_COMPLETED:
      request_ended();
      owner_.response(port_, *transaction, arrival(clock_, delay));
      transaction->release();
      return;
  }
}

// An END_REQ counts from its time on; a response may have ended the request before.
void InitiatorSocket::end_request(std::uint64_t request) {
  if (in_request_ != nullptr && request == requests_) request_ended();
}

void InitiatorSocket::request_ended() {
  in_request_ = nullptr;
  if (held_.empty()) return;
  Transaction* const next = held_.front();
  held_.pop_front();
  clock_.in_kernel_at<&InitiatorSocket::deliver>(clock_.now(), this, next);
}

tlm::tlm_sync_enum InitiatorSocket::backward(Transaction& transaction, tlm::tlm_phase& phase,
                                             const sc_core::sc_time& delay) {
  if (phase == tlm::END_REQ) {
    clock_.in_kernel_at<&InitiatorSocket::end_request>(arrival(clock_, delay), this, requests_);
    return tlm::TLM_ACCEPTED;
  }
  if (phase != tlm::BEGIN_RESP) {
    refuse_phase(name(), phase);
    return tlm::TLM_ACCEPTED;
  }
  if (!foreign_) [[likely]] {
    owner_.response(port_, transaction, arrival(clock_, delay));
    return tlm::TLM_COMPLETED;
  }
  if (in_request_ == &transaction) request_ended();
  owner_.response(port_, transaction, std::max(arrival(clock_, delay), clock_.now()));
  transaction.release();
  return tlm::TLM_COMPLETED;
}

// A transaction of a peer that is not ours, and the payload that carries it among our modules.
struct TargetSocket::Adopted {
  TargetSocket* socket = nullptr;
  Transaction* foreign = nullptr;
  Payload* ours = nullptr;
  bool blocking = false;
  bool done = false;
  Picoseconds done_at{};
  sc_core::sc_event finished;

  struct Mark : tlm::tlm_extension<Mark> {
    Adopted* adopted = nullptr;
    tlm::tlm_extension_base* clone() const override { return nullptr; }
    void copy_from(const tlm::tlm_extension_base&) override {}
  };
};

class TargetSocket::Forward final : public tlm::tlm_fw_transport_if<>, public EngineAware {
 public:
  explicit Forward(TargetSocket& socket) : socket_{socket} {}

  tlm::tlm_sync_enum nb_transport_fw(Transaction& transaction, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    return socket_.forward(transaction, phase, delay);
  }
  void b_transport(Transaction& transaction, sc_core::sc_time& delay) override {
    socket_.blocking(transaction, delay);
  }
  unsigned transport_dbg(Transaction& transaction) override {
    return socket_.owner_.debug(socket_.port_, transaction);
  }
  bool get_direct_mem_ptr(Transaction&, tlm::tlm_dmi& dmi) override {
    dmi.allow_none();
    return false;
  }

 private:
  TargetSocket& socket_;
};

TargetSocket::TargetSocket(const char* name, Clockwork& clock, Target& owner, unsigned port)
    : TargetBase{name},
      clock_{clock},
      owner_{owner},
      port_{port},
      forward_{std::make_unique<Forward>(*this)} {
  bind(*forward_);
}

TargetSocket::~TargetSocket() = default;

void TargetSocket::end_of_elaboration() {
  foreign_ = dynamic_cast<EngineAware*>(get_base_port().get_interface()) == nullptr;
}

tlm::tlm_sync_enum TargetSocket::forward(Transaction& transaction, tlm::tlm_phase& phase,
                                         sc_core::sc_time& delay) {
  if (foreign_) [[unlikely]]
    return forward_foreign(transaction, phase, delay);
  DCHECK(phase == tlm::BEGIN_REQ);
  if (const auto done = owner_.request(port_, transaction, arrival(clock_, delay))) {
    delay = clock_.delay_until(*done);
    return tlm::TLM_COMPLETED;
  }
  phase = tlm::END_REQ;
  return tlm::TLM_UPDATED;
}

tlm::tlm_sync_enum TargetSocket::forward_foreign(Transaction& transaction, tlm::tlm_phase& phase,
                                                 const sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) {
    response_ended();
    return tlm::TLM_COMPLETED;
  }
  if (phase != tlm::BEGIN_REQ) {
    refuse_phase(name(), phase);
    return tlm::TLM_ACCEPTED;
  }
  transaction.acquire();
  clock_.at<&TargetSocket::begin_foreign>(arrival(clock_, delay), this, &adopt(transaction));
  phase = tlm::END_REQ;
  return tlm::TLM_UPDATED;
}

TargetSocket::Adopted& TargetSocket::adopt(Transaction& foreign) {
  Payload& ours = pool_.take();
  auto& mark = extension<Adopted::Mark>(ours);
  if (mark.adopted == nullptr) {
    adopted_.push_back(std::make_unique<Adopted>());
    mark.adopted = adopted_.back().get();
  }
  Adopted& adopted = *mark.adopted;
  adopted.socket = this;
  adopted.foreign = &foreign;
  adopted.ours = &ours;
  adopted.blocking = adopted.done = false;
  ours.prepare(foreign.get_command(), foreign.get_address(), data_of(foreign));
  ours.set_byte_enable_ptr(foreign.get_byte_enable_ptr());
  ours.set_byte_enable_length(foreign.get_byte_enable_length());
  ours.set_streaming_width(foreign.get_streaming_width());
  return adopted;
}

// TLM_IGNORE_COMMAND asks for nothing, which succeeds (IEEE 1666 14.7).
void TargetSocket::begin_foreign(Adopted* adopted) {
  if (adopted->ours->get_command() == tlm::TLM_IGNORE_COMMAND) {
    adopted->ours->set_response_status(tlm::TLM_OK_RESPONSE);
    return respond(*adopted->ours, clock_.now());
  }
  if (const auto done = owner_.request(port_, *adopted->ours, clock_.now())) {
    respond(*adopted->ours, *done);
  }
}

void TargetSocket::respond(Transaction& transaction, Picoseconds at) {
  if (!foreign_) [[likely]] {
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    auto delay = clock_.delay_until(at);
    (*this)->nb_transport_bw(transaction, phase, delay);
    return;
  }
  Adopted* const adopted = transaction.get_extension<Adopted::Mark>()->adopted;
  clock_.in_kernel_at<&TargetSocket::finish_foreign>(at, this, adopted);
}

// The kernel is at the time of the response.
void TargetSocket::finish_foreign(Adopted* adopted) {
  adopted->foreign->set_response_status(adopted->ours->get_response_status());
  if (adopted->blocking) {
    adopted->done = true;
    adopted->finished.notify();
    return;
  }
  answered_.push_back(adopted);
  begin_response(0);
}

// One response at a time: the next begins when the peer has ended the one before.
void TargetSocket::begin_response(int) {
  if (responding_ || answered_.empty()) return;
  responding_ = true;
  tlm::tlm_phase phase = tlm::BEGIN_RESP;
  auto delay = sc_core::SC_ZERO_TIME;
  const auto status = (*this)->nb_transport_bw(*answered_.front()->foreign, phase, delay);
  const bool ended =
      status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP);
  if (ended && responding_) response_ended();
}

void TargetSocket::response_ended() {
  if (!responding_) return refuse_phase(name(), tlm::END_RESP);
  responding_ = false;
  Adopted* const ended = answered_.front();
  answered_.pop_front();
  ended->foreign->release();
  release(*ended);
  if (!answered_.empty()) {
    clock_.in_kernel_at<&TargetSocket::begin_response>(clock_.now(), this, 0);
  }
}

void TargetSocket::release(Adopted& adopted) { adopted.ours->release(); }

// The delay that the caller has run ahead by is waited for, so that requests keep their order.
void TargetSocket::blocking(Transaction& transaction, sc_core::sc_time& delay) {
  sc_core::wait(delay);
  delay = sc_core::SC_ZERO_TIME;
  CHECK(foreign_);  // our own initiators use nb_transport
  Adopted& adopted = adopt(transaction);
  adopted.blocking = true;
  clock_.at<&TargetSocket::begin_foreign>(clock_.now(), this, &adopted);
  while (!adopted.done) sc_core::wait(adopted.finished);
  release(adopted);
}

}  // namespace ioasim::sim
