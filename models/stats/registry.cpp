#include "stats/registry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace ioasim::stats {
namespace {

template <class... Visit>
struct Overloaded : Visit... {
  using Visit::operator()...;
};
template <class... Visit>
Overloaded(Visit...) -> Overloaded<Visit...>;

std::string unit_of(std::string_view path) {
  const auto name = path.substr(path.rfind('.') + 1);
  if (name.ends_with("_ps")) return "ps";
  if (name == "bytes" || name.ends_with("_bytes")) return "B";
  return "1";
}

Distribution read_histogram(const Histogram& histogram) {
  return {.count = histogram.count(),
          .sum = histogram.sum(),
          .min = histogram.min(),
          .max = histogram.max(),
          .mean = histogram.mean(),
          .p50 = histogram.percentile(50, 100),
          .p90 = histogram.percentile(90, 100),
          .p99 = histogram.percentile(99, 100),
          .p999 = histogram.percentile(999, 1000)};
}

Occupancy read_level(const Level& level, Picoseconds now) {
  const auto duration = static_cast<std::uint64_t>(now.count());
  const std::uint64_t integral = level.integral(now);
  // Split so that the product cannot overflow for any time that a simulation reaches.
  const std::uint64_t mean =
      duration == 0 ? 0 : integral / duration * 1000 + integral % duration * 1000 / duration;
  return {.value = level.value(), .max = level.max(), .mean_thousandths = mean};
}

// One printed line: its path, value and unit.
struct Line {
  std::string path;
  std::string value;
  std::string unit;
  std::string doc;
};

std::vector<Line> lines_of(const Reading& reading) {
  std::vector<Line> lines;
  const auto part = [&](std::string_view name, std::string value, const std::string& unit) {
    lines.push_back(
        {fmt::format("{}.{}", reading.path, name), std::move(value), unit, reading.doc});
  };
  std::visit(
      Overloaded{
          [&](std::uint64_t value) {
            lines.push_back({reading.path, std::to_string(value), reading.unit, reading.doc});
          },
          [&](const Distribution& d) {
            part("count", std::to_string(d.count), "1");
            for (const auto& [name, value] : {std::pair{"sum", d.sum},
                                              {"min", d.min},
                                              {"max", d.max},
                                              {"mean", d.mean},
                                              {"p50", d.p50},
                                              {"p90", d.p90},
                                              {"p99", d.p99},
                                              {"p999", d.p999}}) {
              part(name, std::to_string(value), reading.unit);
            }
          },
          [&](const Occupancy& level) {
            part("value", std::to_string(level.value), reading.unit);
            part("max", std::to_string(level.max), reading.unit);
            part("mean",
                 fmt::format("{}.{:03}", level.mean_thousandths / 1000,
                             level.mean_thousandths % 1000),
                 reading.unit);
          }},
      reading.value);
  return lines;
}

}  // namespace

Snapshot Registry::read(Picoseconds now) const {
  Snapshot snapshot;
  for (const Entry& entry : entries_) {
    Reading reading{.path = entry.path,
                    .unit = unit_of(entry.path),
                    .doc = std::string{entry.doc},
                    .value = {}};
    std::visit(
        Overloaded{[&](const Counter* counter) { reading.value = counter->n; },
                   [&](const Histogram* histogram) { reading.value = read_histogram(*histogram); },
                   [&](const Level* level) { reading.value = read_level(*level, now); }},
        entry.source);
    snapshot.push_back(std::move(reading));
  }
  std::sort(snapshot.begin(), snapshot.end(),
            [](const Reading& a, const Reading& b) { return a.path < b.path; });
  const auto twice =
      std::adjacent_find(snapshot.begin(), snapshot.end(),
                         [](const Reading& a, const Reading& b) { return a.path == b.path; });
  CHECK(twice == snapshot.end());
  return snapshot;
}

std::string to_text(const Snapshot& snapshot) {
  std::vector<Line> lines;
  for (const Reading& reading : snapshot) {
    for (Line& line : lines_of(reading)) lines.push_back(std::move(line));
  }
  std::size_t path_width = 0;
  std::size_t value_width = 0;
  for (const Line& line : lines) {
    path_width = std::max(path_width, line.path.size());
    value_width = std::max(value_width, line.value.size());
  }
  std::string text;
  for (const Line& line : lines) {
    text += fmt::format("{:<{}}  {:>{}} {:<2}  {}\n", line.path, path_width, line.value,
                        value_width, line.unit, line.doc);
  }
  return text;
}

}  // namespace ioasim::stats
