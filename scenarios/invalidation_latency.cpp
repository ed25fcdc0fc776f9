// From the unmap of a page that a device is reading to the moment at which nothing can reach it.
#include <fmt/format.h>

#include "scenarios/dma_driver.hpp"
#include "scenarios/list.hpp"
#include "scenarios/observers.hpp"

namespace ioasim::scenarios {
namespace {

struct Params {
  Bytes bytes = 4096_B;
  Picoseconds warm_up = 20_us;

  static constexpr auto fields = std::tuple{
      Field{"bytes", &Params::bytes, "length of a round [model choice]", Limits{1_B, 4096_B}},
      Field{"warm_up", &Params::warm_up, "DMA runs this long before the unmap [model choice]",
            Limits{1_us, 1'000'000_us}}};
};

void run(World& world) {
  using Step = InvalidationRecorder;
  auto& report = world.report();
  DmaDriver driver{world, "dma0", EnforceSnoop::automatic};
  const Buffer source = driver.map(page_bytes);
  const Buffer target = driver.map(page_bytes);
  driver.start(source.iova, target.iova, world.params<Params>().bytes.count, 0, true);
  world.user().cpu().execute(world.params<Params>().warm_up);
  const InvalidationRecorder unmap{world, source.iova};
  const int result = driver.unmap(source);
  const bool halted = !driver.finish();

  report.claim("the unmap went through every step", result == 0 && unmap.complete(),
               fmt::format("returned {}", result));
  if (!unmap.complete()) return;
  unmap.add_rows(report);
  report.metric("total", unmap.between(Step::begin, Step::seen), "ns", "all steps together");
  report.metric("inv_iotlb", unmap.between(Step::submitted, Step::status_written), "ns",
                "the hardware's part of them");
  report.claim("no DMA touched the page once the status was in memory", unmap.touched_after == 0);
  report.claim("some did before", unmap.touched_before > 0,
               fmt::format("{} accesses since the unmap began", unmap.touched_before));
  report.claim("the device then faulted and halted", halted);
}

}  // namespace

Scenario invalidation_latency() {
  return {.name = "invalidation-latency",
          .question = "how long until an unmapped page is out of a running device's reach?",
          .platform = "server",
          .devices = {"dma0"},
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
