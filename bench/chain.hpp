// The real modules with data, without software: links, root ports, the IOMMU, the home agent and
// DRAM, wired as in a machine. What software would have set up (tables, registers, configuration
// space) comes in by the back door.
//
// The chain may also begin further down. The difference between two beginnings is the cost of the
// stage between them.
#pragma once

#include <memory>
#include <vector>

#include "cache/home_agent.hpp"
#include "iommu/iommu.hpp"
#include "memory/dram.hpp"
#include "pcie/endpoint.hpp"
#include "pcie/link.hpp"
#include "pcie/root_port.hpp"

namespace ioasim::bench {

// The first module of the chain.
enum class Depth { dram, home, iommu, port, link };

class Chain final : public sc_core::sc_module, public sim::Initiator, public sim::Target {
 public:
  Chain(const sc_core::sc_module_name& name, unsigned ports, Depth depth);

  // Of the function below root port `n`.
  static RequesterId requester(unsigned n);
  // Where the requests of a plain initiator enter.
  sim::TargetSocket& entry();
  // What is at the other end of link `n`.
  void plug_in(unsigned n, sim::InitiatorSocket& upstream, sim::TargetSocket& downstream);

  // These three once the modules are elaborated. Writes the tables.
  void set_up();
  // Lets the function below port `n` master the bus.
  void enable_function(unsigned n);
  // The unit translates from now on.
  void enable_translation();

  trace::Bus bus;
  sim::Clockwork clock{"clockwork"};
  const iommu::Iommu& iommu() const { return *iommu_; }
  const cache::HomeAgent& home() const { return *home_; }

 private:
  static constexpr unsigned loader_port = 2;

  std::optional<Picoseconds> request(unsigned, sim::Transaction&, Picoseconds) override;
  unsigned debug(unsigned, sim::Transaction&) override { return 0; }
  void response(unsigned, sim::Transaction&, Picoseconds) override {}

  template <class Word>
  void poke(sim::InitiatorSocket& socket, std::uint64_t address, std::span<const Word> words);
  template <class Word>
  void poke(sim::InitiatorSocket& socket, std::uint64_t address, Word word) {
    poke(socket, address, std::span<const Word>{&word, 1});
  }
  void write_structures();
  void write_second_stage();

  Depth depth_;
  memory::Dram memory_;
  std::unique_ptr<cache::HomeAgent> home_;
  std::unique_ptr<iommu::Iommu> iommu_;
  std::vector<std::unique_ptr<pcie::RootPort>> ports_;
  std::vector<std::unique_ptr<pcie::Link>> links_;
  std::unique_ptr<sim::InitiatorSocket> loader_;                      // to memory
  std::unique_ptr<sim::InitiatorSocket> registers_;                   // of the IOMMU
  std::unique_ptr<sim::TargetSocket> messages_;                       // interrupts end here
  std::vector<std::unique_ptr<sim::InitiatorSocket>> configuration_;  // of the functions
  sim::PayloadPool pool_;
};

}  // namespace ioasim::bench
