// The simplified path as the examples of TLM-2.0 teach it: every block an approximately timed
// module with simple sockets, four-phase nb_transport, TLM_ACCEPTED from every call, and a
// payload-event queue for what comes in on either side. The base protocol is kept: one request and
// one response at a time between BEGIN and END on each socket, references counted. Payloads are
// pooled and their extension stays, so that no allocation of ours slows it down.
#include <fmt/format.h>
#include <tlm_utils/peq_with_cb_and_phase.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <deque>
#include <memory>

#include "measurement.hpp"
#include "path.hpp"

namespace ioasim::bench {
namespace {

using sim::Transaction;

// What a block notifies to its own queue: the time in it is over.
TLM_DECLARE_EXTENDED_PHASE(REQUEST_READY);
TLM_DECLARE_EXTENDED_PHASE(RESPONSE_READY);

std::uint64_t activations = 0;  // of processes and queue callbacks

sc_core::sc_time to_sc(Picoseconds time) {
  return sc_core::sc_time::from_value(static_cast<sc_dt::uint64>(time.count()));
}
Picoseconds now() {
  return Picoseconds{static_cast<std::int64_t>(sc_core::sc_time_stamp().value())};
}

// The side of a block that sends requests: one at a time, until END_REQ.
template <class Socket>
class RequestSide {
 public:
  explicit RequestSide(Socket& socket) : socket_{socket} {}

  void send(Transaction& transaction) {
    waiting_.push_back(&transaction);
    if (waiting_.size() == 1) begin();
  }
  // END_REQ.
  void ended() {
    waiting_.pop_front();
    if (!waiting_.empty()) begin();
  }

 private:
  void begin() {
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    auto delay = sc_core::SC_ZERO_TIME;
    socket_->nb_transport_fw(*waiting_.front(), phase, delay);
  }

  Socket& socket_;
  std::deque<Transaction*> waiting_;  // the first is under way
};

// The side that sends responses: one at a time, until END_RESP.
template <class Socket>
class ResponseSide {
 public:
  explicit ResponseSide(Socket& socket) : socket_{socket} {}

  void accept(Transaction& transaction) {
    transaction.acquire();
    tlm::tlm_phase phase = tlm::END_REQ;
    auto delay = sc_core::SC_ZERO_TIME;
    socket_->nb_transport_bw(transaction, phase, delay);
  }
  void send(Transaction& transaction) {
    waiting_.push_back(&transaction);
    if (waiting_.size() == 1) begin();
  }
  // END_RESP.
  void ended() {
    waiting_.front()->release();
    waiting_.pop_front();
    if (!waiting_.empty()) begin();
  }

 private:
  void begin() {
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    auto delay = sc_core::SC_ZERO_TIME;
    socket_->nb_transport_bw(*waiting_.front(), phase, delay);
  }

  Socket& socket_;
  std::deque<Transaction*> waiting_;  // the first is under way
};

template <class Socket>
void end_response(Socket& socket, Transaction& transaction) {
  tlm::tlm_phase phase = tlm::END_RESP;
  auto delay = sc_core::SC_ZERO_TIME;
  socket->nb_transport_fw(transaction, phase, delay);
}

class Device final : public sc_core::sc_module {
 public:
  Device(const sc_core::sc_module_name& name, Meter& meter, Workload workload, unsigned number)
      : sc_module{name},
        link{"link"},
        meter_{meter},
        requests_{workload, number},
        number_{number},
        request_side_{link},
        responses_{this, &Device::respond} {
    link.register_nb_transport_bw(this, &Device::nb_transport_bw);
    SC_HAS_PROCESS(Device);
    SC_METHOD(issue);
    sensitive << go_;
    dont_initialize();
  }

  tlm_utils::simple_initiator_socket<Device> link;

 private:
  void start_of_simulation() override { go_.notify(to_sc(777_ps * number_)); }

