#include "swarm/workload.hpp"

#include <nlohmann/json.hpp>

#include "support/forked.hpp"
#include "swarm/actor.hpp"
#include "swarm/checkers.hpp"
#include "swarm/random_machine.hpp"

namespace ioasim::test {
namespace {

// A scenario is a plain function; this is the only one of its process.
Stage* the_stage = nullptr;

void prepare(Stage& stage, kernel::Thread& user) {
  Prng random = stage.random("stage");
  const auto& machine = stage.configuration.machine;
  if (stage.features.false_sharing) {
    auto& shared = stage.shared;
    shared.bytes = page_bytes * random.between(1, 2);
    shared.address = user.allocate(shared.bytes);
    for (std::uint64_t at = 0; at < shared.bytes;) {
      const auto bytes = std::min(shared.bytes - at, random.between(1, 90));
      shared.runs.push_back(
          {at, bytes, static_cast<unsigned>(random.between(0, stage.threads - 1))});
      at += bytes;
    }
  }
  if (!stage.features.shared_space) return;
  const bool can_be_off = stage.kernel().dma_no_snoop;
  const bool all_can_enforce =
      std::all_of(machine.iommus.begin(), machine.iommus.end(),
                  [](const auto& unit) { return unit.params.snoop_control; });
  const bool automatic = !can_be_off || random.one_in(2);
  stage.enforced = automatic && (all_can_enforce || !can_be_off);
  stage.space.fd = user.open("/dev/iommu");
  stage.space.id = allocate_ioasid(user, stage.space.fd,
                                   automatic ? uapi::IOMMU_IOASID_ENFORCE_SNOOP_AUTO : 0, 39);
}

void work(scenarios::World& world) {
  Stage& stage = *the_stage;
  Prng random = stage.random("work");
  auto& user = world.user();
  stage.threads = static_cast<unsigned>(random.between(1, world.machine().cores()));
  std::vector<std::vector<std::string>> devices(stage.threads);
  for (const auto& device : stage.configuration.machine.devices) {
    devices[random.between(0, stage.threads - 1)].push_back(device.name);
  }
  prepare(stage, user);
  const auto steps = static_cast<unsigned>(random.between(100, 800));
  for (unsigned core = 1; core < stage.threads; ++core) {
    world.start_on(core, [&, core](kernel::Thread& thread) {
      Actor{stage, thread, core, devices[core]}.run(steps);
    });
  }
  Actor{stage, user, 0, devices[0]}.run(steps);
  for (unsigned core = 1; core < stage.threads; ++core) world.join(core);
  if (stage.features.shared_space) stage.journal.expect(user.close(stage.space.fd), 0, "close");
  stage.faults_handled += world.kernel().handle_faults(user.cpu());
  if (const auto locked = user.process().memory().locked_pages(); locked != 0) {
    stage.journal.complain("{} pages are still pinned", locked);
  }
}

void on_report(const sc_core::sc_report& report, const sc_core::sc_actions&) {
  if (report.get_severity() == sc_core::SC_INFO) return;
  the_stage->journal.complain("SystemC: {}", report.what());
}

std::string run_here(const Plan& plan) {
  auto configuration = random_configuration(plan.seed);
  configuration.simulation = {
      .mode = plan.mode, .shuffle_ties = plan.ties != 0, .oracle = false, .isolation = false};
  const auto seed = std::exchange(configuration.seed, plan.ties);
  setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
  sc_core::sc_report_handler::set_handler(on_report);
  Journal journal;
  scenarios::Report report;
  scenarios::World world{configuration, report};
  configuration.seed = seed;  // of the workload; that of the ties has been taken
  Prng random{seed, "features"};
  Stage stage{.world = world,
              .configuration = configuration,
              .features = Features::random(random),
              .journal = journal};
  the_stage = &stage;
  Checkers checkers{stage};
  const auto stuck = world.run({.name = "swarm", .question = {}, .platform = {}, .run = work});
  if (!stuck.empty()) journal.complain("stuck: {}", stuck);
  checkers.judge();

  for (const auto& claim : report.claims()) {
    if (!claim.held) journal.complain("{}: {}", claim.text, claim.detail);
  }

  std::string complaints;
  for (const auto& complaint : journal.complaints) complaints += complaint + "\n";
  const auto& hash = checkers.hash();
  return nlohmann::json{{"complaints", complaints},
                        {"hash", fmt::format("{} events, {:016x}", hash.events(), hash.hash())},
                        {"did", journal.did}}
      .dump();
}

}  // namespace

Verdict run_swarm(const Plan& plan) {
  const auto forked = in_fork([&] { return run_here(plan); });
  if (!forked.ok()) return {.complaints = forked.why()};
  const auto found = nlohmann::json::parse(forked.text);
  return {.complaints = found["complaints"],
          .hash = found["hash"],
          .did = found["did"].get<std::map<std::string, std::uint64_t>>()};
}

}  // namespace ioasim::test
