// One copy through a mapping, and where its time goes.
#include <fmt/format.h>

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
  auto& report = world.report();
  report.column("request", "", "descriptor, read or write of the device");
  report.column("hop", "", "where the request has come to");
  report.column("time", "ns", "time that the hop took");

  DmaDriver driver{world, "dma0", EnforceSnoop::automatic};
  const Buffer source = driver.map(bytes);
  const Buffer target = driver.map(bytes);
  for (std::uint64_t i = 0; i < bytes; ++i) {
    world.user().store<std::uint8_t>(source.address + i, static_cast<std::uint8_t>(i * 7 + 1));
  }
  HopRecorder hops{driver.device()};
  world.listen(hops);
  const bool copied = driver.copy(source.iova, target.iova, bytes, 0);

  bool sums = true;
  bool read_shown = false;
  bool write_shown = false;
  for (const auto& passage : hops.passages()) {
    const bool descriptor = passage.transaction == 1;
    const bool write = passage.access && passage.access->write;
    bool& shown = write ? write_shown : read_shown;
    const std::string request = descriptor ? "descriptor" : write ? "write" : "read";
    Picoseconds sum{};
    auto before = passage.first();
    for (std::size_t hop = 1; hop < HopRecorder::hops; ++hop) {
      if (!passage.at[hop]) continue;
      const auto time = *passage.at[hop] - before;
      before = *passage.at[hop];
      sum += time;
      if (!descriptor && shown) continue;
      const auto name = name_of(static_cast<trace::Hop>(hop));
      report.row(fmt::format("{}: {}", request, name),
                 {{"request", request}, {"hop", name}, {"time", time}});
    }
    sums = sums && sum == passage.last() - passage.first() && sum > 0_ps;
    if (!descriptor) shown = true;
  }
  const auto total = hops.passages().back().last() - hops.passages().front().first();
  report.metric("total", nanoseconds(total), "ns", "from the first request to the last write");

  bool equal = copied;
  for (std::uint64_t i = 0; i < bytes; ++i) {
    equal = equal && world.user().load<std::uint8_t>(target.address + i) ==
                         static_cast<std::uint8_t>(i * 7 + 1);
  }
  report.claim("every byte arrived", equal, fmt::format("{} bytes", bytes));
  report.claim("the hops of a request sum to its total", sums);
  report.claim("no read was stale", world.stale_reads() == 0);
}

}  // namespace

Scenario first_dma() {
  return {.name = "first-dma",
          .question = "where does the time of one DMA through an IOMMU go?",
          .platform = "server",
          .parameters = parameters_of<Params>,
          .run = run};
}

}  // namespace ioasim::scenarios
