// Results as JSON, beside that of an outcome.
#pragma once

#include <string>
#include <vector>

#include "scenarios/table.hpp"
#include "stats/registry.hpp"

namespace ioasim::scenarios {

// Path -> {value, unit, doc}; the value of a distribution or occupancy is an object.
std::string to_json(const stats::Snapshot& snapshot);

// How a run went on this host: no part of the result.
struct RunFacts {
  std::string version;
  std::string compiler;
  std::vector<std::string> command_line;
  double wall_seconds = 0;
  double simulated_seconds_per_second = 0;
  std::string output_hash;
};

std::string to_json(const RunFacts& facts);

// A list of objects, whose keys are the cells of the first row.
std::string to_json(const std::vector<Cells>& rows);

}  // namespace ioasim::scenarios
