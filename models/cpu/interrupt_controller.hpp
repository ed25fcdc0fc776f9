// The local APICs' side of message-signalled interrupts: a 32-bit write to 0xFEExxxxx becomes a
// vector at the core whose id is in address bits 19:12 (SDM vol. 3, 11.11).
//
// Models: physical destination, fixed delivery. Does not model: logical destinations, lowest
// priority, remappable format; such a message is dropped and counted.
#pragma once

#include <vector>

#include "base/bits.hpp"
#include "cpu/core.hpp"

namespace ioasim::cpu {

inline constexpr Range<Hpa> interrupt_range{Hpa{0xfee0'0000}, 0x10'0000};

class InterruptController final : public sc_core::sc_module, public sim::Target {
 public:
  struct Stats {
    stats::Counter delivered;
    stats::Counter dropped;

    static constexpr auto fields =
        std::tuple{Field{"delivered", &Stats::delivered, "messages handed to a core"},
                   Field{"dropped", &Stats::dropped,
                         "messages for no core or of a format that "
                         "is not supported"}};
  };

  InterruptController(const sc_core::sc_module_name& name, sim::Clockwork& clock,
                      std::vector<Core*> cores, unsigned ports);

  sim::TargetSocket& messages(unsigned port) { return *messages_[port]; }  // a remapping unit

  const Stats& stats() const { return stats_; }

 private:
  struct Address {
    using destination = Bits<19, 12>;
    using remappable = Bits<4>;
    using logical = Bits<2>;
  };
  struct Data {
    using vector = Bits<7, 0>;
    using delivery_mode = Bits<10, 8>;
  };

  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned, sim::Transaction&) override { return 0; }
  void deliver(std::uint64_t message);

  sim::Clockwork& clock_;
  std::vector<Core*> cores_;
  std::vector<std::unique_ptr<sim::TargetSocket>> messages_;
  Stats stats_;
};

}  // namespace ioasim::cpu
