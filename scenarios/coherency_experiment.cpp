#include "scenarios/coherency_experiment.hpp"

namespace ioasim::scenarios {
namespace {

using Flags = devices::DmaDescriptor;

constexpr std::uint64_t old_value = 0x1111'1111'1111'1111;
constexpr std::uint64_t new_value = 0x2222'2222'2222'2222;

void repair(kernel::Thread& user, std::string_view how, Hva line) {
  if (how == "clflush") user.clflush(line);
  if (how == "wbinvd") user.call_driver([](cpu::Instructions& cpu) { cpu.wbinvd(); });
  user.mfence();
}

// The core has the new value in its cache, memory the old one.
std::uint64_t device_reads(kernel::Thread& user, DmaDriver& driver, std::string_view how,
                           const Buffer& shared, const Buffer& other) {
  user.store(shared.address, new_value);
  repair(user, how, shared.address);
  driver.copy(shared.iova, other.iova, sizeof new_value, Flags::source_no_snoop);
  return user.load<std::uint64_t>(other.address);
}

// The core has the old value in its cache when the device writes the new one.
std::uint64_t device_writes(kernel::Thread& user, DmaDriver& driver, std::string_view how,
                            const Buffer& shared, const Buffer& other) {
  user.load<std::uint64_t>(shared.address);
  driver.copy(other.iova, shared.iova, sizeof new_value, Flags::target_no_snoop);
  repair(user, how, shared.address);
  return user.load<std::uint64_t>(shared.address);
}

}  // namespace

CoherencyResult try_coherency(World& world, const CoherencyCell& cell) {
  DmaDriver driver{world, cell.device, cell.enforced ? EnforceSnoop::on : EnforceSnoop::off};
  auto& user = world.user();
  const Buffer shared = driver.map(page_bytes);
  const Buffer other = driver.map(page_bytes);
  user.store(shared.address, old_value);
  user.store(other.address, cell.device_reads ? old_value : new_value);
  user.clflush(shared.address);
  user.clflush(other.address);

  const auto reported = world.stale_reads();
  const HopRecorder hops{world, driver.device()};
  const auto experiment = cell.device_reads ? device_reads : device_writes;
  const auto got = experiment(user, driver, cell.repair, shared, other);

  // The descriptor fetch, the read of the source, the write of the target.
  const auto& passage = hops.passages()[cell.device_reads ? 1 : 2];
  const bool stale = got != new_value;
  const bool can = driver.engine().can_send_no_snoop();
  return {.box = (can ? 1u : 2u) + (cell.enforced ? 0u : 2u),
          .snooped = passage.access->snooped,
          .stale = stale,
          .explained = stale == (world.stale_reads() > reported),
          .latency = passage.total()};
}

void add_coherency_columns(Report& report) {
  report.column("box", "1", "of the matrix");
  report.column("device_no_snoop", "", "the device can send No Snoop requests");
  report.column("iommu_enforces", "", "the I/O address space enforces snooping");
  report.column("direction", "", "the device reads a line that the CPU made dirty, or writes one");
  report.column("repair", "", "what software did about the caches");
  report.column("snooped", "", "the device's access looked at the caches");
  report.column("stale", "", "the reader got the old value");
  report.column("latency", "ns", "of the device's read or write");
}

void add_coherency_row(Report& report, const std::string& name, const CoherencyCell& cell,
                       const CoherencyResult& result) {
  report.row(name, {{"box", result.box},
                    {"device_no_snoop", result.box % 2 == 1},
                    {"iommu_enforces", result.box <= 2},
                    {"direction", cell.device_reads ? "device-reads" : "device-writes"},
                    {"repair", cell.repair},
                    {"snooped", result.snooped},
                    {"stale", result.stale},
                    {"latency", result.latency}});
}

}  // namespace ioasim::scenarios
