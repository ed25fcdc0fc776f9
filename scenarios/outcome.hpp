// The result of one run, and its forms. Nothing in it depends on the host.
#pragma once

#include <cstdint>
#include <string>

#include "scenarios/report.hpp"

namespace ioasim::scenarios {

struct Outcome {
  std::string scenario;
  std::string question;
  std::string platform;
  std::uint64_t seed = 1;
  Picoseconds sim_time{0};
  Report report{};
};

struct TextStyle {
  bool colour = false;
  bool quiet = false;  // the table, the metrics and the claims, without the prose
};

std::string to_text(const Outcome& outcome, TextStyle style);
// The rows alone.
std::string to_csv(const Outcome& outcome);
// One object, schema 1, on one line.
std::string to_json(const Outcome& outcome);

// 16 hexadecimal digits over all of the outcome: equal for equal results.
std::string output_hash(const Outcome& outcome);

}  // namespace ioasim::scenarios
