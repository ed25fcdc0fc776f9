// TLM-2.0 base-protocol sockets of our modules. They keep the protocol, so that a module sees
// requests and responses at engine times, and everything of TLM can stand at the other end:
//
//  * nb_transport is the timed path. A target of ours answers BEGIN_REQ with END_REQ
//    (TLM_UPDATED) or with the whole response (TLM_COMPLETED and a delay); an initiator of ours
//    answers BEGIN_RESP with TLM_COMPLETED. Hence the exclusion rules hold with requests in a
//    pipeline, and a request costs two calls.
//  * b_transport waits for the delay it is given, goes the same way, and returns with the
//    response and no delay.
//  * transport_dbg is the back door that every target has. DMI is refused: it would hide
//    transactions from caches and IOMMU.
//
// A peer that is not ours is called with the kernel at the engine's time and with no delay; its
// transactions are carried by a payload of our own, so that no extension of ours needs to be
// known outside. Four-phase peers are waited for as the exclusion rules ask.
#pragma once

#include <deque>
#include <optional>

#include "sim/clockwork.hpp"
#include "sim/payload.hpp"

namespace ioasim::sim {

// The module behind a target socket. `port` is the number given to the socket.
class Target {
 public:
  virtual ~Target() = default;
  // A request arrives at `at` (not before now). Returns the time of the response if it is
  // already known and the transaction final; else the module keeps the transaction (acquire)
  // and calls respond() on the socket later.
  virtual std::optional<Picoseconds> request(unsigned port, Transaction& transaction,
                                             Picoseconds at) = 0;
  // Back door: same address decoding and effect on contents, no time, no effect on caches.
  // Returns the bytes done.
  virtual unsigned debug(unsigned port, Transaction& transaction) = 0;
};

// The module behind an initiator socket.
class Initiator {
 public:
  virtual ~Initiator() = default;
  // The response to a request that send() did not answer itself.
  virtual void response(unsigned port, Transaction& transaction, Picoseconds at) = 0;
};

// Whether a transport interface belongs to a socket of ours.
class EngineAware {
 public:
  virtual ~EngineAware() = default;
};

// Whether elaboration fails, with the socket's name, if nothing is bound to it.
enum class Binding : std::uint8_t { required, optional };

// Binding is checked here and not by SystemC, which does not know what is optional.
using InitiatorBase =
    tlm::tlm_initiator_socket<32, tlm::tlm_base_protocol_types, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;
using TargetBase =
    tlm::tlm_target_socket<32, tlm::tlm_base_protocol_types, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;

class InitiatorSocket final : public InitiatorBase {
 public:
  InitiatorSocket(const char* name, Clockwork& clock, Initiator& owner, unsigned port = 0,
                  Binding binding = Binding::required);
  ~InitiatorSocket() override;

  // Sends a request that arrives at `at`, which is not before now. Returns the time of the
  // response if the target knew it; else response() is called.
  std::optional<Picoseconds> send(Transaction& transaction, Picoseconds at);
  unsigned debug(Transaction& transaction) { return (*this)->transport_dbg(transaction); }
  bool bound() { return get_base_port().get_interface() != nullptr; }

 private:
  class Backward;

  void end_of_elaboration() override;
  void deliver(Transaction* transaction);
  void end_request(std::uint64_t request);
  void request_ended();
  tlm::tlm_sync_enum backward(Transaction& transaction, tlm::tlm_phase& phase,
                              const sc_core::sc_time& delay);

  Clockwork& clock_;
  Initiator& owner_;
  unsigned port_;
  Binding binding_;
  bool foreign_ = false;
  Transaction* in_request_ = nullptr;  // between BEGIN_REQ and END_REQ of a foreign target
  std::uint64_t requests_ = 0;         // begun with a foreign target
  // By the request exclusion rule.
  // tidy: allow std::deque: of a foreign target only
  std::deque<Transaction*> held_;
  std::unique_ptr<Backward> backward_;
};

class TargetSocket final : public TargetBase {
 public:
  TargetSocket(const char* name, Clockwork& clock, Target& owner, unsigned port = 0);
  ~TargetSocket() override;

  // Answers a request, with the response at `at`, which is not before now.
  void respond(Transaction& transaction, Picoseconds at);

 private:
  class Forward;
  struct Adopted;

  void end_of_elaboration() override;
  tlm::tlm_sync_enum forward(Transaction& transaction, tlm::tlm_phase& phase,
                             sc_core::sc_time& delay);
  tlm::tlm_sync_enum forward_foreign(Transaction& transaction, tlm::tlm_phase& phase,
                                     const sc_core::sc_time& delay);
  void blocking(Transaction& transaction, sc_core::sc_time& delay);
  Adopted& adopt(Transaction& foreign);
  void begin_foreign(Adopted* adopted);
  void finish_foreign(Adopted* adopted);
  void begin_response(int);
  void response_ended();
  void release(Adopted& adopted);

  Clockwork& clock_;
  Target& owner_;
  unsigned port_;
  bool foreign_ = false;
  PayloadPool pool_;
  std::vector<std::unique_ptr<Adopted>> adopted_;
  // By the response exclusion rule.
  // tidy: allow std::deque: of a foreign initiator only
  std::deque<Adopted*> answered_;
  bool responding_ = false;  // to the first of them
  std::unique_ptr<Forward> forward_;
};

}  // namespace ioasim::sim
