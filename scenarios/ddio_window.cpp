// What a device that reads back what it writes sees of the ways that its writes may enter.
#include <fmt/format.h>

#include "scenarios/list.hpp"
#include "scenarios/window_table.hpp"

namespace ioasim::scenarios {
namespace {

struct Params {
  unsigned accesses = 2'000;

  static constexpr auto fields =
      std::tuple{Field{"accesses", &Params::accesses, "random accesses of each row [model choice]",
                       Limits{1'000u, 100'000u}}};
};

void run(World& world) {
  const auto accesses = world.params<Params>().accesses;
  const auto ways = ddio_ways(world);
  const auto way = way_bytes(world);
  constexpr std::uint64_t smallest = 64u << 10;
  if (ways == 0) {
    WriteThenRead device{world, "dma0", smallest, accesses};
    WindowTable table{world, device};
    table.empty_caches();
    table.add_window(smallest, 0);
    table.claim_no_window();
    return;
  }
  const auto capacity = ways * way;
  const auto largest = 8 * capacity;
  WriteThenRead device{world, "dma0", std::max(largest, 5 * way), accesses};
  WindowTable table{world, device};
  table.empty_caches();
  device.measure({page_bytes});  // translations come in
  for (auto window = std::min(smallest, capacity); window <= largest; window *= 2) {
    table.add_window(window, capacity);
  }
  table.claim_window();
  if (ways_are_of_port(world)) {
    world.report().metric("port_ways", ways, "1",
                          "of the root port, by its ddio_ways: no row with another number");
    return;
  }
  for (const unsigned n : {1u, 2u, 3u, 4u, 6u, 8u}) table.add_ways(n, 5);
  table.claim_ways();
}

}  // namespace

Scenario ddio_window() {
  return {.name = "ddio-window",
          .question = "how much of what a device writes does it find in the last-level cache?",
          .platform = "server",
          .devices = {"dma0"},
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
