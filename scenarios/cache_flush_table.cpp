#include "scenarios/cache_flush_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ioasim::scenarios {
namespace {

std::string_view where(const CacheFlushCase& what) {
  return !what.neighbour ? "none" : what.far ? "other socket" : "same socket";
}

}  // namespace

CacheFlushTable::CacheFlushTable(Report& report, CacheFlushExperiment& experiment)
    : report_{report}, experiment_{experiment} {
  report.column("instruction", "", "that the cores execute");
  report.column("cores", "1", "that flush at once");
  report.column("dirty_lines", "1", "newer in caches than in memory when the flush begins");
  report.column("duration", "ns", "of the flush");
  report.column("bound", "ns",
                "the longer of writing the dirty lines at full bandwidth and looking at all tags");
  report.column("lines_written", "1", "by the flush");
  report.column("neighbour", "", "a core that loads from the last level and does not flush");
  report.column("load_before", "ns", "mean latency of its loads before the flush");
  report.column("load_during", "ns", "mean latency of those that it began meanwhile");
  report.column("slowdown", "1", "of the two");
  report.column("refills", "1", "of its lines that it missed from the begin of the flush on");
}

void CacheFlushTable::add(unsigned percent, const CacheFlushCase& what) {
  const auto result = experiment_.measure(what);
  const auto bound = experiment_.bound(result.dirty_lines, what.cores);
  const auto* instruction = what.invalidate ? "wbinvd" : "wbnoinvd";
  const auto count = [](Picoseconds time) { return static_cast<std::uint64_t>(time.count()); };
  report_.row(
      fmt::format("{}, {} % dirty, {}, neighbour: {}", instruction, percent,
                  what.cores == 1 ? "one core" : fmt::format("{} cores", what.cores), where(what)),
      {{"instruction", instruction},
       {"cores", what.cores},
       {"dirty_lines", result.dirty_lines},
       {"duration", result.duration},
       {"bound", bound},
       {"lines_written", result.lines_written},
       {"neighbour", where(what)},
       {"load_before", result.before},
       {"load_during", result.during},
       {"slowdown", ratio(count(result.during), count(result.before))},
       {"refills", result.refills}});
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
  const auto own = experiment_.own_scan();
  report_.claim(
      "a flush takes at least the bound, and less than a tenth and the scans of the "
      "cores' own caches more",
      all([=](const Line& line) {
        return line.result.duration >= line.bound &&
               line.result.duration <= line.bound * 11 / 10 + own;
      }));
  const auto slower_than_cleaner = [this](const Line& line) {
    return std::all_of(lines_.begin(), lines_.end(), [&](const Line& cleaner) {
      if (cleaner.what.invalidate != line.what.invalidate) return true;
      if (cleaner.what.cores != line.what.cores) return true;
      if (cleaner.what.neighbour != line.what.neighbour) return true;
      return cleaner.what.dirty_lines > line.what.dirty_lines ||
             cleaner.result.duration <= line.result.duration;
    });
  };
  report_.claim("what is dirtier takes no shorter", all(slower_than_cleaner));
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
