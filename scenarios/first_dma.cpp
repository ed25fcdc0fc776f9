// One copy through a mapping, and where its time goes.
#include "scenarios/dma_driver.hpp"
#include "scenarios/list.hpp"
#include "scenarios/observers.hpp"

namespace ioasim::scenarios {
namespace {

struct Params {
  Bytes bytes = 64_B;

  static constexpr auto fields = std::tuple{
      Field{"bytes", &Params::bytes, "length of the copy [model choice]", Limits{1_B, 1_MiB}}};
};

void run(World& world) {
  const auto bytes = world.params<Params>().bytes.count;
  DmaDriver driver{world, "dma0", EnforceSnoop::automatic};
  const Buffer source = driver.map(bytes);
  const Buffer target = driver.map(bytes);
  driver.fill(source, bytes);
  const HopRecorder hops{world, driver.device()};
  driver.copy(source.iova, target.iova, bytes, 0);

  HopRecorder::add_columns(world.report());
  std::uint64_t reads_ps = 0;
  Picoseconds rows{};
  bool shown[2] = {};  // the first read of data, the first write
  for (const auto& passage : hops.passages()) {
    const bool descriptor = &passage == &hops.passages().front();
    if (!passage.write()) reads_ps += static_cast<std::uint64_t>(passage.total().count());
    if (!descriptor && std::exchange(shown[passage.write()], true)) continue;
    const auto* request = descriptor ? "descriptor" : passage.write() ? "write" : "read";
    rows += HopRecorder::add_rows(world.report(), request, passage);
  }
  const auto total = hops.passages().back().end() - hops.passages().front().begin();
  const auto measured = driver.engine().function_stats().read_ps.sum();
  world.report().metric("total", total, "ns", "from the first request to the last write");
  world.report().claim("every byte arrived", driver.filled(target, bytes));
  world.report().claim("the hops of all reads sum to what the device measured",
                       reads_ps == measured);
  if (hops.passages().size() == 3) {
    world.report().claim("the hops sum to the total, to the picosecond", rows == total);
  }
}

}  // namespace

Scenario first_dma() {
  return {.name = "first-dma",
          .question = "where does the time of one DMA through an IOMMU go?",
          .platform = "server",
          .devices = {"dma0"},
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
