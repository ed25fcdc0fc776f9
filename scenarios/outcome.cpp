#include "scenarios/outcome.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "scenarios/table.hpp"

namespace ioasim::scenarios {
namespace {

constexpr std::string_view bold = "\033[1m";
constexpr std::string_view green = "\033[32m";
constexpr std::string_view red = "\033[1;31m";
constexpr std::string_view plain = "\033[0m";

std::string paint(std::string_view text, std::string_view code, TextStyle style) {
  return style.colour ? fmt::format("{}{}{}", code, text, plain) : std::string{text};
}

bool is_number(const Cell& cell) {
  return std::holds_alternative<std::int64_t>(cell.value()) ||
         std::holds_alternative<Decimal>(cell.value());
}

std::string shown_unit(const std::string& unit) { return unit == "1" ? std::string{} : unit; }

// As programs that read such files expect it.
std::string csv_value(const Cell& cell) {
  if (std::holds_alternative<std::monostate>(cell.value())) return {};
  const bool* truth = std::get_if<bool>(&cell.value());
  if (!truth) return to_text(cell);
  return *truth ? "true" : "false";
}

std::string rows_as_text(const Report& report) {
  std::vector<Align> aligns{Align::left};
  Cells heads{"name"};
  Cells units{""};
  for (std::size_t i = 0; i < report.columns().size(); ++i) {
    const Column& column = report.columns()[i];
    const bool numbers = std::any_of(report.rows().begin(), report.rows().end(),
                                     [i](const Row& row) { return is_number(row.cells[i]); });
    aligns.push_back(numbers ? Align::right : Align::left);
    heads.push_back(column.name);
    units.push_back(shown_unit(column.unit));
  }
  std::vector<Cells> lines{heads};
  const bool any_unit = std::any_of(units.begin(), units.end(),
                                    [](const std::string& unit) { return !unit.empty(); });
  if (any_unit) lines.push_back(units);
  for (const Row& row : report.rows()) {
    Cells line{row.name};
    for (const Cell& cell : row.cells) line.push_back(to_text(cell));
    lines.push_back(std::move(line));
  }
  return aligned(lines, aligns);
}

std::string columns_as_text(const Report& report) {
  std::vector<Cells> lines;
  for (const Column& column : report.columns()) lines.push_back({column.name, column.doc});
  return aligned(lines, {Align::left, Align::left});
}

// The same reader lacked the same operation.
bool alike(const StaleRead& a, const StaleRead& b) {
  return std::all_of(a.values.begin(), a.values.end(), [&](const auto& value) {
    const auto& [name, what] = value;
    if (name != "reader" && name != "missing") return true;
    return std::find(b.values.begin(), b.values.end(), value) != b.values.end();
  });
}

// Why reads were stale: the first of each kind, of the first few kinds.
std::string stale_reads_as_text(const Report& report) {
  constexpr std::size_t shown = 5;
  struct Kind {
    const StaleRead* first;
    std::size_t reads;
  };
  std::vector<Kind> kinds;
  for (const StaleRead& read : report.stale_reads()) {
    const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                   [&](const Kind& one) { return alike(*one.first, read); });
    if (kind != kinds.end()) {
      ++kind->reads;
    } else {
      kinds.push_back({&read, 1});
    }
  }
  if (kinds.size() > shown) kinds.resize(shown);
  std::string text;
  auto others = report.stale_reads_seen();
  for (const auto& [first, reads] : kinds) {
    text += first->text;
    text += reads > 1 ? fmt::format("; and {} alike\n", reads - 1) : "\n";
    others -= reads;
  }
  if (others > 0) text += fmt::format("and {} more\n", others);
  return text;
}

std::string metrics_as_text(const Report& report, TextStyle style) {
  std::vector<Cells> lines;
  for (const Metric& metric : report.metrics()) {
    lines.push_back({metric.name, to_text(metric.value), shown_unit(metric.unit),
                     style.quiet ? std::string{} : metric.doc});
  }
  return aligned(lines, {Align::left, Align::right, Align::left, Align::left});
}

std::string claims_as_text(const Report& report, TextStyle style) {
  std::string text;
  for (const Claim& claim : report.claims()) {
    text += claim.held ? paint("held  ", green, style) : paint("FAILED", red, style);
    text += "  " + claim.text;
    if (!claim.detail.empty()) text += " (" + claim.detail + ")";
    text += "\n";
  }
  return text;
}

}  // namespace

std::string to_text(const Outcome& outcome, TextStyle style) {
  const Report& report = outcome.report;
  std::string text;
  const auto part = [&](const std::string& more) {
    if (!more.empty()) text += (text.empty() ? "" : "\n") + more;
  };
  if (!style.quiet) {
    part(paint(outcome.question, bold, style) + "\n" +
         fmt::format("scenario {}, platform {}, seed {}, simulated time {} ns, output hash {}\n",
                     outcome.scenario, outcome.platform, outcome.seed,
                     to_text(nanoseconds(outcome.sim_time)), output_hash(outcome)));
  }
  if (!report.rows().empty()) part(rows_as_text(report));
  if (!style.quiet) {
    if (!report.rows().empty()) part(columns_as_text(report));
    part(stale_reads_as_text(report));
  }
  part(metrics_as_text(report, style));
  part(claims_as_text(report, style));
  return text;
}

std::string to_csv(const Outcome& outcome) {
  Cells heads{"name"};
  for (const Column& column : outcome.report.columns()) {
    const auto unit = shown_unit(column.unit);
    heads.push_back(unit.empty() ? column.name : fmt::format("{} ({})", column.name, unit));
  }
  std::vector<Cells> lines{heads};
  for (const Row& row : outcome.report.rows()) {
    Cells line{row.name};
    for (const Cell& cell : row.cells) line.push_back(csv_value(cell));
    lines.push_back(std::move(line));
  }
  return csv(lines);
}

}  // namespace ioasim::scenarios
