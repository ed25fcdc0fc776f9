// Main memory and its controller.
//
// Models: contents, latency, bandwidth and queueing (dram_timing.hpp).
// Answers every request at once with the time of its completion. A request outside memory gets
// an address error.
#pragma once

#include "memory/backing_store.hpp"
#include "memory/dram_timing.hpp"
#include "memory/params.hpp"
#include "sim/sockets.hpp"
#include "stats/counter.hpp"

namespace ioasim::memory {

class Dram final : public sc_core::sc_module, public sim::Target {
 public:
  struct Stats {
    stats::Counter reads;
    stats::Counter writes;
    stats::Counter read_bytes;
    stats::Counter written_bytes;

    static constexpr auto fields =
        std::tuple{Field{"reads", &Stats::reads, "lines read, whole or in part"},
                   Field{"writes", &Stats::writes, "lines written, whole or in part"},
                   Field{"read_bytes", &Stats::read_bytes, "bytes read"},
                   Field{"written_bytes", &Stats::written_bytes, "bytes written"}};
  };

  // All of `capacity` is memory, and sockets have equal parts of it; or `placement` says which.
  Dram(const sc_core::sc_module_name& name, sim::Clockwork& clock, const Params& params,
       unsigned sockets = 1)
      : Dram{name, clock, params, Placement{Hpa{params.capacity.count}, sockets}} {}
  Dram(const sc_core::sc_module_name& name, sim::Clockwork& clock, const Params& params,
       Placement placement);

  sim::TargetSocket home;  // the home agent, or any initiator

  const Stats& stats() const { return stats_; }
  const BackingStore& contents() const { return store_; }

 private:
  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  // Moves the bytes; false if some lie outside memory.
  bool move(sim::Transaction& transaction);

  BackingStore store_;
  DramTiming timing_;
  Stats stats_;
};

}  // namespace ioasim::memory
