// A buffer of one size after the other, and every way to make it safe for a device.
#include "scenarios/flush_table.hpp"
#include "scenarios/list.hpp"

namespace ioasim::scenarios {
namespace {

struct Params {
  Bytes largest = 4_MiB;
  unsigned dirty = 100;
  unsigned background = 0;

  static constexpr auto fields = std::tuple{
      Field{"largest", &Params::largest,
            "largest buffer, rounded down to 4 KiB times a power of two [model choice]",
            Limits{4_KiB, 64_MiB}},
      Field{"dirty", &Params::dirty, "percent of a buffer's lines that are modified [model choice]",
            Limits{0u, 100u}},
      Field{"background", &Params::background,
            "percent of the last level that is modified beside the buffer when wbinvd begins "
            "[model choice]",
            Limits{0u, 100u}}};
};

void run(World& world) {
  const auto& params = world.params<Params>();
  const auto llc = world.machine().description().cache.llc.capacity.count;
  const auto background = llc / 100 * params.background / page_bytes * page_bytes;
  FlushCosts costs{world, {params.largest.count, params.dirty, background}};
  FlushTable table{world, costs};
  for (auto bytes = page_bytes; bytes <= params.largest.count; bytes *= 2) table.add(bytes);
  table.claim();
}

}  // namespace

Scenario flush_crossover() {
  return {.name = "flush-crossover",
          .question = "from which size of a buffer on is wbinvd cheaper than a flush of its lines?",
          .platform = "server",
          .devices = {"dma0"},
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
