// What a scenario runs in: a machine with a booted kernel, a user's thread on core 0, more of them
// on the other cores if it starts some, and the report that it fills.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/prng.hpp"
#include "cache/oracle.hpp"
#include "iommu/isolation.hpp"
#include "kernel/kernel.hpp"
#include "machine/machine.hpp"
#include "scenarios/runner.hpp"

namespace ioasim::scenarios {

class World {
 public:
  World(Configuration& configuration, Report& report);
  ~World();
  World(const World&) = delete;

  machine::Machine& machine() { return machine_; }
  kernel::Kernel& kernel() { return kernel_; }
  Report& report() { return report_; }
  template <HasFields Params>
  const Params& params() const {
    return configuration_.scenario.as<Params>();
  }
  Prng random(std::string_view stream) const { return {configuration_.seed, stream}; }
  Picoseconds now() { return machine_.clock().now(); }

  // The user's thread, in a process of its own, on core 0.
  kernel::Thread& user() { return *user_; }

  // Runs `body` in another thread of the user's process, on a core from 1 on that is idle. Called
  // by a thread while the scenario runs.
  void start_on(unsigned core, std::function<void(kernel::Thread&)> body);
  // For the user's thread: returns once that core is idle. A scenario joins all that it started.
  void join(unsigned core);

  // Stale reads that the oracle has reported so far, of device and core accesses; 0 if it is off.
  std::size_t stale_reads() const { return oracle_.stale_reads().size(); }
  const cache::Oracle& oracle() const { return oracle_; }

  // Listens to the machine from now on, until unlisten().
  void listen(trace::Listener& listener) { machine_.bus().add(listener); }
  void unlisten(trace::Listener& listener) { machine_.bus().remove(listener); }

  // Boots the kernel and runs the scenario in software threads of the machine, until all has
  // drained. Returns what waits for what, if that does not come to pass.
  std::string run(const Scenario& scenario);
  Picoseconds ended_at() const { return ended_at_; }
  // The checkers' verdicts, into the report.
  void judge();

 private:
  class Software;

  Configuration& configuration_;
  Report& report_;
  machine::Machine machine_;
  kernel::Kernel kernel_;
  cache::Oracle oracle_;
  iommu::IsolationChecker isolation_;
  std::unique_ptr<kernel::Thread> user_;
  std::vector<std::unique_ptr<Software>> software_;  // one a core
  Picoseconds ended_at_{};
  std::string stuck_;
};

}  // namespace ioasim::scenarios
