#include "scenarios/flush_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/quantity.hpp"
#include "scenarios/lines.hpp"

namespace ioasim::scenarios {
namespace {

constexpr const char* names[] = {"clflush", "clflushopt", "clwb"};

}  // namespace

FlushTable::FlushTable(World& world, FlushCosts& costs) : world_{world}, costs_{costs} {
  auto& report = world.report();
  report.column("size", "B", "of the buffer");
  report.column("clflush", "ns", "a loop over its lines, and sfence");
  report.column("clflushopt", "ns", "the same");
  report.column("clwb", "ns", "the same");
  report.column("wbinvd", "ns", "one instruction, in a driver");
  report.column("clflush_line", "ns", "of one line");
  report.column("snooped_read", "ns",
                "mean of a device's reads that look at the caches, before a flush");
  report.column("no_snoop_read", "ns", "of those that go past them, after a clflush loop");
  report.column("cheapest", "",
                "for the core that flushes; wbinvd needs ring 0, flushes what all others have in "
                "the last level, and slows them down: see wbinvd-cost");
}

void FlushTable::add(std::uint64_t bytes) {
  const auto& line = lines_.emplace_back(Line{bytes, costs_.measure(bytes)});
  const auto& loop = line.result.loop;
  const auto best = std::min_element(loop.begin(), loop.end());
  world_.report().row(
      fmt::format("{} KiB", bytes >> 10),
      {{"size", bytes},
       {"clflush", loop[0]},
       {"clflushopt", loop[1]},
       {"clwb", loop[2]},
       {"wbinvd", line.result.wbinvd},
       {"clflush_line", line.line(LineFlush::clflush)},
       {"snooped_read", line.result.snooped_read},
       {"no_snoop_read", line.result.no_snoop_read},
       {"cheapest", line.result.wbinvd < *best ? "wbinvd" : names[best - loop.begin()]}});
}

template <class Predicate>
bool FlushTable::all(Predicate predicate) const {
  return std::all_of(lines_.begin(), lines_.end(), predicate);
}

void FlushTable::add_crossovers() {
  for (std::size_t n = 0; n < line_flushes; ++n) {
    const auto first = std::find_if(lines_.begin(), lines_.end(), [n](const Line& line) {
      return line.result.wbinvd < line.result.loop[n];
    });
    world_.report().metric(
        fmt::format("crossover_{}", names[n]), first == lines_.end() ? Cell{} : Cell{first->bytes},
        "B", fmt::format("first size at which wbinvd is cheaper than {}, if any", names[n]));
  }
}

void FlushTable::claim() {
  add_crossovers();
  claim_linear();
  claim_wbinvd();
  claim_device();
}

// A line that the core's own caches hold is asked for too: a buffer of 4 times their size has few.
void FlushTable::claim_linear() {
  auto& report = world_.report();
  const auto& cache = world_.machine().description().cache;
  const auto& largest = lines_.back();
  const auto beyond = std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) {
    return line.bytes >= 4 * cache.l2.capacity.count;
  });
  const auto as_largest = [cost = largest.line(LineFlush::clflush)](const Line& line) {
    const auto mine = line.line(LineFlush::clflush);
    return mine * 10 <= cost * 11 && cost * 10 <= mine * 11;
  };
  if (lines_.end() - beyond >= 2) {
    const auto text = config::Text<Bytes>::print;
    report.claim(
        "a clflush costs the same in every buffer beyond the core's own caches, within 10 %",
        std::all_of(beyond, lines_.end(), as_largest),
        fmt::format("{} to {}; the last level has {}", text({beyond->bytes}), text({largest.bytes}),
                    text(cache.llc.capacity)));
  }
  report.claim("clflushopt is not dearer than clflush",
               all([](const Line& line) { return line.result.loop[1] <= line.result.loop[0]; }));
}

void FlushTable::claim_wbinvd() {
  const auto& cache = world_.machine().description().cache;
  const auto& largest = lines_.back().result;
  if (cache.flush.tag_scan * tags_of_slice(cache.llc) > largest.loop[0]) return;
  world_.report().claim(
      "for the largest buffer wbinvd is cheaper than clflush", largest.wbinvd < largest.loop[0],
      fmt::format("{} and {} ns", to_text(Cell{largest.wbinvd}), to_text(Cell{largest.loop[0]})));
}

void FlushTable::claim_device() {
  auto& report = world_.report();
  const auto& machine = world_.machine().description();
  report.claim("after every way of flushing a no-snoop device reads what was stored",
               all([](const Line& line) { return line.result.arrived; }));
  const auto hop = machine.sockets > 1 ? machine.cache.home.hop : Picoseconds{};
  const auto most = machine.cache.llc.lookup + machine.cache.llc.snoop + hop;
  report.claim("a snooped read takes at most a lookup and a snoop longer than a no-snoop read",
               all([=](const Line& line) {
                 return line.result.snooped_read <= line.result.no_snoop_read + most;
               }));
}

}  // namespace ioasim::scenarios
