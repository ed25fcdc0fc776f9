#include "scenarios/window_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cpu/msr.hpp"
#include "scenarios/dma_way.hpp"
#include "scenarios/lines.hpp"

namespace ioasim::scenarios {
namespace {

const pcie::RootPortParams& port_of(World& world) {
  return dma_way(world.machine().description(), "dma0").port.params;
}

constexpr std::int64_t count(Picoseconds time) { return time.count(); }

}  // namespace

unsigned ddio_ways(World& world) {
  const auto& llc = world.machine().description().cache.llc;
  const auto& port = port_of(world);
  if (!llc.ddio || !port.ddio) return 0;
  return port.ddio_ways != 0 ? port.ddio_ways : llc.ddio_ways;
}

bool ways_are_of_port(World& world) { return port_of(world).ddio_ways != 0; }

std::uint64_t way_bytes(World& world) {
  const auto& llc = world.machine().description().cache.llc;
  return llc.capacity.count / llc.ways;
}

WindowTable::WindowTable(World& world, WriteThenRead& device) : world_{world}, device_{device} {
  auto& report = world.report();
  report.column("window", "B", "the lines that are written are in");
  report.column("ways", "1", "of the last level that device writes may enter");
  report.column("hit_rate", "1", "writes that found their line in the last level");
  report.column("expected", "1", "min(1, capacity of the ways / window)");
  report.column("latency", "ns", "mean, from the write to the end of the read");
  report.column("adder", "ns", "to that of the smallest window");
  report.column("closed_form", "ns",
                "L_hit + (1 - expected) * dL, from the smallest and the largest window");
  report.column("walks", "1", "translations that no IOTLB held");
}

void WindowTable::empty_caches() { flush_caches(world_.user()); }

void WindowTable::add_window(std::uint64_t window, std::uint64_t capacity) {
  const bool fits = window <= capacity;
  const bool first_larger = !fits && !windows_.empty() && windows_.back().window <= capacity;
  if (first_larger) device_.write({capacity});  // all that the ways have room for
  windows_.push_back({window, capacity, device_.measure({.bytes = window, .written = fits})});
}

// An eighth of the sets is enough, and sooner filled.
void WindowTable::add_ways(unsigned ways, unsigned window_ways) {
  const auto& llc = world_.machine().description().cache.llc;
  if (ways > llc.ways) return;
  world_.user().call_driver([&](cpu::Instructions& cpu) {
    cpu.wrmsr(cpu::msr::iio_llc_ways, (std::uint64_t{1} << ways) - 1);
  });
  empty_caches();
  const auto way = way_bytes(world_);
  const auto parts = std::min<std::uint64_t>(8, way / llc.slices / line_bytes);
  device_.write({std::min(ways, window_ways) * way, parts});
  ways_.push_back({window_ways * way, ways * way, device_.measure({window_ways * way, parts})});
}

// From the smallest and the largest window: L_hit and dL.
Picoseconds WindowTable::closed_form(const Line& line) const {
  constexpr std::uint64_t whole = 1u << 20;
  const auto& small = windows_.front();
  const auto& large = windows_.back();
  const auto rise = count(large.result.latency - small.result.latency);
  const auto missing = static_cast<std::int64_t>(whole - line.resident(whole));
  const auto missing_most = static_cast<std::int64_t>(whole - large.resident(whole));
  return small.result.latency + Picoseconds{rise * missing / missing_most};
}

bool WindowTable::hits_as_expected(const Line& line) const {
  constexpr std::uint64_t whole = 1'000'000;
  const auto expected = static_cast<std::int64_t>(line.resident(whole));
  const auto hits = static_cast<std::int64_t>(line.result.hits * whole / device_.accesses());
  return line.result.finished && std::abs(hits - expected) <= 30'000;
}

void WindowTable::add(const std::string& name, unsigned ways, const Line& line) {
  world_.report().row(name, {{"window", line.window},
                             {"ways", ways},
                             {"hit_rate", ratio(line.result.hits, device_.accesses())},
                             {"expected", ratio(line.resident(1u << 20), 1u << 20)},
                             {"latency", line.result.latency},
                             {"adder", line.result.latency - windows_.front().result.latency},
                             {"closed_form", closed_form(line)},
                             {"walks", line.result.walks}});
}

void WindowTable::add_windows() {
  const auto ways = static_cast<unsigned>(windows_.front().capacity / way_bytes(world_));
  for (const Line& line : windows_) {
    add(fmt::format("window {} KiB", line.window >> 10), ways, line);
  }
}

void WindowTable::claim_no_window() {
  add_windows();
  world_.report().claim("device writes enter no cache: none finds its line there",
                        windows_.front().result.finished && windows_.front().result.hits == 0);
}

// Of latencies nothing is claimed if page walks are a part of them.
void WindowTable::claim_window() {
  add_windows();
  auto& report = world_.report();
  report.claim("the share of writes that hit is min(1, D / W) within 0.03",
               std::all_of(windows_.begin(), windows_.end(),
                           [this](const Line& line) { return hits_as_expected(line); }));
  const auto few_walks = [this](const Line& line) {
    return line.result.walks * 100 < device_.accesses();
  };
  if (!std::all_of(windows_.begin(), windows_.end(), few_walks)) return;
  const auto rise = windows_.back().result.latency - windows_.front().result.latency;
  report.claim("a write that misses takes longer", rise > Picoseconds{});
  const auto by_law = [&](const Line& line) {
    const auto error = std::abs(count(line.result.latency - closed_form(line)));
    return error * 100 <= count(rise) * 5;
  };
  report.claim("the latency follows L_hit + (1 - min(1, D / W)) * dL within 5 % of dL",
               std::all_of(windows_.begin(), windows_.end(), by_law));
}

void WindowTable::claim_ways() {
  for (const Line& line : ways_) {
    const auto ways = static_cast<unsigned>(line.capacity / way_bytes(world_));
    add(fmt::format("window {} KiB, {} ways", line.window >> 10, ways), ways, line);
  }
  if (ways_.empty()) return;
  auto& report = world_.report();
  report.claim("with more ways more writes hit",
               std::is_sorted(ways_.begin(), ways_.end(), [](const Line& a, const Line& b) {
                 return a.result.hits < b.result.hits;
               }));
  report.claim("with each number of ways the share is min(1, D / W) within 0.03",
               std::all_of(ways_.begin(), ways_.end(),
                           [this](const Line& line) { return hits_as_expected(line); }));
}

}  // namespace ioasim::scenarios
