#include "scenarios/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace ioasim::scenarios {
namespace {

__extension__ using Wide = unsigned __int128;

template <class Items>
auto find(Items& items, std::string_view name) {
  return std::find_if(items.begin(), items.end(),
                      [&](const auto& one) { return one.name == name; });
}

}  // namespace

std::string to_text(Decimal value) {
  const bool negative = value.mantissa < 0;
  const auto magnitude = negative ? 0 - static_cast<std::uint64_t>(value.mantissa)
                                  : static_cast<std::uint64_t>(value.mantissa);
  auto text = fmt::format("{:0{}}", magnitude, value.digits + 1);
  if (value.digits > 0) {
    text.insert(text.end() - static_cast<std::ptrdiff_t>(value.digits), '.');
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return negative && text != "0" ? fmt::format("-{}", text) : text;
}

Decimal nanoseconds(Picoseconds time) { return {time.count(), 3}; }

Decimal ratio(std::uint64_t numerator, std::uint64_t denominator, unsigned digits) {
  if (denominator == 0) return {};
  Wide scaled = numerator;
  for (unsigned n = 0; n < digits; ++n) scaled *= 10;
  const Wide rounded = (2 * scaled + denominator) / (Wide{2} * denominator);
  CHECK(rounded <= Wide{INT64_MAX});
  return {static_cast<std::int64_t>(rounded), digits};
}

std::string to_text(const Cell& cell) {
  struct Print {
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(bool truth) const { return truth ? "yes" : "no"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(Decimal number) const { return to_text(number); }
  };
  return std::visit(Print{}, cell.value());
}

void Report::column(std::string name, std::string unit, std::string doc) {
  CHECK(rows_.empty() && name != "name" && find(columns_, name) == columns_.end());
  columns_.push_back({std::move(name), std::move(unit), std::move(doc)});
}

void Report::row(std::string name, std::vector<std::pair<std::string_view, Cell>> cells) {
  CHECK(cells.size() == columns_.size() && find(rows_, name) == rows_.end());
  Row row{.name = std::move(name), .cells = {}};
  for (const Column& column : columns_) {
    const auto cell = std::find_if(cells.begin(), cells.end(),
                                   [&](const auto& one) { return one.first == column.name; });
    CHECK(cell != cells.end());
    row.cells.push_back(std::move(cell->second));
  }
  rows_.push_back(std::move(row));
}

void Report::metric(std::string name, Cell value, std::string unit, std::string doc) {
  CHECK(find(metrics_, name) == metrics_.end());
  metrics_.push_back({std::move(name), std::move(value), std::move(unit), std::move(doc)});
}

void Report::claim(std::string text, bool held, std::string detail) {
  claims_.push_back({std::move(text), held, std::move(detail)});
}

void Report::stale_read(StaleRead stale) {
  ++stale_reads_seen_;
  if (stale_reads_.size() < stale_reads_kept) stale_reads_.push_back(std::move(stale));
}

const Cell& Report::at(std::string_view row, std::string_view column) const {
  const auto r = find(rows_, row);
  const auto c = find(columns_, column);
  CHECK(r != rows_.end() && c != columns_.end());
  return r->cells[static_cast<std::size_t>(c - columns_.begin())];
}

bool Report::all_held() const {
  return std::all_of(claims_.begin(), claims_.end(), [](const Claim& claim) { return claim.held; });
}

}  // namespace ioasim::scenarios
