// What snooping costs a device that streams, and its neighbours; and what not snooping costs.
#include "scenarios/dma_way.hpp"
#include "scenarios/list.hpp"
#include "scenarios/stream_experiment.hpp"

namespace ioasim::scenarios {
namespace {

struct Params {
  Bytes bytes = 8_KiB;
  Bytes set = 512_KiB;

  static constexpr auto fields = std::tuple{
      Field{"bytes", &Params::bytes, "length of the stream [model choice]", Limits{64_B, 128_KiB}},
      Field{"set", &Params::set, "of the neighbour [model choice: above L2]",
            Limits{4_KiB, 64_MiB}}};
};

void add_cell(World& world, StreamExperiment& experiment, const StreamCell& cell) {
  const auto result = experiment.try_cell(cell);
  const auto name = add_stream_row(world.report(), cell, result);
  const auto way = dma_way(world.machine().description(), "dma0");
  const bool past = cell.no_snoop && way.can_go_past_caches();
  const bool stale = past && cell.lines == "core";
  world.report().claim(
      name + (stale ? ": stale, as the oracle reports" : ": never stale"),
      result.arrived_old == result.stale && result.stale == (stale ? experiment.line_count() : 0));
  const bool looked = result.snooped > 0 || (result.lookups > 0 && result.walk_reads == 0);
  world.report().claim(name + (past ? ": no cache is looked at" : ": caches are looked at"),
                       looked != past);
}

void run(World& world) {
  const auto& params = world.params<Params>();
  DmaDriver driver{world, "dma0", EnforceSnoop::off};
  StreamExperiment experiment{world, driver, params.bytes.count, params.set.count};
  add_stream_columns(world.report());
  for (const auto* lines : {"memory", "llc", "core"}) {
    for (const bool no_snoop : {false, true}) add_cell(world, experiment, {lines, no_snoop});
  }
  auto saving = experiment.read_one_cold_line(false);
  saving -= experiment.read_one_cold_line(true);
  const auto& machine = world.machine().description();
  const auto hop = machine.sockets > 1 ? machine.cache.home.hop : Picoseconds{};
  world.report().metric("saving", saving, "ns", "of a no-snoop read of one cold line");
  if (!dma_way(machine, "dma0").can_go_past_caches()) return;
  world.report().claim("a cold read saves something, and what a lookup takes at most",
                       saving > Picoseconds{} && saving <= machine.cache.llc.lookup + hop);
}

}  // namespace

Scenario snoop_vs_nosnoop() {
  return {.name = "snoop-vs-nosnoop",
          .question = "what does a device gain by not snooping, and what does it lose?",
          .platform = "server",
          .devices = {"dma0"},
          .needs_oracle = true,
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
