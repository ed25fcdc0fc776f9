#include "scenarios/flush_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ioasim::scenarios {
namespace {

constexpr const char* names[] = {"clflush", "clflushopt", "clwb"};

Picoseconds per_line(Picoseconds time, std::uint64_t bytes) {
  return time / static_cast<std::int64_t>(bytes / line_bytes);
}

}  // namespace

FlushTable::FlushTable(World& world, FlushCosts& costs) : world_{world}, costs_{costs} {
  auto& report = world.report();
  report.column("size", "B", "of the buffer");
  report.column("clflush", "ns", "a loop over its lines, and sfence");
  report.column("clflushopt", "ns", "the same");
  report.column("clwb", "ns", "the same");
  report.column("wbinvd", "ns", "one instruction, in a driver");
  report.column("clflush_line", "ns", "of one line");
  report.column("snooping", "ns",
                "what reads of all its lines take a device more if they look at the caches");
  report.column("cheapest", "", "for software");
}

void FlushTable::add(std::uint64_t bytes) {
  const auto [clflush, snooping] = costs_.clflush(bytes);
  const Line line{.bytes = bytes,
                  .loop = {clflush, costs_.flush(LineFlush::clflushopt, bytes),
                           costs_.flush(LineFlush::clwb, bytes)},
                  .wbinvd = costs_.wbinvd(bytes),
                  .snooping = snooping};
  const auto best = std::min_element(line.loop.begin(), line.loop.end());
  world_.report().row(
      fmt::format("{} KiB", bytes >> 10),
      {{"size", bytes},
       {"clflush", line.loop[0]},
       {"clflushopt", line.loop[1]},
       {"clwb", line.loop[2]},
       {"wbinvd", line.wbinvd},
       {"clflush_line", per_line(line.loop[0], bytes)},
       {"snooping", line.snooping},
       {"cheapest", line.wbinvd < *best ? "wbinvd" : names[best - line.loop.begin()]}});
  lines_.push_back(line);
}

void FlushTable::add_crossovers() {
  for (std::size_t n = 0; n < line_flushes; ++n) {
    const auto first = std::find_if(lines_.begin(), lines_.end(),
                                    [n](const Line& line) { return line.wbinvd < line.loop[n]; });
    world_.report().metric(fmt::format("crossover_{}", names[n]),
                           first == lines_.end() ? Cell{"none"} : Cell{first->bytes}, "B",
                           fmt::format("first size at which wbinvd is cheaper than {}", names[n]));
  }
}

void FlushTable::claim() {
  add_crossovers();
  auto& report = world_.report();
  const auto& cache = world_.machine().description().cache;
  const auto all = [this](auto predicate) {
    return std::all_of(lines_.begin(), lines_.end(), predicate);
  };
  // Beyond what the core's own caches hold; a line of theirs is asked for too.
  const auto& largest = lines_.back();
  const auto cost = per_line(largest.loop[0], largest.bytes);
  report.claim("clflush is linear beyond the core's own caches: 10 %, at the last level's size too",
               all([&](const Line& line) {
                 if (line.bytes < 4 * cache.l2.capacity.count) return true;
                 const auto mine = per_line(line.loop[0], line.bytes);
                 return mine * 10 <= cost * 11 && cost * 10 <= mine * 11;
               }));
  report.claim("clflushopt is cheaper than clflush",
               all([](const Line& line) { return line.loop[1] < line.loop[0]; }));
  const auto tags =
      static_cast<std::int64_t>(cache.llc.capacity.count / line_bytes / cache.llc.slices);
  report.claim(
      "wbinvd is cheaper than clflush from some size on, unless to look at all tags takes longer",
      largest.wbinvd < largest.loop[0] || cache.flush.tag_scan * tags > largest.loop[0],
      fmt::format("{} and {} ns for the largest buffer", to_text(Cell{largest.wbinvd}),
                  to_text(Cell{largest.loop[0]})));
  report.claim("to let the device snoop costs it less than clflush costs software",
               all([](const Line& line) { return line.snooping < line.loop[0]; }));
}

}  // namespace ioasim::scenarios