  void issue() {
    ++activations;
    if (!meter_.issue()) return;
    const Request request = requests_.next();
    auto& payload = pool_.take();
    payload.prepare(request.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND,
                    request.iova.value, request.bytes);
    auto& mark = sim::extension<Mark>(payload);
    mark.device = number_;
    mark.issued = now();
    request_side_.send(payload);
    go_.notify(to_sc(issue_gap));
  }

  tlm::tlm_sync_enum nb_transport_bw(Transaction& transaction, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) {
    responses_.notify(transaction, phase, delay);
    return tlm::TLM_ACCEPTED;
  }
  void respond(Transaction& transaction, const tlm::tlm_phase& phase) {
    ++activations;
    if (phase == tlm::END_REQ) {
      request_side_.ended();
      return;
    }
    end_response(link, transaction);
    meter_.complete(now() - mark_of(transaction).issued);
    transaction.release();
  }

  Meter& meter_;
  Requests requests_;
  unsigned number_;
  sim::PayloadPool pool_;
  sc_core::sc_event go_;
  RequestSide<tlm_utils::simple_initiator_socket<Device>> request_side_;
  tlm_utils::peq_with_cb_and_phase<Device> responses_;
};

// A block that passes requests on: a link, or the IOMMU. What it does to them takes time.
class Hop : public sc_core::sc_module {
 public:
  using Port = tlm_utils::simple_target_socket<Hop>;

  Hop(const sc_core::sc_module_name& name, unsigned ports)
      : sc_module{name},
        next{"next"},
        request_side_{next},
        requests_{this, &Hop::request},
        responses_{this, &Hop::respond} {
    for (unsigned n = 0; n < ports; ++n) {
      ports_.push_back(std::make_unique<Port>(fmt::format("port{}", n).c_str()));
      ports_.back()->register_nb_transport_fw(this, &Hop::nb_transport_fw);
      response_sides_.emplace_back(*ports_.back());
    }
    next.register_nb_transport_bw(this, &Hop::nb_transport_bw);
  }

  Port& port(unsigned n) { return *ports_[n]; }
  tlm_utils::simple_initiator_socket<Hop> next;

 protected:
  // When a request, or a response, that comes now goes on.
  virtual Picoseconds forward(Transaction& transaction) = 0;
  virtual Picoseconds backward(Transaction& transaction) = 0;

 private:
  tlm::tlm_sync_enum nb_transport_fw(Transaction& transaction, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) {
    requests_.notify(transaction, phase, delay);
    return tlm::TLM_ACCEPTED;
  }
  tlm::tlm_sync_enum nb_transport_bw(Transaction& transaction, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) {
    responses_.notify(transaction, phase, delay);
    return tlm::TLM_ACCEPTED;
  }

  void request(Transaction& transaction, const tlm::tlm_phase& phase) {
    ++activations;
    if (phase == tlm::BEGIN_REQ) {
      side_of(transaction).accept(transaction);
      requests_.notify(transaction, REQUEST_READY, to_sc(forward(transaction) - now()));
    } else if (phase == tlm::END_RESP) {
      side_of(transaction).ended();
    } else {
      request_side_.send(transaction);
    }
  }
  void respond(Transaction& transaction, const tlm::tlm_phase& phase) {
    ++activations;
    if (phase == tlm::END_REQ) {
      request_side_.ended();
    } else if (phase == tlm::BEGIN_RESP) {
      end_response(next, transaction);
      responses_.notify(transaction, RESPONSE_READY, to_sc(backward(transaction) - now()));
    } else {
      side_of(transaction).send(transaction);
    }
  }

  ResponseSide<Port>& side_of(const Transaction& transaction) {
    return response_sides_[ports_.size() == 1 ? 0 : mark_of(transaction).device];
  }

  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<ResponseSide<Port>> response_sides_;
  RequestSide<tlm_utils::simple_initiator_socket<Hop>> request_side_;
  tlm_utils::peq_with_cb_and_phase<Hop> requests_;
  tlm_utils::peq_with_cb_and_phase<Hop> responses_;
};

class Link final : public Hop {
 public:
  Link(const sc_core::sc_module_name& name, Path& path) : Hop{name, 1}, path_{path} {}

