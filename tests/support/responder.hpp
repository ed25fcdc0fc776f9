// A module of ours that answers: memory without caches, behind any number of target sockets. It
// answers at once, after a while, or when told to, and remembers what it was asked.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "memory/origin.hpp"
#include "pcie/tlp_extension.hpp"
#include "sim/sockets.hpp"
#include "support/data.hpp"

namespace ioasim::test {

class Responder final : public sc_core::sc_module, public sim::Target {
 public:
  // What it was asked, in order of the calls.
  struct Seen {
    unsigned port;
    Picoseconds at;  // arrival
    bool write;
    std::uint64_t address;
    Data data;  // written
    std::size_t bytes;
    trace::Agent agent;
    bool snoop;
    pcie::Tlp tlp;
  };

  Responder(const sc_core::sc_module_name& name, sim::Clockwork& clock, unsigned ports = 1);

  sim::TargetSocket& port(unsigned n = 0) { return *ports_[n]; }

  // From arrival to response.
  Picoseconds latency{};
  // Answer by a response, given on arrival with the time that it takes effect.
  bool defer = false;
  // Keep what arrives until release().
  bool hold = false;
  // Accesses that begin here end in an address error.
  std::optional<std::uint64_t> broken;

  // Answers the oldest request that is kept, now.
  void release();
  std::size_t kept() const { return kept_.size(); }

  std::vector<Seen> seen;
  // Of one port.
  std::vector<Seen> seen_by(unsigned port) const;

  void put(std::uint64_t address, const Data& data);
  void put(std::uint64_t address, std::uint64_t value) { put(address, word(value)); }
  Data get(std::uint64_t address, std::size_t bytes) const;
  std::uint64_t get(std::uint64_t address) const { return value_of(get(address, 8)); }

 private:
  struct Kept {
    unsigned port;
    sim::Transaction* transaction;
  };

  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  void answer(std::uint64_t index);
  void move(sim::Transaction& transaction);

  std::vector<std::unique_ptr<sim::TargetSocket>> ports_;
  std::unordered_map<std::uint64_t, std::array<std::byte, 4096>> pages_;
  std::vector<Kept> kept_;
  std::vector<Kept> deferred_;  // all that ever were
  sim::Clockwork& clock_;
};

}  // namespace ioasim::test
