// What a scenario answers: rows of figures, metrics, and claims that are held or not.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.hpp"
#include "base/time.hpp"

namespace ioasim::scenarios {

// mantissa / 10^digits: figures stay exact, and the same with every compiler and library.
struct Decimal {
  std::int64_t mantissa = 0;
  unsigned digits = 0;

  bool operator==(const Decimal&) const = default;
};

// In plain notation, without trailing zeros: "0.98".
std::string to_text(Decimal value);

Decimal nanoseconds(Picoseconds time);

// numerator / denominator, rounded half up; 0 if the denominator is.
Decimal ratio(std::uint64_t numerator, std::uint64_t denominator, unsigned digits = 3);

// One value of a row, or none. A time becomes nanoseconds.
class Cell {
 public:
  using Value = std::variant<std::monostate, std::string, bool, std::int64_t, Decimal>;

  Cell() = default;  // no value: "-" in text, nothing in CSV, null in JSON
  Cell(std::string_view text) : value_{std::string{text}} {}
  Cell(std::string text) : value_{std::move(text)} {}
  Cell(const char* text) : value_{std::string{text}} {}
  Cell(Decimal number) : value_{number} {}
  Cell(Picoseconds time) : value_{nanoseconds(time)} {}
  template <class Other>
  Cell(const std::optional<Other>& other) {
    if (other) value_ = Cell{*other}.value_;
  }
  Cell(std::same_as<bool> auto truth) : value_{truth} {}
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) Cell(Number number)
      : value_{static_cast<std::int64_t>(number)} {
    CHECK(std::in_range<std::int64_t>(number));
  }

  const Value& value() const { return value_; }
  bool operator==(const Cell&) const = default;

 private:
  Value value_;
};

std::string to_text(const Cell& cell);

struct Column {
  std::string name;
  std::string unit;  // "1" of a pure number; empty of text and truth values
  std::string doc;
};

// Its cells are in the order of the columns.
struct Row {
  std::string name;
  std::vector<Cell> cells;
};

struct Metric {
  std::string name;
  Cell value;
  std::string unit;
  std::string doc;
};

struct Claim {
  std::string text;
  bool held = false;
  std::string detail;  // the figures that decide it
};

// A read of a value older than the newest, as a sentence and as named values.
struct StaleRead {
  std::string text;
  std::vector<std::pair<std::string, Cell>> values;
};

// Columns come before rows. Names are unique; each row has a cell for every column.
class Report {
 public:
  void column(std::string name, std::string unit, std::string doc);
  void row(std::string name, std::vector<std::pair<std::string_view, Cell>> cells);
  void metric(std::string name, Cell value, std::string unit, std::string doc);
  void claim(std::string text, bool held, std::string detail = {});
  // The first stale_reads_kept of them are kept.
  void stale_read(StaleRead stale);

  static constexpr std::size_t stale_reads_kept = 100;

  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<Metric>& metrics() const { return metrics_; }
  const std::vector<Claim>& claims() const { return claims_; }
  const std::vector<StaleRead>& stale_reads() const { return stale_reads_; }
  std::uint64_t stale_reads_seen() const { return stale_reads_seen_; }

  // The value in a row that is there.
  const Cell& at(std::string_view row, std::string_view column) const;
  bool all_held() const;

 private:
  std::vector<Column> columns_;
  std::vector<Row> rows_;
  std::vector<Metric> metrics_;
  std::vector<Claim> claims_;
  std::vector<StaleRead> stale_reads_;
  std::uint64_t stale_reads_seen_ = 0;
};

}  // namespace ioasim::scenarios
