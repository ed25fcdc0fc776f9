// Every pair of MTRR and PAT type, beside a device that does not snoop.
#include <fmt/format.h>

#include "scenarios/configuration.hpp"
#include "scenarios/dma_way.hpp"
#include "scenarios/list.hpp"
#include "scenarios/memory_type_experiment.hpp"

namespace ioasim::scenarios {
namespace {

void add_pair(Report& report, MemoryTypeExperiment& experiment, cpu::MemoryType mtrr,
              cpu::MemoryType pat) {
  const auto type = expected_type(mtrr, pat);
  bool as_expected = cpu::effective(mtrr, pat) == type;
  for (const bool non_temporal : {false, true}) {
    const auto result = experiment.try_type(pat, non_temporal);
    as_expected = as_expected && result.page == expected_behaviour(type, non_temporal);
    add_memory_type_row(report, mtrr, pat, non_temporal, result);
  }
  report.claim(
      fmt::format("MTRR {} x PAT {} acts as {}", to_text(mtrr), to_text(pat), to_text(type)),
      as_expected);
}

void check(const Configuration& configuration) {
  const auto way = dma_way(configuration.machine, "dma0");
  if (way.can_go_past_caches()) return;
  const bool device = !way.device.params.function.no_snoop;
  throw config::ConfigError{
      {{},
       device ? "dma0.function.no_snoop" : way.port.name + ".honor_no_snoop",
       "false",
       "memory-types needs a device whose No Snoop requests go past the caches"}};
}

void run(World& world) {
  add_memory_type_columns(world.report());
  DmaDriver driver{world, "dma0", EnforceSnoop::off};
  MemoryTypeExperiment experiment{world, driver};
  for (const auto mtrr : mtrr_types) {
    experiment.set_mtrr(mtrr);
    for (const auto pat : pat_types) add_pair(world.report(), experiment, mtrr, pat);
  }
  // A page that is mapped as two types (SDM vol. 3, 12.12.4).
  const bool self_snoop = world.machine().description().cpu.self_snoop;
  const auto alias = experiment.try_alias();
  world.report().claim(self_snoop ? "self-snoop: a UC load of a line modified under WB is fresh"
                                  : "no self-snoop: a UC load of a line modified under WB is stale",
                       alias.fresh == self_snoop);
  world.report().claim("the oracle says so too", alias.explained);
}

}  // namespace

Scenario memory_types() {
  return {.name = "memory-types",
          .question = "which memory types are coherent with a device that does not snoop?",
          .platform = "server",
          .devices = {"dma0"},
          .needs_oracle = true,
          .check = check,
          .run = run};
}

}  // namespace ioasim::scenarios
