#include "iommu/iommu.hpp"

#include <fmt/format.h>

#include <cstring>

namespace ioasim::iommu {
namespace {

// VT-d 3.14: a write here without PASID is an interrupt message.
constexpr Range<Iova> interrupt_requests{Iova{interrupt_messages.base.value},
                                         interrupt_messages.bytes};

}  // namespace

Iommu::Iommu(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
             const Params& params, std::uint32_t unit, unsigned ports)
    : sc_module{name},
      memory{"memory", clock, *this, to_memory},
      interrupts{"interrupts", clock, *this, to_interrupts},
      registers{"registers", clock, *this, register_port},
      clock_{clock},
      bus_{bus},
      params_{params},
      unit_{unit},
      file_{params_},
      structures_{"walker", clock, unit, params.fabric},
      translator_{clock, this->name(), params_, file_, structures_},
      drain_{clock, this->name()},
      queue_{clock,       bus,    unit,
             params_,     file_,  translator_,
             structures_, drain_, [this](Message m) { send_message(m); }} {
  for (unsigned n = 0; n < ports; ++n) {
    ports_.push_back(std::make_unique<Port>());
    ports_.back()->socket =
        std::make_unique<sim::TargetSocket>(fmt::format("port{}", n).c_str(), clock, *this, n);
  }
}

std::optional<Picoseconds> Iommu::request(unsigned port, sim::Transaction& transaction,
                                          Picoseconds at) {
  if (port == register_port) {
    clock_.at<&Iommu::serve_register>(at + params_.register_access, this, &transaction);
    return std::nullopt;
  }
  // A root port has refused such a request; a translation is of one page.
  if (transaction.get_address() % page_bytes + transaction.get_data_length() > page_bytes) {
    transaction.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return at;
  }
  sim::extension<Passage>(transaction).port = port;
  clock_.at<&Iommu::arrive>(at + params_.lookup, this, &transaction);
  return std::nullopt;
}

// ---- requests of devices ----

void Iommu::arrive(sim::Transaction* transaction) {
  ++stats_.iommu_requests;
  const pcie::Tlp& tlp = pcie::tlp_of(*transaction);
  TRACE(bus_, clock_.now(), trace::TlpHop{tlp.transaction, trace::Hop::at_iommu, tlp.requester});
  auto& passage = sim::extension<Passage>(*transaction);
  Port& port = *ports_[passage.port];
  passage.ticket = port.posted_in;
  if (transaction->is_write()) ++port.posted_in;
  passage.epoch = drain_.enter();
  passage.iova = Iova{transaction->get_address()};
  passage.answer = Answer{};
  passage.interrupt = !tlp.has_pasid && interrupt_requests.contains(passage.iova);
  if (passage.interrupt) return in_order(*transaction);
  if (!file_.translation_enabled()) {
    passage.answer.page = {.base = Hpa{passage.iova.page_base().value},
                           .read = true,
                           .write = true,
                           .iova = passage.iova.page_base()};
    return translated(*transaction);
  }
  const Query query = query_of(tlp, passage.iova);
  if (translator_.lookup(query, passage.answer.page)) return translated(*transaction);
  wait_for_walk(*transaction, query);
}

// Joins a walk of the same page that still may be used, or starts one.
void Iommu::wait_for_walk(sim::Transaction& transaction, const Query& query) {
  sim::extension<Passage>(transaction).next = nullptr;
  std::size_t unused = walks_.size();
  for (std::size_t i = 0; i < walks_.size(); ++i) {
    Walk& walk = walks_[i];
    if (!walk.busy) {
      unused = i;
      continue;
    }
    const bool same_page =
        walk.query.source == query.source && walk.query.has_pasid == query.has_pasid &&
        walk.query.pasid == query.pasid && walk.query.iova.page() == query.iova.page();
    if (same_page && walk.generation == translator_.generation()) {
      sim::extension<Passage>(*walk.last).next = &transaction;
      walk.last = &transaction;
      return;
    }
  }
  if (unused == walks_.size()) walks_.emplace_back();
  walks_[unused] = {true, query, translator_.generation(), &transaction, &transaction};
  walk(unused).start();
}

sim::Task<> Iommu::walk(std::size_t index) {
  const Answer answer = co_await translator_.translate(walks_[index].query);
  sim::Transaction* waiting = walks_[index].first;
  walks_[index].busy = false;
  while (waiting != nullptr) {
    auto& passage = sim::extension<Passage>(*waiting);
    sim::Transaction& transaction = *waiting;
    waiting = passage.next;
    passage.answer = answer;
    translated(transaction);
  }
}

// The page is known, or the fault; the page's rights decide too.
void Iommu::translated(sim::Transaction& transaction) {
  auto& passage = sim::extension<Passage>(transaction);
  Answer& answer = passage.answer;
  if (answer.fault == FaultReason::none) {
    const bool allowed = transaction.is_write() ? answer.page.write : answer.page.read;
    const Hpa result = answer.page.base + (passage.iova - answer.page.iova);
    if (!allowed) {
      answer.fault = FaultReason::second_stage_permission;
    } else if (interrupt_messages.contains(result)) {
      answer.fault = FaultReason::interrupt_range;
    }
  }
  const pcie::Tlp& tlp = pcie::tlp_of(transaction);
  TRACE(bus_, clock_.now(), trace::TlpHop{tlp.transaction, trace::Hop::translated, tlp.requester});
  in_order(transaction);
}

// PCIe 2.4.1: nothing passes an earlier posted request of its port.
void Iommu::in_order(sim::Transaction& transaction) {
  Port& port = *ports_[sim::extension<Passage>(transaction).port];
  if (may_go(port, transaction)) return go(transaction);
  ++stats_.held_for_order;
  port.held.push_back(&transaction);
}

// A later posted request may have overtaken a read, not the other way round.
bool Iommu::may_go(const Port& port, sim::Transaction& transaction) {
  const auto ticket = sim::extension<Passage>(transaction).ticket;
  return transaction.is_write() ? port.posted_out == ticket : port.posted_out >= ticket;
}

void Iommu::go(sim::Transaction& transaction) {
  auto& passage = sim::extension<Passage>(transaction);
  Port& port = *ports_[passage.port];
  const bool posted = transaction.is_write();
  if (passage.interrupt) {
    send_interrupt(transaction, passage);
  } else if (passage.answer.fault != FaultReason::none) {
    reject(transaction, passage);
  } else {
    to_home(transaction, passage);
  }
  if (!posted) return;
  ++port.posted_out;
  if (!port.held.empty()) release_held(port);
}

// Those whose turn it is now: reads, then the next posted one, which lets others go in turn.
void Iommu::release_held(Port& port) {
  for (const bool write : {false, true}) {
    for (std::size_t i = 0; i < port.held.size(); ++i) {
      sim::Transaction& transaction = *port.held[i];
      if (transaction.is_write() != write || !may_go(port, transaction)) continue;
      port.held.erase(port.held.begin() + static_cast<std::ptrdiff_t>(i--));
      go(transaction);
      if (write) return;
    }
  }
}

void Iommu::to_home(sim::Transaction& transaction, Passage& passage) {
  const pcie::Tlp& tlp = pcie::tlp_of(transaction);
  const Page& page = passage.answer.page;
  const Hpa address = page.base + (passage.iova - page.iova);
  // VT-d 3.9: No Snoop counts unless the page or the PASID entry says otherwise.
  const bool snoop = !tlp.no_snoop || (params_.snoop_control && page.snoop);
  if (tlp.no_snoop && snoop) ++stats_.snoops_forced;
  auto& origin = sim::extension<memory::Origin>(transaction);
  origin.agent = trace::Agent::device;
  origin.who = tlp.requester.value;
  origin.snoop = snoop;
  origin.io_ways = tlp.cache_ways;
  transaction.set_address(address.value);
  const auto now = clock_.now();
  TRACE(bus_, now, trace::TlpHop{tlp.transaction, trace::Hop::at_memory, tlp.requester});
  TRACE(
      bus_, now,
      trace::DmaAccess{tlp.requester, tlp.pasid, tlp.has_pasid, passage.iova, address,
                       transaction.get_data_length(), transaction.is_write(), tlp.no_snoop, snoop});
  if (const auto done = memory.send(transaction, now)) finish(transaction, passage, *done);
}

void Iommu::response(unsigned port, sim::Transaction& transaction, Picoseconds at) {
  auto& passage = sim::extension<Passage>(transaction);
  if (port == to_interrupts && passage.port == register_port) {
    transaction.release();  // a message of the unit itself
    return;
  }
  finish(transaction, passage, at);
}

void Iommu::finish(sim::Transaction& transaction, Passage& passage, Picoseconds at) {
  const pcie::Tlp& tlp = pcie::tlp_of(transaction);
  TRACE(bus_, at, trace::TlpHop{tlp.transaction, trace::Hop::data_ready, tlp.requester});
  drain_.leave(passage.epoch, at);
  ports_[passage.port]->socket->respond(transaction, at);
}

// Interrupts are messages: the memory system does not see them. A read there is an error.
void Iommu::send_interrupt(sim::Transaction& transaction, Passage& passage) {
  ++stats_.interrupts;
  if (!transaction.is_write()) {
    transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return finish(transaction, passage, clock_.now());
  }
  if (const auto done = interrupts.send(transaction, clock_.now())) {
    finish(transaction, passage, *done);
  }
}

// VT-d 7.1: a read completes as an unsupported request, a write is dropped.
void Iommu::reject(sim::Transaction& transaction, Passage& passage) {
  ++stats_.faults;
  if (passage.answer.reported) {
    report(pcie::tlp_of(transaction), passage, transaction.is_write());
  }
  transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  finish(transaction, passage, clock_.now());
}

void Iommu::report(const pcie::Tlp& tlp, const Passage& passage, bool write) {
  const Fault fault{.source = tlp.requester,
                    .has_pasid = tlp.has_pasid,
                    .pasid = tlp.pasid,
                    .address = passage.iova,
                    .write = write,
                    .reason = passage.answer.fault};
  FaultLog::Outcome outcome{};
  if (file_.report(fault, outcome)) send_message(file_.fault_message());
  if (outcome == FaultLog::Outcome::collapsed) return;
  const bool recorded = outcome == FaultLog::Outcome::recorded;
  if (!recorded) ++stats_.faults_lost;
  TRACE(bus_, clock_.now(),
        trace::FaultRecorded{unit_, tlp.requester, static_cast<std::uint8_t>(fault.reason),
                             fault.address, write, !recorded});
}

// ---- registers ----

void Iommu::serve_register(sim::Transaction* transaction) {
  access_register(*transaction);
  registers.respond(*transaction, clock_.now());
}

void Iommu::access_register(sim::Transaction& transaction) {
  const auto offset = transaction.get_address() % page_bytes;
  const auto bytes = transaction.get_data_length();
  transaction.set_response_status(tlm::TLM_OK_RESPONSE);
  std::uint64_t value = 0;
  if (bytes > sizeof value) {
    transaction.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
  } else if (transaction.is_write()) {
    std::memcpy(&value, transaction.get_data_ptr(), bytes);
    carry_out(file_.write(offset, bytes, value));
  } else {
    value = file_.read(offset, bytes);
    std::memcpy(transaction.get_data_ptr(), &value, bytes);
  }
}

void Iommu::carry_out(Actions actions) {
  if (actions.send_fault_event) send_message(file_.fault_message());
  if (actions.send_completion_event) send_message(file_.completion_message());
  if (actions.run_queue) queue_.wake();
  if (actions.flush_contexts || actions.flush_pages) queue_.flush_by_register(actions).start();
}

void Iommu::send_message(Message message) {
  auto& payload = pool_.take();
  payload.prepare(tlm::TLM_WRITE_COMMAND, message.address, sizeof message.data);
  std::memcpy(payload.get_data_ptr(), &message.data, sizeof message.data);
  sim::extension<Passage>(payload).port = register_port;
  if (interrupts.send(payload, clock_.now())) payload.release();
}

// The back door: registers as they are; memory by the translations that the caches hold, or
// untranslated while translation is off.
unsigned Iommu::debug(unsigned port, sim::Transaction& transaction) {
  if (port == register_port) {
    access_register(transaction);
    return transaction.is_response_ok() ? transaction.get_data_length() : 0;
  }
  const Iova iova{transaction.get_address()};
  if (file_.translation_enabled()) {
    Page page;
    if (!translator_.lookup(query_of(pcie::tlp_of(transaction), iova), page)) return 0;
    transaction.set_address((page.base + (iova - page.iova)).value);
  }
  const auto done = memory.debug(transaction);
  transaction.set_address(iova.value);
  return done;
}

}  // namespace ioasim::iommu
