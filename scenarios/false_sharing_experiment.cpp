#include "scenarios/false_sharing_experiment.hpp"

#include <variant>

#include "scenarios/observers.hpp"

namespace ioasim::scenarios {
namespace {

constexpr std::uint64_t old_value = 0x1111'1111'1111'1111;
constexpr std::uint64_t new_value = 0x2222'2222'2222'2222;

void flush(kernel::Thread& user, Hva line) {
  user.clflush(line);
  user.mfence();
}

std::string missing_of(const cache::StaleRead& stale) {
  for (const auto& [name, value] : stale.row()) {
    if (name == "missing") return std::get<std::string>(value);
  }
  UNREACHABLE();
}

}  // namespace

std::string_view FalseSharingCell::expected(bool past) const {
  if (!no_snoop || !past || repair == "padding" || repair == "clflush-before") return "kept";
  if (cpu == "writes-first") return "lost";  // the line was modified under the device's write
  if (repair == "clflush-after") return "kept";
  return cpu == "reads" ? "stale" : "lost";
}

FalseSharingResult try_false_sharing(World& world, DmaDriver& driver,
                                     const FalseSharingCell& cell) {
  auto& user = world.user();
  const Buffer shared = driver.map(page_bytes);
  const Buffer from_device = driver.map(page_bytes);
  const Hva part = shared.address + 8;  // the device's
  const Hva variable = shared.address + (cell.repair == "padding" ? line_bytes + 32 : 32);
  user.store(part, old_value);
  user.store(variable, old_value);
  user.store(from_device.address, new_value);
  flush(user, part);
  flush(user, variable);

  // The variable is in use: its line is cached before the device writes beside it.
  user.load<std::uint64_t>(variable);
  if (cell.cpu == "writes-first") user.store(variable, new_value);
  if (cell.repair == "clflush-before") flush(user, part);
  const auto reported = world.stale_reads();
  const HopRecorder hops{world, driver.device()};
  driver.copy(from_device.iova, shared.iova + 8, sizeof new_value,
              cell.no_snoop ? devices::DmaDescriptor::target_no_snoop : 0);
  if (cell.repair == "clflush-after") flush(user, part);
  if (cell.cpu == "writes-last") user.store(variable, new_value);
  const bool stale = cell.cpu == "reads" && user.load<std::uint64_t>(part) != new_value;
  flush(user, part);
  flush(user, variable);
  const bool lost = user.load<std::uint64_t>(part) != new_value;

  FalseSharingResult result{.snooped = hops.passages().back().access->snooped,
                            .device_bytes = lost    ? "lost"
                                            : stale ? "stale"
                                                    : "kept"};
  result.cpu_bytes_kept =
      user.load<std::uint64_t>(variable) == (cell.cpu == "reads" ? old_value : new_value);
  if (world.stale_reads() > reported) {
    result.missing = missing_of(world.oracle().stale_reads()[reported]);
  }
  return result;
}

}  // namespace ioasim::scenarios
