// A machine, built from its description: every module, wired, with what firmware would have done
// before an operating system starts (bus numbers, windows, BARs).
//
//   core0..n ── mmio ──▶ registers of IOMMUs, configuration space, windows of ports
//      │
//   home agent, LLC ◀── iommu0..n ◀── port ◀── link ◀── device
//      │
//    memory
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/home_agent.hpp"
#include "cpu/core.hpp"
#include "cpu/firmware.hpp"
#include "cpu/interrupt_controller.hpp"
#include "devices/dma_engine.hpp"
#include "iommu/iommu.hpp"
#include "machine/description.hpp"
#include "memory/dram.hpp"
#include "memory/mmio_router.hpp"
#include "pcie/link.hpp"
#include "pcie/root_port.hpp"
#include "stats/registry.hpp"

namespace ioasim::machine {

class Machine {
 public:
  // The description must outlive the machine. To be built once a process, before time starts.
  Machine(const Description& description, const sim::ClockworkParams& clock_params);
  ~Machine();
  Machine(const Machine&) = delete;

  sim::Clockwork& clock() { return clock_; }
  trace::Bus& bus() { return bus_; }
  unsigned cores() const { return static_cast<unsigned>(cores_.size()); }
  cpu::Core& core(unsigned n) { return *cores_[n]; }
  cpu::Firmware firmware() const;
  // The function of the device of that name, as configuration space shows it.
  RequesterId device_id(std::string_view name) const;
  // The device itself, for what it has measured.
  const devices::DmaEngine& device(std::string_view name) const;
  const Description& description() const { return description_; }

  // For checkers: what is wrong with the states in which caches hold the line; empty if nothing is.
  std::string coherence_breach(Hpa address) { return home_.breach(address.line()); }

  // Every module's statistics, by its path.
  void add_to(stats::Registry& registry) const;

 private:
  struct Slot;  // a root port with what is below it

  const Slot& slot_of(std::string_view device) const;
  void build_iommus();
  void build_slots();
  void wire_cores();
  std::vector<Range<Hpa>> windows() const;

  const Description& description_;
  trace::Bus bus_;
  sim::Clockwork clock_;
  memory::Dram memory_;
  cache::HomeAgent home_;
  std::vector<std::unique_ptr<cpu::Core>> cores_;
  std::unique_ptr<cpu::InterruptController> interrupts_;
  std::vector<std::unique_ptr<iommu::Iommu>> iommus_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::unique_ptr<memory::MmioRouter> mmio_;
};

}  // namespace ioasim::machine
