// A core flushes all caches while another one works in them.
#include "scenarios/cache_flush_experiment.hpp"
#include "scenarios/cache_flush_table.hpp"
#include "scenarios/list.hpp"

namespace ioasim::scenarios {
namespace {

struct Params {
  Bytes fill = 3_MiB;

  static constexpr auto fields =
      std::tuple{Field{"fill", &Params::fill,
                       "bytes that are dirty at 100 %; not more than the last level [model choice]",
                       Limits{64_KiB, 1024_MiB}}};
};

void run(World& world) {
  const auto& machine = world.machine().description();
  const auto of_socket = machine.cores / machine.sockets;
  const auto fill = std::min(world.params<Params>().fill.count, machine.cache.llc.capacity.count);
  CacheFlushExperiment experiment{world, fill};
  CacheFlushTable table{world.report(), experiment};
  const auto lines = fill / line_bytes;
  const auto other = of_socket > 1 ? std::optional{1u} : std::nullopt;
  for (const bool invalidate : {true, false}) {
    for (const unsigned percent : {0u, 25u, 50u, 75u, 100u}) {
      table.add(percent, {invalidate, lines * percent / 100, 1, other});
    }
    if (of_socket > 1) table.add(100, {invalidate, lines, of_socket, std::nullopt});
    if (machine.sockets > 1) table.add(100, {invalidate, lines, 1, of_socket, true});
  }
  table.claim();
}

}  // namespace

Scenario wbinvd_cost() {
  return {.name = "wbinvd-cost",
          .question = "what does wbinvd cost its core, and its neighbours?",
          .platform = "server",
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