 private:
  Picoseconds forward(Transaction& transaction) override {
    return path_.send_up(transaction, now());
  }
  // A write is posted: its response is not on the wire.
  Picoseconds backward(Transaction& transaction) override {
    return transaction.is_write() ? now() : path_.send_down(transaction, now());
  }

  Path& path_;
};

class Iommu final : public Hop {
 public:
  Iommu(const sc_core::sc_module_name& name, Path& path) : Hop{name, path_devices}, path_{path} {}

 private:
  Picoseconds forward(Transaction& transaction) override {
    auto& mark = mark_of(transaction);
    const auto translation = path_.translate(mark.device, Iova{transaction.get_address()}, now());
    mark.address = translation.address;
    return translation.ready;
  }
  Picoseconds backward(Transaction&) override { return now(); }

  Path& path_;
};

class Memory final : public sc_core::sc_module {
 public:
  Memory(const sc_core::sc_module_name& name, Path& path)
      : sc_module{name},
        iommu{"iommu"},
        path_{path},
        response_side_{iommu},
        requests_{this, &Memory::request} {
    iommu.register_nb_transport_fw(this, &Memory::nb_transport_fw);
  }

  tlm_utils::simple_target_socket<Memory> iommu;

 private:
  tlm::tlm_sync_enum nb_transport_fw(Transaction& transaction, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) {
    requests_.notify(transaction, phase, delay);
    return tlm::TLM_ACCEPTED;
  }
  void request(Transaction& transaction, const tlm::tlm_phase& phase) {
    ++activations;
    if (phase == tlm::BEGIN_REQ) {
      response_side_.accept(transaction);
      const auto done = path_.access(mark_of(transaction).address, transaction.get_data_length(),
                                     transaction.is_write(), now());
      requests_.notify(transaction, RESPONSE_READY, to_sc(done - now()));
    } else if (phase == tlm::END_RESP) {
      response_side_.ended();
    } else {
      transaction.set_response_status(tlm::TLM_OK_RESPONSE);
      response_side_.send(transaction);
    }
  }

  Path& path_;
  ResponseSide<tlm_utils::simple_target_socket<Memory>> response_side_;
  tlm_utils::peq_with_cb_and_phase<Memory> requests_;
};

Measurement run(Workload workload, std::uint64_t tlps) {
  Meter meter{tlps};
  Path path;
  Iommu iommu{"iommu", path};
  Memory memory{"memory", path};
  iommu.next.bind(memory.iommu);
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<std::unique_ptr<Link>> links;
  for (unsigned n = 0; n < path_devices; ++n) {
    devices.push_back(
        std::make_unique<Device>(fmt::format("device{}", n).c_str(), meter, workload, n));
    links.push_back(std::make_unique<Link>(fmt::format("link{}", n).c_str(), path));
    devices[n]->link.bind(links[n]->port(0));
    links[n]->next.bind(iommu.port(n));
  }
  sc_core::sc_start();
  auto measurement = meter.result(activations);
  measurement.iotlb_miss_rate = path.iotlb_miss_rate();
  measurement.llc_miss_rate = path.llc_miss_rate();
  return measurement;
}

template <Workload workload>
Measurement run(std::uint64_t tlps) {
  return run(workload, tlps);
}

}  // namespace

std::vector<Subject> textbook_subjects() {
  return {{"textbook/W0", "the simplified path, four phases and a PEQ a block, 256-byte writes",
           400'000, run<Workload::stream>},
          {"textbook/W2", "the same, the mix", 400'000, run<Workload::mix>}};
}

}  // namespace ioasim::bench
