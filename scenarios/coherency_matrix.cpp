// The four boxes of the 2021 discussion: may the device skip snooping, and does the IOMMU let it?
#include <fmt/format.h>

#include "scenarios/dma_driver.hpp"
#include "scenarios/list.hpp"
#include "scenarios/observers.hpp"

namespace ioasim::scenarios {
namespace {

using Flags = devices::DmaDescriptor;

constexpr std::uint64_t old_value = 0x1111'1111'1111'1111;
constexpr std::uint64_t new_value = 0x2222'2222'2222'2222;

struct Cell {
  unsigned box;
  bool device_reads;
  std::string_view repair;
};

void repair(World& world, std::string_view how, Hva line) {
  if (how == "clflush") world.user().clflush(line);
  if (how == "wbinvd") world.user().cpu().wbinvd();
  world.user().mfence();
}

// Returns whether the reader of the experiment got the old value.
bool read_is_stale(World& world, DmaDriver& driver, const Cell& cell) {
  auto& user = world.user();
  const Buffer line = driver.map(page_bytes);   // what the CPU and the device share
  const Buffer other = driver.map(page_bytes);  // the other end of the copy
  user.store(line.address, old_value);
  user.store(other.address, new_value);
  user.clflush(line.address);
  user.clflush(other.address);
  if (cell.device_reads) {
    user.store(line.address, new_value);  // dirty in the cache, old in memory
    repair(world, cell.repair, line.address);
    driver.copy(line.iova, other.iova, sizeof new_value, Flags::source_no_snoop);
    return user.load<std::uint64_t>(other.address) != new_value;
  }
  user.load<std::uint64_t>(line.address);  // the cache holds the old value
  driver.copy(other.iova, line.iova, sizeof new_value, Flags::target_no_snoop);
  repair(world, cell.repair, line.address);
  return user.load<std::uint64_t>(line.address) != new_value;
}

void run(World& world);

}  // namespace

Scenario coherency_matrix() {
  return {.name = "coherency-matrix",
          .question = "when does a no-snoop DMA see, or leave behind, stale data?",
          .platform = "server",
          .run = run};
}

namespace {

void add_row(World& world, const Cell& cell) {
  const bool device_no_snoop = cell.box == 1 || cell.box == 3;
  const bool enforce = cell.box <= 2;
  DmaDriver driver{world, device_no_snoop ? "dma0" : "dma1",
                   enforce ? EnforceSnoop::on : EnforceSnoop::off};
  if (driver.error() != 0) return;
  HopRecorder hops{driver.device()};
  world.listen(hops);
  const auto reported = world.stale_reads();
  const bool stale = read_is_stale(world, driver, cell);
  const bool oracle_agrees = stale == (world.stale_reads() > reported);
  const auto& passage = hops.passages()[cell.device_reads ? 1 : 2];
  const std::string_view direction = cell.device_reads ? "device-reads" : "device-writes";
  const auto name = fmt::format("box {}, {}, {}", cell.box, direction, cell.repair);
  world.report().row(name, {{"box", cell.box},
                            {"device_no_snoop", device_no_snoop},
                            {"iommu_enforces", enforce},
                            {"direction", direction},
                            {"repair", cell.repair},
                            {"snooped", passage.access->snooped},
                            {"stale", stale},
                            {"latency", passage.last() - passage.first()}});
  const bool expected = cell.box == 3 && cell.repair == "none";
  world.report().claim(fmt::format("{}: {}", name, expected ? "stale" : "not stale"),
                       stale == expected);
  if (!oracle_agrees) world.report().claim(name + ": the oracle agrees", false);
  world.unlisten(hops);
}

void run(World& world) {
  auto& report = world.report();
  report.column("box", "1", "of the matrix: device can or cannot, IOMMU enforces or does not");
  report.column("device_no_snoop", "", "the device can send No Snoop requests");
  report.column("iommu_enforces", "", "the I/O address space enforces snooping");
  report.column("direction", "",
                "the device reads a line that the CPU made dirty, or writes one "
                "that it holds");
  report.column("repair", "", "what software did about it");
  report.column("snooped", "", "the access looked at the caches");
  report.column("stale", "", "the reader got the old value");
  report.column("latency", "ns", "of the request: read to its completion, write to its acceptance");
  for (unsigned box = 1; box <= 4; ++box) {
    for (const bool device_reads : {true, false}) {
      for (const auto* repair : {"none", "clflush", "wbinvd"}) {
        add_row(world, {box, device_reads, repair});
      }
    }
  }
}

}  // namespace
}  // namespace ioasim::scenarios
