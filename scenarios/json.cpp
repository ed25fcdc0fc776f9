#include "scenarios/json.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "scenarios/outcome.hpp"
#include "scenarios/version.hpp"

namespace ioasim::scenarios {
namespace {

using Json = nlohmann::ordered_json;

constexpr int schema = 1;
constexpr int indent = 2;

// A decimal of up to 15 digits has one double, whose shortest text is that decimal.
Json number(Decimal value) {
  const std::string text = to_text(value);
  if (text.find('.') == std::string::npos) return std::strtoll(text.c_str(), nullptr, 10);
  return std::strtod(text.c_str(), nullptr);
}

Json to_value(const Cell& cell) {
  struct Convert {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(const std::string& text) const { return text; }
    Json operator()(bool truth) const { return truth; }
    Json operator()(std::int64_t value) const { return value; }
    Json operator()(Decimal value) const { return number(value); }
  };
  return std::visit(Convert{}, cell.value());
}

Json rows_of(const Report& report) {
  Json rows = Json::array();
  for (const Row& row : report.rows()) {
    Json object{{"name", row.name}};
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      object[report.columns()[i].name] = to_value(row.cells[i]);
    }
    rows.push_back(std::move(object));
  }
  return rows;
}

Json stale_reads_of(const Report& report) {
  Json list = Json::array();
  for (const StaleRead& stale : report.stale_reads()) {
    Json object = Json::object();
    for (const auto& [name, value] : stale.values) object[name] = to_value(value);
    list.push_back(std::move(object));
  }
  return list;
}

// The result itself: without the version of what made it.
Json result_of(const Outcome& outcome) {
  const Report& report = outcome.report;
  Json columns = Json::array();
  for (const Column& column : report.columns()) {
    columns.push_back({{"name", column.name}, {"unit", column.unit}, {"doc", column.doc}});
  }
  Json metrics = Json::object();
  for (const Metric& metric : report.metrics()) {
    metrics[metric.name] = {
        {"value", to_value(metric.value)}, {"unit", metric.unit}, {"doc", metric.doc}};
  }
  Json claims = Json::array();
  for (const Claim& claim : report.claims()) {
    claims.push_back({{"text", claim.text}, {"held", claim.held}, {"detail", claim.detail}});
  }
  return {{"scenario", outcome.scenario},
          {"question", outcome.question},
          {"platform", outcome.platform},
          {"seed", outcome.seed},
          {"sim_time_ps", outcome.sim_time.count()},
          {"columns", std::move(columns)},
          {"rows", rows_of(report)},
          {"metrics", std::move(metrics)},
          {"claims", std::move(claims)},
          {"stale_reads", stale_reads_of(report)}};
}

// Names come from the user too (a platform's), and need not be valid UTF-8.
std::string dump(const Json& json, int width) {
  return json.dump(width, ' ', false, Json::error_handler_t::replace);
}

// FNV-1a.
std::string hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return fmt::format("{:016x}", hash);
}

}  // namespace

std::string output_hash(const Outcome& outcome) { return hash_of(dump(result_of(outcome), -1)); }

std::string to_json(const Outcome& outcome) {
  Json json{{"schema", schema}, {"version", version}};
  const Json result = result_of(outcome);
  for (const auto& [key, value] : result.items()) json[key] = value;
  json["output_hash"] = output_hash(outcome);
  return dump(json, -1) + "\n";
}

std::string to_json(const stats::Snapshot& snapshot) {
  struct Convert {
    Json operator()(std::uint64_t value) const { return value; }
    Json operator()(const stats::Distribution& d) const {
      return {{"count", d.count}, {"sum", d.sum}, {"min", d.min}, {"max", d.max},  {"mean", d.mean},
              {"p50", d.p50},     {"p90", d.p90}, {"p99", d.p99}, {"p999", d.p999}};
    }
    Json operator()(const stats::Occupancy& level) const {
      const Decimal mean{static_cast<std::int64_t>(level.mean_thousandths), 3};
      return {{"value", level.value}, {"max", level.max}, {"mean", number(mean)}};
    }
  };
  Json json = Json::object();
  for (const stats::Reading& reading : snapshot) {
    json[reading.path] = {{"value", std::visit(Convert{}, reading.value)},
                          {"unit", reading.unit},
                          {"doc", reading.doc}};
  }
  return dump(json, indent) + "\n";
}

std::string to_json(const RunFacts& facts) {
  const Json json{{"version", facts.version},
                  {"compiler", facts.compiler},
                  {"command_line", facts.command_line},
                  {"wall_seconds", facts.wall_seconds},
                  {"simulated_seconds_per_second", facts.simulated_seconds_per_second},
                  {"output_hash", facts.output_hash}};
  return dump(json, indent) + "\n";
}

std::string to_json(const std::vector<Cells>& rows) {
  Json json = Json::array();
  for (std::size_t r = 1; r < rows.size(); ++r) {
    Json object = Json::object();
    for (std::size_t i = 0; i < rows[r].size(); ++i) object[rows[0][i]] = rows[r][i];
    json.push_back(std::move(object));
  }
  return dump(json, indent) + "\n";
}

}  // namespace ioasim::scenarios
