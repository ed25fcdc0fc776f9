#include "scenarios/stream_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "scenarios/counters.hpp"
#include "scenarios/lines.hpp"

namespace ioasim::scenarios {
namespace {

using Flags = devices::DmaDescriptor;

// Bytes that a load of the neighbour takes.
constexpr std::uint64_t neighbour_load = 512;

std::uint32_t flags_of(bool no_snoop) {
  return no_snoop ? Flags::source_no_snoop | Flags::target_no_snoop : 0;
}

Picoseconds read_through(kernel::Thread& thread, Hva from, std::uint64_t bytes) {
  std::array<std::byte, neighbour_load> into;
  const auto begin = thread.cpu().now();
  for (std::uint64_t done = 0; done < bytes; done += into.size()) thread.load(from + done, into);
  return thread.cpu().now() - begin;
}

}  // namespace

StreamExperiment::StreamExperiment(World& world, DmaDriver& driver, std::uint64_t bytes,
                                   std::uint64_t set)
    : world_{world},
      user_{world.user()},
      driver_{driver},
      bytes_{bytes},
      set_bytes_{set / neighbour_load * neighbour_load},
      source_{driver.map(bytes)},
      target_{driver.map(bytes)},
      set_{memory_of(world, set_bytes_)},
      displacing_bytes_{4 * world.machine().description().cache.l2.capacity.count} {
  displacing_ = memory_of(world, displacing_bytes_);
  prepare("memory");
  driver_.copy(source_.iova, target_.iova, bytes_, 0);  // translations are cached from now on
  if (world_.machine().cores() == 1) return;
  neighbour_works();
  undisturbed_ = neighbour_works();
}

// ---- where the lines are ----

// A new value in each line of the source, and where it is; the target is in memory alone.
void StreamExperiment::prepare(std::string_view lines) {
  const auto each_line = [&](const Buffer& buffer, auto visit) {
    for (std::uint64_t n = 0; n < line_count(); ++n) visit(buffer.address + n * line_bytes);
  };
  const auto store = [&](Hva line) { user_.store(line, value_); };
  const auto flush = [&](Hva line) { user_.clflushopt(line); };
  ++value_;
  each_line(source_, store);
  each_line(target_, flush);
  each_line(source_, flush);
  user_.mfence();
  if (lines == "llc") {
    each_line(source_, [&](Hva line) { user_.load<std::uint64_t>(line); });
    read_through(user_, displacing_, displacing_bytes_);
  }
  if (lines == "core") {
    ++value_;
    each_line(source_, store);
    user_.mfence();
  }
}

// ---- the device ----

StreamExperiment::Counts StreamExperiment::counts_of(std::uint64_t bytes, std::uint32_t flags) {
  const Counters counters{world_};
  driver_.copy(source_.iova, target_.iova, bytes, flags);
  return {counters.since("llc.llc_hits") + counters.since("llc.llc_misses"),
          counters.since("llc.snoops"), counters.since("memory.reads"),
          counters.since("memory.writes"), counters.since_of_all("iommu_mrds")};
}

StreamResult StreamExperiment::try_cell(const StreamCell& cell) {
  const auto flags = flags_of(cell.no_snoop);
  StreamResult result;
  prepare(cell.lines);
  counts_of(0, flags);
  const auto empty = counts_of(0, flags);  // what the descriptor and the driver cost
  const auto reported = world_.stale_reads();
  Counts all{};
  {
    const HopRecorder hops{world_, driver_.device()};
    all = counts_of(bytes_, flags);
    std::uint64_t reads = 0;
    Picoseconds sum{};
    const auto data = std::span{hops.passages()}.subspan(1);  // the first is the descriptor
    auto end = data.front().end();
    for (const auto& passage : data) {
      end = std::max(end, passage.end());
      if (passage.access && passage.access->snooped) ++result.snooped;
      if (passage.write()) continue;
      ++reads;
      sum += passage.total();
    }
    const auto time = static_cast<std::uint64_t>((end - data.front().begin()).count());
    result.read_latency = sum / static_cast<std::int64_t>(reads);
    result.bandwidth = ratio(bytes_ * 8 * 1000, time, 2);
  }
  result.walk_reads = all.walk_reads;
  result.lookups = all.lookups - empty.lookups;
  result.snoops = all.snoops - empty.snoops;
  result.dram_reads = all.reads - empty.reads;
  result.dram_writes = all.writes - empty.writes;
  result.stale = world_.stale_reads() - reported;
  for (std::uint64_t n = 0; n < line_count(); ++n) {
    const auto arrived = user_.load<std::uint64_t>(target_.address + n * line_bytes);
    if (arrived != value_) ++result.arrived_old;
  }
  if (undisturbed_) {
    prepare(cell.lines);
    driver_.start(source_.iova, target_.iova, bytes_, flags, true);
    const auto disturbed = neighbour_works();
    driver_.stop();
    driver_.finish();
    const auto before = undisturbed_->count();
    result.slowdown = Decimal{(disturbed.count() - before) * 100'000 / before, 3};
  }
  return result;
}

Picoseconds StreamExperiment::read_one_cold_line(bool no_snoop) {
  prepare("memory");
  const HopRecorder hops{world_, driver_.device()};
  driver_.copy(source_.iova, target_.iova, line_bytes, flags_of(no_snoop));
  return hops.passages()[1].total();
}

// ---- the neighbour ----

Picoseconds StreamExperiment::neighbour_works() {
  Picoseconds time{};
  world_.start_on(1,
                  [&](kernel::Thread& thread) { time = read_through(thread, set_, set_bytes_); });
  world_.join(1);
  return time;
}

// ---- rows ----

void add_stream_columns(Report& report) {
  report.column("lines", "", "where the source is: memory, clean in the LLC, dirty in a core");
  report.column("requests", "", "of the device: snooped, or no-snoop");
  report.column("read_latency", "ns", "mean of the device's reads of data");
  report.column("bandwidth", "Gb/s", "from the first read to the last write");
  report.column("lookups", "1", "in last-level caches, for the data");
  report.column("snoops", "1", "of cores, for the data");
  report.column("dram_reads", "1", "lines, for the data");
  report.column("dram_writes", "1", "lines, for the data");
  report.column("slowdown", "%", "of a neighbour core, against its time beside an idle device");
  report.column("stale", "1",
                "lines of which the device read an old value, the first time; beside the neighbour "
                "it reads them again");
  report.column("data", "", "what arrived: fresh, or stale, which is no speed-up but a mistake");
}

std::string add_stream_row(Report& report, const StreamCell& cell, const StreamResult& result) {
  const auto* requests = cell.no_snoop ? "no-snoop" : "snooped";
  auto name = fmt::format("{}, {}", cell.lines, requests);
  report.row(name, {{"lines", cell.lines},
                    {"requests", requests},
                    {"read_latency", result.read_latency},
                    {"bandwidth", result.bandwidth},
                    {"lookups", result.lookups},
                    {"snoops", result.snoops},
                    {"dram_reads", result.dram_reads},
                    {"dram_writes", result.dram_writes},
                    {"slowdown", result.slowdown},
                    {"stale", result.stale},
                    {"data", result.arrived_old == 0 ? "fresh" : "stale"}});
  return name;
}

}  // namespace ioasim::scenarios
