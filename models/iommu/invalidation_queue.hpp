// The invalidation queue (VT-d 6.5.2): fetches descriptors from memory, one after the other, and
// carries them out.
//
// Models: context-cache, PASID-cache, IOTLB, PASID-IOTLB and wait descriptors of 128 and 256
// bits; the drain of requests in flight after each cut; errors that stop the queue.
// Does not model: device-TLB and interrupt-entry descriptors (they are unknown types here).
// Descriptor fetch and status write are snooped whatever ECAP.C says.
#pragma once

#include <array>
#include <functional>

#include "iommu/drain.hpp"
#include "iommu/memory_port.hpp"
#include "iommu/register_file.hpp"
#include "iommu/translator.hpp"
#include "trace/bus.hpp"

namespace ioasim::iommu {

class InvalidationQueue {
 public:
  struct Stats {
    stats::Counter descriptors;
    stats::Counter waits;
    stats::Counter errors;
    stats::Histogram inv_iotlb_ps;

    static constexpr auto fields =
        std::tuple{Field{"descriptors", &Stats::descriptors, "descriptors carried out"},
                   Field{"waits", &Stats::waits, "of them wait descriptors"},
                   Field{"errors", &Stats::errors, "errors that stopped the queue"},
                   Field{"inv_iotlb_ps", &Stats::inv_iotlb_ps,
                         "IOTLB descriptors: from fetch to the end of the drain"}};
  };

  // `send` delivers an interrupt message of the unit.
  InvalidationQueue(sim::Clockwork& clock, trace::Bus& bus, std::uint32_t unit,
                    const Params& params, RegisterFile& registers, Translator& translator,
                    MemoryPort& memory, Drain& drain, std::function<void(Message)> send);

  // There may be work: starts on it unless at work already.
  void wake();
  // Invalidation through registers: everything, then the drain.
  sim::Task<> flush_by_register(Actions actions);

  const Stats& stats() const { return stats_; }

 private:
  using Words = std::array<Qword, 4>;

  sim::Task<> run();
  sim::Task<reg::QueueError> step();
  reg::QueueError check(const Words& words) const;
  sim::Task<> execute(Words words);
  void cut(const Words& words);
  void cut_contexts(const Words& words);
  void cut_pasids(const Words& words);
  void cut_pages(const Words& words);
  sim::Task<> complete_wait(Words words);
  void stop(reg::QueueError error);
  void note(trace::InvalidationStep step, const Words& words);

  sim::Clockwork& clock_;
  trace::Bus& bus_;
  std::uint32_t unit_;
  const Params& params_;
  RegisterFile& registers_;
  Translator& translator_;
  MemoryPort& memory_;
  Drain& drain_;
  std::function<void(Message)> send_;
  bool at_work_ = false;
  Stats stats_;
};

}  // namespace ioasim::iommu
