// Everybody at once on few lines: does coherence hold where it must, and only there?
#include <fmt/format.h>

#include <algorithm>

#include "scenarios/list.hpp"
#include "scenarios/torture_agents.hpp"

namespace ioasim::scenarios {
namespace {

struct Params {
  std::uint64_t operations = 20'000;
  std::uint64_t lines = 4;

  static constexpr auto fields = std::tuple{
      Field{"operations", &Params::operations, "of all cores and devices [model choice]",
            Limits<std::uint64_t>{1, 10'000'000}},
      Field{"lines", &Params::lines, "coherent ones, and as many mixed ones [model choice]",
            Limits<std::uint64_t>{1, 64}}};
};

void run(World& world) {
  const auto& params = world.params<Params>();
  auto& report = world.report();
  Torture torture{world, params.operations, params.lines};
  torture.run();
  const auto counter = torture.counter();
  add_torture_rows(world, torture);
  using Stale = cache::StaleRead;
  const auto& stale = world.oracle().stale_reads();
  const auto all = [&](auto what) { return std::all_of(stale.begin(), stale.end(), what); };
  report.claim("every stale read is of a line that no-snoop DMA uses",
               all([&](const Stale& s) { return torture.mixed(s.address); }));
  report.claim("the states of every line keep to the protocol", torture.breach().empty(),
               torture.breach().empty() ? fmt::format("{} looked at", torture.states_checked())
                                        : torture.breach());
  report.claim("every copy ended without an error", torture.devices_done());
  report.claim("no locked addition is lost", counter == torture.cores().locked,
               fmt::format("{} of {}", counter, torture.cores().locked));
}

}  // namespace

Scenario coherence_torture() {
  return {.name = "coherence-torture",
          .question = "does coherence hold when everybody uses the same few lines at once?",
          .platform = "server",
          .needs_oracle = true,
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
