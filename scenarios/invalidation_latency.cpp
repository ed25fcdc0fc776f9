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
      Field{"bytes", &Params::bytes, "length of each copy [model choice]", Limits{1_B, 4096_B}},
      Field{"warm_up", &Params::warm_up, "DMA runs this long before the unmap [model choice]",
            Limits{1_us, 1'000'000_us}}};
};

constexpr std::string_view steps[] = {"",       "PTE store",        "flush",
                                      "submit", "descriptor fetch", "caches cut",
                                      "drain",  "status write",     "seen by CPU"};

void run(World& world) {
  using Recorder = InvalidationRecorder;
  auto& report = world.report();
  report.column("step", "", "what was done");
  report.column("time", "ns", "time that it took");

  DmaDriver driver{world, "dma0", EnforceSnoop::automatic};
  const Buffer source = driver.map(page_bytes);
  const Buffer target = driver.map(page_bytes);
  driver.start(source.iova, target.iova, world.params<Params>().bytes.count, 0, true);
  world.user().cpu().execute(world.params<Params>().warm_up);
  Recorder recorder;
  world.listen(recorder);
  recorder.watch(source.iova);
  const int result = driver.unmap(source);
  const bool halted = !driver.finish();

  bool complete = result == 0;
  for (const auto& at : recorder.at) complete = complete && at.has_value();
  report.claim("the unmap went through every step", complete, fmt::format("returned {}", result));
  if (!complete) return;
  Picoseconds sum{};
  for (std::size_t step = 1; step < Recorder::steps; ++step) {
    const auto time = *recorder.at[step] - *recorder.at[step - 1];
    sum += time;
    report.row(std::string{steps[step]}, {{"step", steps[step]}, {"time", time}});
  }
  const auto hardware = *recorder.at[Recorder::status_written] - *recorder.at[Recorder::submitted];
  report.metric("total", nanoseconds(sum), "ns", "from the first step to the last");
  report.metric("inv_iotlb", nanoseconds(hardware), "ns", "the hardware's part of it");
  report.claim("no DMA touched the page once the status was in memory",
               recorder.touched_after == 0);
  report.claim("some did before", recorder.touched_before > 0,
               fmt::format("{} accesses since the unmap began", recorder.touched_before));
  report.claim("the device then faulted and halted", halted);
}

}  // namespace

Scenario invalidation_latency() {
  return {.name = "invalidation-latency",
          .question = "how long until an unmapped page is out of a running device's reach?",
          .platform = "server",
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
