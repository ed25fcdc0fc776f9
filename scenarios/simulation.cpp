#include "scenarios/simulation.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "config/quantity.hpp"
#include "scenarios/refused.hpp"

namespace ioasim::scenarios {
namespace {

sim::ClockworkParams clock_params(const Configuration& configuration) {
  return {.run_ahead = configuration.simulation.mode == Mode::run_ahead,
          .shuffle_ties = configuration.simulation.shuffle_ties,
          .seed = configuration.seed,
          .stall_after = configuration.simulation.watchdog};
}

// SystemC warns of nothing in a correct model; what it has to say is a mistake of ours.
void report_is_ours(const sc_core::sc_report& report, const sc_core::sc_actions&) {
  if (report.get_severity() == sc_core::SC_INFO) return;
  check_failed(report.get_msg(), report.get_file_name(), report.get_line_number());
}

// What waits for what, without the last line break.
std::string list(const std::string& waiting) {
  return waiting.empty() ? "nothing is listed as waiting" : waiting.substr(0, waiting.size() - 1);
}

StaleRead for_report(const cache::StaleRead& read) {
  StaleRead stale{.text = read.text(), .values = {}};
  for (auto& [name, value] : read.row()) {
    stale.values.emplace_back(name, std::visit([](const auto& v) { return Cell{v}; }, value));
  }
  return stale;
}

}  // namespace

// The software that a core runs: one body at a time, idle in between.
class World::Software final : public sc_core::sc_module {
 public:
  // With the body to run at the start of time, if any.
  // What it does not handle goes to `fault`, and ends the body.
  Software(const sc_core::sc_module_name& name, sim::Clockwork& clock, std::function<void()> body,
           std::function<void(const cpu::Fault&)> fault)
      : sc_module{name},
        clock_{clock},
        thread_{clock},
        body_{std::move(body)},
        fault_{std::move(fault)} {
    SC_HAS_PROCESS(Software);
    SC_THREAD(run);
    set_stack_size(1u << 20);
  }

  bool idle() const { return !body_; }
  void start(std::function<void()> body) {
    CHECK(idle());
    body_ = std::move(body);
    thread_.unpark(clock_.now());
  }

 private:
  void run() {
    for (;;) {
      while (idle()) thread_.park();
      try {
        body_();
      } catch (const cpu::Fault& fault) {
        fault_(fault);
      }
      body_ = nullptr;
    }
  }

  sim::Clockwork& clock_;
  sim::SoftwareThread thread_;
  std::function<void()> body_;
  std::function<void(const cpu::Fault&)> fault_;
};

World::World(Configuration& configuration, Report& report)
    : configuration_{configuration},
      report_{report},
      machine_{configuration.machine, clock_params(configuration)},
      kernel_{configuration.kernel, machine_.firmware(), machine_.bus()} {
  if (configuration.simulation.oracle) machine_.bus().add(oracle_);
  if (configuration.simulation.isolation) machine_.bus().add(isolation_);
}

World::~World() = default;

std::string World::run(const Scenario& scenario) {
  const auto user = [&] {
    kernel_.boot(machine_.core(0));
    machine_.core(0).set_privilege(cpu::Privilege::user);
    user_ = std::make_unique<kernel::Thread>(kernel_.spawn(), machine_.core(0));
    try {
      scenario.run(*this);
    } catch (const Refused& refused) {
      report_.claim("nothing that the scenario needs was refused", false, refused.what());
    }
    for (unsigned n = 1; n < machine_.cores(); ++n) CHECK(software_[n]->idle());
    ended_at_ = now();
  };
  for (unsigned n = 0; n < machine_.cores(); ++n) {
    const auto fault = [this, n](const cpu::Fault& what) {
      report_.claim(fmt::format("core {} took no exception", n), false, what.what());
    };
    software_.push_back(
        std::make_unique<Software>(fmt::format("software{}", n).c_str(), machine_.clock(),
                                   n == 0 ? std::function<void()>{user} : nullptr, fault));
  }
  machine_.clock().on_stall([this](const std::string& waiting) {
    const auto text = config::Text<Picoseconds>::print;
    const auto watchdog = configuration_.simulation.watchdog;
    stuck_ = fmt::format(
        "no progress for {} of simulated time; if the work takes that long: "
        "--set simulation.watchdog={}\n{}",
        text(watchdog), text(watchdog * 10), list(waiting));
    sc_core::sc_stop();
  });
  sc_core::sc_start();
  if (stuck_.empty() && !software_[0]->idle()) {
    stuck_ = "nothing is left to happen and the scenario has not ended\n" +
             list(machine_.clock().waiting());
  }
  if (!stuck_.empty()) {
    report_.claim("the scenario came to its end", false, stuck_.substr(0, stuck_.find('\n')));
  }
  if (ended_at_ == Picoseconds{}) ended_at_ = now();  // it did not end by itself
  return stuck_;
}

void World::start_on(unsigned core, std::function<void(kernel::Thread&)> body) {
  CHECK(core > 0 && core < machine_.cores());
  software_[core]->start([this, core, body = std::move(body)] {
    machine_.core(core).set_privilege(cpu::Privilege::user);
    kernel::Thread thread{user_->process(), machine_.core(core)};
    body(thread);
  });
}

void World::join(unsigned core) {
  while (!software_[core]->idle()) user_->cpu().execute(1_us);
}

void World::judge() {
  if (configuration_.simulation.oracle) {
    const auto& stale = oracle_.stale_reads();
    report_.metric("stale_reads", stale.size(), "1", "reads of a value older than the newest");
    for (const auto& read : stale) report_.stale_read(for_report(read));
  }
  if (configuration_.simulation.isolation) {
    const auto& violations = isolation_.violations();
    if (isolation_.accesses() == 0) return;  // nobody tried
    report_.claim("every DMA stayed within what was mapped for its device", violations.empty(),
                  violations.empty() ? fmt::format("{} accesses", isolation_.accesses())
                                     : violations.front());
  }
}

SimulationResult simulate(const Scenario& scenario, Configuration& configuration, Report& report,
                          const std::vector<TraceRequest>& traces) {
  setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
  sc_core::sc_report_handler::set_handler(report_is_ours);
  World world{configuration, report};
  for (const auto& trace : traces) world.listen(*trace.listener);
  SimulationResult result;
  result.stuck = world.run(scenario);
  world.judge();
  result.sim_time = world.ended_at();
  stats::Registry registry;
  world.machine().add_to(registry);
  result.stats = registry.read(result.sim_time);
  return result;
}

}  // namespace ioasim::scenarios
