// The four boxes of the 2021 discussion: can the device skip snooping, and does the IOMMU let it?
#include <fmt/format.h>

#include <cerrno>

#include "scenarios/coherency_experiment.hpp"
#include "scenarios/dma_way.hpp"
#include "scenarios/list.hpp"
#include "scenarios/refused.hpp"

namespace ioasim::scenarios {
namespace {

void add_cell(World& world, const CoherencyCell& cell) {
  CoherencyResult result;
  try {
    result = try_coherency(world, cell);
  } catch (const Refused& refused) {
    const auto way = dma_way(world.machine().description(), cell.device);
    if (!cell.enforced || way.iommu.params.snoop_control) throw;
    world.report().claim("enforcing is refused with EINVAL", refused.error() == -EINVAL,
                         refused.what());
    return;  // boxes 1 and 2 are out of reach
  }
  const auto name = fmt::format("box {}, {}, {}, {}", result.box, cell.device,
                                cell.device_reads ? "reads" : "writes", cell.repair);
  add_coherency_row(world.report(), name, cell, result);
  const bool expected = result.box == 3 && cell.repair == "none";
  world.report().claim(fmt::format("{}: {}", name, expected ? "stale" : "not stale"),
                       result.stale == expected && result.explained);
}

void run(World& world) {
  add_coherency_columns(world.report());
  for (const bool enforced : {true, false}) {
    for (const auto* device : {"dma0", "dma1"}) {
      for (const bool reads : {true, false}) {
        for (const auto* repair : {"none", "clflush", "wbinvd"}) {
          add_cell(world, {device, enforced, reads, repair});
        }
      }
    }
  }
}

}  // namespace

Scenario coherency_matrix() {
  return {.name = "coherency-matrix",
          .question = "when does a no-snoop DMA see, or leave behind, stale data?",
          .platform = "server",
          .devices = {"dma0", "dma1"},
          .needs_oracle = true,
          .run = run};
}

}  // namespace ioasim::scenarios
