// A device and a CPU that write different bytes of one line.
#include <fmt/format.h>

#include "scenarios/dma_way.hpp"
#include "scenarios/false_sharing_experiment.hpp"
#include "scenarios/list.hpp"

namespace ioasim::scenarios {
namespace {

// Returns its name if the bytes of the CPU were not kept.
std::string add_cell(World& world, DmaDriver& driver, const FalseSharingCell& cell) {
  const auto result = try_false_sharing(world, driver, cell);
  const auto name =
      fmt::format("cpu {}, {}, {}", cell.cpu, cell.no_snoop ? "no-snoop" : "snooped", cell.repair);
  world.report().row(name, {{"cpu", cell.cpu},
                            {"snooped", result.snooped},
                            {"repair", cell.repair},
                            {"device_bytes", result.device_bytes},
                            {"cpu_bytes_kept", result.cpu_bytes_kept},
                            {"missing", result.missing}});
  const auto way = dma_way(world.machine().description(), "dma0");
  const auto expected = cell.expected(way.can_go_past_caches());
  const auto* missing = expected == "lost"    ? "flush_before_device_write"
                        : expected == "stale" ? "invalidate_before_read"
                                              : "-";
  const bool explained = result.missing == missing;
  world.report().claim(
      fmt::format("{}: the device's bytes are {}, and the oracle says so", name, expected),
      result.device_bytes == expected && explained);
  return result.cpu_bytes_kept ? std::string{} : name;
}

void run(World& world) {
  auto& report = world.report();
  report.column("cpu", "", "writes its variable before the device writes, after it, or reads only");
  report.column("snooped", "", "the device's write looked at the caches");
  report.column("repair", "", "what software did so that the device's bytes survive");
  report.column("device_bytes", "", "kept; stale: the CPU read older ones; lost: memory has none");
  report.column("cpu_bytes_kept", "", "the variable has its newest value");
  report.column("missing", "", "the operation that the oracle says was missing");
  DmaDriver driver{world, "dma0", EnforceSnoop::off};
  std::string lost;  // the first row
  for (const auto* cpu : {"writes-first", "writes-last", "reads"}) {
    for (const bool no_snoop : {false, true}) {
      for (const auto* repair : {"none", "clflush-before", "clflush-after", "padding"}) {
        const auto name = add_cell(world, driver, {cpu, no_snoop, repair});
        if (lost.empty()) lost = name;
      }
    }
  }
  report.claim("the CPU's bytes are kept in every case", lost.empty(), lost);
}

}  // namespace

Scenario false_sharing_dma() {
  return {.name = "false-sharing-dma",
          .question = "whose bytes survive when a device and a CPU write parts of one line?",
          .platform = "server",
          .devices = {"dma0"},
          .needs_oracle = true,
          .run = run};
}

}  // namespace ioasim::scenarios
