// A core flushes all caches while another one works in them.
#include <fmt/format.h>

#include "scenarios/cache_flush_experiment.hpp"
#include "scenarios/cache_flush_table.hpp"
#include "scenarios/list.hpp"

namespace ioasim::scenarios {
namespace {

struct Params {
  Bytes fill = 3_MiB;

  static constexpr auto fields = std::tuple{
      Field{"fill", &Params::fill,
            "most that is stored beside a neighbour, in rows of a quarter each; not more than the "
            "last level [model choice]",
            Limits{64_KiB, 1024_MiB}}};
};

void check(const Configuration& configuration) {
  const auto fill = configuration.scenario.as<Params>().fill;
  const auto llc = configuration.machine.cache.llc.capacity;
  const auto text = config::Text<Bytes>::print;
  if (fill <= llc) return;
  throw config::ConfigError{{{},
                             "scenario.fill",
                             text(fill),
                             fmt::format("not more than cache.llc.capacity ({})", text(llc))}};
}

void run(World& world) {
  const auto& machine = world.machine().description();
  const auto of_socket = machine.cores / machine.sockets;
  const auto fill = world.params<Params>().fill.count;
  const auto llc = machine.cache.llc.capacity.count;
  CacheFlushExperiment experiment{world, llc};
  CacheFlushTable table{world.report(), experiment};
  const auto other = of_socket > 1 ? std::optional{1u} : std::nullopt;
  for (const bool invalidate : {true, false}) {
    for (const unsigned quarters : {0u, 1u, 2u, 3u, 4u}) {
      table.add({invalidate, fill / line_bytes * quarters / 4 * line_bytes, 1, other});
    }
    if (of_socket > 1) table.add({invalidate, fill, of_socket, std::nullopt});
    if (machine.sockets > 1) table.add({invalidate, fill, 1, of_socket, true});
  }
  if (fill < llc) table.add({true, llc, 1, std::nullopt});  // as long as it can take
  table.claim();
}

}  // namespace

Scenario wbinvd_cost() {
  return {.name = "wbinvd-cost",
          .question = "what does wbinvd cost its core, and its neighbours?",
          .platform = "server",
          .parameters = parameters_of<Params>,
          .check = check,
          .run = run};
}

}  // namespace ioasim::scenarios
