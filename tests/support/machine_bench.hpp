// A whole machine, and software on its core 0 that drives its hardware by the book: MMIO, tables
// and queues in memory, the registers of the copy engine.
#pragma once

#include "devices/dma_engine.hpp"
#include "machine/machine.hpp"
#include "support/bench.hpp"
#include "support/vtd_tables.hpp"

namespace ioasim::test {

class Machine {
 public:
  // One core pair, one unit, one port, one engine, all else at its default.
  static machine::Description plain();

  explicit Machine(const machine::Description& description = plain());

  // ---- called by a software thread ----

  // Bus master on, MSI off, in the engine's configuration space.
  void enable_engine();
  // Translation on, with a wide invalidation queue; PASID 0 of the engine in domain 1.
  void enable_translation(vtd::PasidEntry pasid = {});
  // Registers of the unit.
  std::uint64_t unit(std::uint64_t offset, unsigned bytes = 8);
  void set_unit(std::uint64_t offset, std::uint64_t value, unsigned bytes = 8);
  // Puts descriptors into the invalidation queue.
  void submit(std::initializer_list<vtd::Descriptor> of_queue);
  // Invalidation of that, or of everything, waited for.
  void invalidate(const vtd::Descriptor& descriptor);
  void invalidate();
  // Starts a copy; or the last one again.
  void start(const devices::DmaDescriptor& descriptor);
  void ring();
  // Polls in steps of `poll` until the copy ends. Returns the engine's status.
  std::uint64_t finish(Picoseconds poll = 1'000_ns);
  // Both.
  std::uint64_t copy(const devices::DmaDescriptor& descriptor, Picoseconds poll = 1'000_ns);

  // In the engine's configuration space.
  Hpa config(unsigned offset) const;
  cpu::Core& core() { return machine.core(0); }
  Picoseconds now() { return machine.clock().now(); }

  // Where its software keeps things.
  static constexpr std::uint64_t descriptors = 0x50'0000;
  static constexpr std::uint64_t queue = 0x51'0000;
  static constexpr std::uint64_t status = 0x52'0000;

 private:
  machine::Description description_;

 public:
  machine::Machine machine;
  cpu::Firmware firmware;
  vtd::Tables tables;

 private:
  void wait_for_queue();

  Hpa bar_{};
  std::uint64_t tail_ = 0;
  std::uint32_t waits_ = 0;
};

// A software thread of such a machine, whose reports and end are checked as a Bench's are.
class MachineBench : public ::testing::Test {
 protected:
  explicit MachineBench(const machine::Description& description = Machine::plain());
  ~MachineBench() override;

  void run(std::function<void()> body);

  Machine host;
  Recorder<trace::TlpHop> hops;
  // From the first of one hop of a transaction to the first of another.
  Picoseconds between(std::uint64_t transaction, trace::Hop from, trace::Hop to) const;

 private:
  std::unique_ptr<Script> script_;
};

}  // namespace ioasim::test
