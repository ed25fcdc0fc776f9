// A VT-d remapping unit in scalable mode with second-stage translation.
//
// Models: register file, translation with its caches and walks (translator.hpp), snoop decision,
// posted order, queued invalidation with drain, primary fault recording, passing on of interrupt
// messages. Does not model: legacy mode, first stage and nesting, ATS and PRI, interrupt
// remapping (messages pass unchanged), protected memory regions.
//
// A request in the unit:
//   1. arrives, with the time of the lookup already spent, and enters the current epoch;
//   2. is translated from the caches, or waits for a walk of its page;
//   3. waits until every posted request that came before it at the same port has gone;
//   4. goes to memory: at the home agent it takes effect.
#pragma once

#include <memory>
#include <vector>

#include "iommu/drain.hpp"
#include "iommu/invalidation_queue.hpp"
#include "iommu/translator.hpp"
#include "pcie/tlp_extension.hpp"
#include "trace/bus.hpp"

namespace ioasim::iommu {

class Iommu final : public sc_core::sc_module, public sim::Target, public sim::Initiator {
 public:
  struct Stats {
    stats::Counter iommu_requests;
    stats::Counter interrupts;
    stats::Counter faults;
    stats::Counter faults_lost;
    stats::Counter snoops_forced;
    stats::Counter held_for_order;

    static constexpr auto fields = std::tuple{
        Field{"iommu_requests", &Stats::iommu_requests, "requests from devices"},
        Field{"interrupts", &Stats::interrupts, "of them interrupt messages"},
        Field{"faults", &Stats::faults, "requests that faulted"},
        Field{"faults_lost", &Stats::faults_lost, "of them not recorded for lack of a record"},
        Field{"snoops_forced", &Stats::snoops_forced, "No Snoop requests snooped all the same"},
        Field{"held_for_order", &Stats::held_for_order,
              "requests that waited for an earlier posted one"}};
  };

  // `unit` numbers the IOMMUs of a machine. One device socket a port.
  Iommu(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
        const Params& params, std::uint32_t unit, unsigned ports);

  sim::TargetSocket& port(unsigned n) { return *ports_[n]->socket; }  // root port n
  sim::InitiatorSocket memory;                                   // home agent: translated requests
  sim::InitiatorSocket& walker() { return structures_.socket; }  // home agent: the unit's own
  sim::InitiatorSocket interrupts;                               // interrupt controller
  sim::TargetSocket registers;                                   // cores

  const Stats& stats() const { return stats_; }
  const Translator::Stats& translator_stats() const { return translator_.stats(); }
  const InvalidationQueue::Stats& queue_stats() const { return queue_.stats(); }

 private:
  enum From : unsigned { to_memory, to_interrupts };
  static constexpr unsigned register_port = ~0u;

  // What the unit keeps of a request on its way.
  struct Passage final : tlm::tlm_extension<Passage> {
    unsigned port = 0;
    std::uint64_t ticket = 0;  // posted requests before it at its port
    Drain::Epoch epoch = 0;
    Iova iova{};
    bool interrupt = false;
    Answer answer{};
    sim::Transaction* next = nullptr;  // in a list of those that wait

    tlm::tlm_extension_base* clone() const override { return new Passage{*this}; }
    void copy_from(const tlm::tlm_extension_base& other) override {
      *this = static_cast<const Passage&>(other);
    }
  };
  struct Port {
    std::unique_ptr<sim::TargetSocket> socket;
    std::uint64_t posted_in = 0;
    std::uint64_t posted_out = 0;
    std::vector<sim::Transaction*> held;  // translated, but not yet their turn
  };
  // A walk under way, and who waits for it.
  struct Walk {
    bool busy = false;
    Query query;
    std::uint64_t generation = 0;
    sim::Transaction* first = nullptr;
    sim::Transaction* last = nullptr;
  };

  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;

  void arrive(sim::Transaction* transaction);
  void wait_for_walk(sim::Transaction& transaction, const Query& query);
  sim::Task<> walk(std::size_t index);
  void translated(sim::Transaction& transaction);
  void in_order(sim::Transaction& transaction);
  static bool may_go(const Port& port, sim::Transaction& transaction);
  void go(sim::Transaction& transaction);
  void release_held(Port& port);
  void to_home(sim::Transaction& transaction, Passage& passage);
  void send_interrupt(sim::Transaction& transaction, Passage& passage);
  void reject(sim::Transaction& transaction, Passage& passage);
  void finish(sim::Transaction& transaction, Passage& passage, Picoseconds at);
  void report(const pcie::Tlp& tlp, const Passage& passage, bool write);

  void serve_register(sim::Transaction* transaction);
  void access_register(sim::Transaction& transaction);
  void carry_out(Actions actions);
  void send_message(Message message);

  Query query_of(const pcie::Tlp& tlp, Iova iova) const {
    return {.source = tlp.requester, .has_pasid = tlp.has_pasid, .pasid = tlp.pasid, .iova = iova};
  }

  sim::Clockwork& clock_;
  trace::Bus& bus_;
  Params params_;
  std::uint32_t unit_;
  RegisterFile file_;
  MemoryPort structures_;
  Translator translator_;
  Drain drain_;
  InvalidationQueue queue_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<Walk> walks_;
  sim::PayloadPool pool_;
  Stats stats_;
};

}  // namespace ioasim::iommu
