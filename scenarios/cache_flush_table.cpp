#include "scenarios/cache_flush_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/quantity.hpp"

namespace ioasim::scenarios {
namespace {

Cell where(const CacheFlushCase& what) {
  return !what.neighbour ? Cell{} : what.far ? "other socket" : "same socket";
}

std::string name_of(const CacheFlushCase& what) {
  return fmt::format("{}, {} stored, {}, {}", what.invalidate ? "wbinvd" : "wbnoinvd",
                     config::Text<Bytes>::print({what.stored}),
                     what.cores == 1 ? "one core" : fmt::format("{} cores", what.cores),
                     what.neighbour ? to_text(where(what)) : "alone");
}

}  // namespace

CacheFlushTable::CacheFlushTable(Report& report, CacheFlushExperiment& experiment)
    : report_{report}, experiment_{experiment} {
  report.column("instruction", "", "that the cores execute");
  report.column("cores", "1", "that flush at once");
  report.column("dirty_lines", "1", "that the stores left in the caches, newer than memory");
  report.column("duration", "ns", "of the flush");
  report.column("bound", "ns",
                "the longer of writing the dirty lines at full bandwidth and looking at all tags");
  report.column("lines_written", "1", "by the flush");
  report.column("neighbour", "", "a core that loads from the last level and does not flush");
  report.column("load_before", "ns", "mean latency of its loads before the flush");
  report.column("load_during", "ns", "mean latency of those that it began meanwhile");
  report.column("slowdown", "1", "of the two");
  report.column("lost", "ns", "what these loads took longer, all together");
  report.column("refills", "1", "of its lines that it missed from the begin of the flush on");
}

void CacheFlushTable::add(const CacheFlushCase& what) {
  const auto result = experiment_.measure(what);
  const auto bound = experiment_.bound(result.dirty_lines, what.cores);
  const auto of_neighbour = [&](Cell cell) { return what.neighbour ? std::move(cell) : Cell{}; };
  const auto count = [](Picoseconds time) { return static_cast<std::uint64_t>(time.count()); };
  report_.row(name_of(what),
              {{"instruction", what.invalidate ? "wbinvd" : "wbnoinvd"},
               {"cores", what.cores},
               {"dirty_lines", result.dirty_lines},
               {"duration", result.duration},
               {"bound", bound},
               {"lines_written", result.lines_written},
               {"neighbour", where(what)},
               {"load_before", of_neighbour(result.before)},
               {"load_during", of_neighbour(result.during)},
               {"slowdown", of_neighbour(ratio(count(result.during), count(result.before)))},
               {"lost", of_neighbour(result.lost)},
               {"refills", of_neighbour(result.refills)}});
  lines_.push_back({what, result, bound});
}

template <class Predicate>
bool CacheFlushTable::all(Predicate predicate) const {
  return std::all_of(lines_.begin(), lines_.end(), predicate);
}

void CacheFlushTable::claim() {
  report_.claim("a flush writes exactly the lines that are dirty", all([](const Line& line) {
                  return line.result.lines_written == line.result.dirty_lines &&
                         line.result.writebacks == line.result.dirty_lines;
                }));
  report_.claim("a flush takes at least the bound",
                all([](const Line& line) { return line.result.duration >= line.bound; }));
  if (experiment_.writes_at_full_bandwidth()) {
    const auto own = experiment_.own_scan();
    report_.claim(
        "and at most 1.1 x the bound plus the scan of the core's own level 2",
        all([=](const Line& line) { return line.result.duration <= line.bound * 11 / 10 + own; }));
  }
  // Where looking at tags takes longest, a neighbour's loads decide the rest.
  const auto slower_than_shorter_bounds = [this](const Line& line) {
    return all([&](const Line& other) {
      if (other.what.cores != line.what.cores) return true;
      return other.bound >= line.bound || other.result.duration < line.result.duration;
    });
  };
  report_.claim("the longer the bound, the longer a flush by as many cores takes",
                all(slower_than_shorter_bounds));
  report_.claim("after wbnoinvd no neighbour misses a line", all([](const Line& line) {
                  return line.what.invalidate || line.result.refills == 0;
                }));
  report_.claim("after wbinvd a neighbour of the same socket misses lines",
                all([&](const Line& line) {
                  return !line.what.invalidate || !line.what.neighbour || line.what.far ||
                         line.result.refills > 0;
                }));
  if (std::none_of(lines_.begin(), lines_.end(), [](const Line& line) { return line.what.far; })) {
    return;
  }
  report_.claim(
      "a neighbour at the other socket misses no line, and is slowed down by less than 1 %",
      all([](const Line& line) {
        return !line.what.far ||
               (line.result.refills == 0 && line.result.during * 100 <= line.result.before * 101);
      }));
}

}  // namespace ioasim::scenarios
