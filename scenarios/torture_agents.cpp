#include "scenarios/torture_agents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "scenarios/lines.hpp"

namespace ioasim::scenarios {
namespace {

using Flags = devices::DmaDescriptor;

// Longest access of a core, and of a device.
constexpr std::uint64_t core_bytes_max = 16;
constexpr std::uint64_t device_bytes_max = 128;
// Operations of core 0 between two rounds of its devices.
constexpr std::uint64_t operations_a_round = 4;
// One operation in so many is followed by a pause of up to as long.
constexpr std::uint64_t pauses = 4;
constexpr std::uint64_t pause_ps_max = 2'000'000;
// One request to mixed lines in so many goes past the caches.
constexpr std::uint64_t no_snoop_share = 6;
constexpr std::uint64_t counter_bytes = sizeof(std::uint64_t);

struct Piece {
  std::uint64_t offset;
  std::uint64_t bytes;
};

// Anywhere from `first` on, of any alignment.
Piece draw(Prng& random, std::uint64_t first, std::uint64_t end, std::uint64_t most) {
  const auto bytes = random.between(1, std::min(most, end - first));
  return {random.between(first, end - bytes), bytes};
}

}  // namespace

Torture::Torture(World& world, std::uint64_t operations, std::uint64_t lines)
    : world_{world},
      left_{operations},
      bytes_{lines * line_bytes},
      coherent_{memory_of(world, bytes_)},
      mixed_{memory_of(world, bytes_)} {
  auto& user = world_.user();
  for (std::uint64_t at = 0; at < bytes_; at += line_bytes) {
    user.store(coherent_ + at, std::uint64_t{0});
    user.store(mixed_ + at, std::uint64_t{0});
  }
  coherent_at_ = *user.physical(coherent_);
  mixed_at_ = *user.physical(mixed_);
  for (const auto& device : world_.machine().description().devices) {
    auto& driver = drivers_.emplace_back(world_, device.name, EnforceSnoop::off);
    coherent_of_.push_back(driver.map(coherent_, bytes_));
    mixed_of_.push_back(driver.map(mixed_, bytes_));
  }
}

void Torture::run() {
  const auto cores = world_.machine().cores();
  std::deque<Prng> randoms;
  for (unsigned n = 0; n < cores; ++n) {
    randoms.push_back(world_.random(fmt::format("torture.core{}", n)));
  }
  for (unsigned n = 1; n < cores; ++n) {
    world_.start_on(n, [&, n](kernel::Thread& thread) { fight(thread, randoms[n]); });
  }
  auto devices = world_.random("torture.devices");
  while (left_ > 0) {
    drive(devices);
    check_states();
    for (std::uint64_t n = 0; n < operations_a_round && left_ > 0; ++n) {
      operate(world_.user(), randoms[0]);
    }
    for (auto& driver : drivers_) devices_done_ = driver.finish() && devices_done_;
  }
  for (unsigned n = 1; n < cores; ++n) world_.join(n);
  world_.user().mfence();
  check_states();
}

std::uint64_t Torture::counter() {
  return world_.user().load<std::uint64_t>(coherent_ + (line_bytes - counter_bytes));
}

void Torture::check_states() {
  for (const Hpa base : {coherent_at_, mixed_at_}) {
    for (std::uint64_t at = 0; at < bytes_; at += line_bytes) {
      ++checked_;
      if (breach_.empty()) breach_ = world_.machine().coherence_breach(base + at);
    }
  }
}

// ---- cores ----

void Torture::fight(kernel::Thread& thread, Prng& random) {
  while (left_ > 0) operate(thread, random);
  thread.mfence();
}

void Torture::operate(kernel::Thread& thread, Prng& random) {
  --left_;
  const Hva line = (random.one_in(2) ? coherent_ : mixed_) +
                   random.between(0, bytes_ / line_bytes - 1) * line_bytes;
  switch (random.between(0, 9)) {
    case 0:
      ++cores_.flushes;
      thread.clflush(line);
      break;
    case 1:
      ++cores_.flushes;
      thread.clflushopt(line);
      break;
    case 2:
      ++cores_.flushes;
      thread.clwb(line);
      break;
    case 3:
    case 4:
      ++cores_.locked;
      thread.cpu().lock_add(coherent_at_ + (line_bytes - counter_bytes), 1, counter_bytes);
      break;
    default:
      access(thread, random, random.one_in(2));
  }
  if (random.one_in(pauses)) {
    thread.cpu().execute(Picoseconds{static_cast<std::int64_t>(random.between(0, pause_ps_max))});
  }
}

// Writes leave the counter alone.
void Torture::access(kernel::Thread& thread, Prng& random, bool write) {
  std::array<std::byte, core_bytes_max> data;
  const bool of_coherent = random.one_in(2);
  const auto first = of_coherent && write ? line_bytes : 0;
  if (first == bytes_) return;
  const auto piece = draw(random, first, bytes_, core_bytes_max);
  const auto at = (of_coherent ? coherent_ : mixed_) + piece.offset;
  const auto span = std::span{data}.first(piece.bytes);
  ++(write ? cores_.writes : cores_.reads);
  if (!write) {
    thread.load(at, span);
    return;
  }
  for (auto& byte : span) byte = static_cast<std::byte>(random.between(0, 255));
  thread.store(at, span);
}

// ---- devices ----

void Torture::drive(Prng& random) {
  for (std::size_t n = 0; n < drivers_.size() && left_ > 0; ++n) start(n, random);
}

// A copy from lines of a kind to lines of a kind. Requests to coherent lines are snooped.
void Torture::start(std::size_t device, Prng& random) {
  --left_;
  auto& driver = drivers_[device];
  const bool can = driver.engine().can_send_no_snoop();
  const bool from_mixed = random.one_in(2);
  const bool to_mixed = random.one_in(2) || bytes_ == line_bytes;
  const bool read_past = from_mixed && can && random.one_in(no_snoop_share);
  const bool write_past = to_mixed && can && random.one_in(no_snoop_share);
  const auto to = draw(random, to_mixed ? 0 : line_bytes, bytes_, device_bytes_max);
  const auto from = random.between(0, bytes_ - to.bytes);
  ++(read_past ? no_snoop_ : snooped_).reads;
  ++(write_past ? no_snoop_ : snooped_).writes;
  driver.start(
      (from_mixed ? mixed_of_ : coherent_of_)[device].iova + from,
      (to_mixed ? mixed_of_ : coherent_of_)[device].iova + to.offset, to.bytes,
      (read_past ? Flags::source_no_snoop : 0) | (write_past ? Flags::target_no_snoop : 0));
}

// ---- rows ----

void add_torture_rows(World& world, const Torture& torture) {
  for (const auto* column : {"reads", "writes", "locked", "flushes"}) {
    world.report().column(column, "1", "operations of that kind; a copy is a read and a write");
  }
  world.report().column("stale", "1", "reads that the oracle found stale");
  const auto add = [&](std::string name, const TortureCounts& counts, auto reader) {
    const auto& stale = world.oracle().stale_reads();
    world.report().row(std::move(name),
                       {{"reads", counts.reads},
                        {"writes", counts.writes},
                        {"locked", counts.locked},
                        {"flushes", counts.flushes},
                        {"stale", std::count_if(stale.begin(), stale.end(), reader)}});
  };
  using Stale = cache::StaleRead;
  const auto core = [](const Stale& s) { return s.reader.agent == trace::Agent::core; };
  add("cores", torture.cores(), core);
  for (const bool snooped : {true, false}) {
    add(snooped ? "devices, snooped" : "devices, no-snoop", torture.devices(snooped),
        [&](const Stale& s) { return !core(s) && s.reader.snooped == snooped; });
  }
}

}  // namespace ioasim::scenarios
