// The rows of flush-crossover, and what is claimed of them.
#pragma once

#include <array>
#include <vector>

#include "scenarios/flush_costs.hpp"

namespace ioasim::scenarios {

class FlushTable {
 public:
  // Adds its columns.
  FlushTable(World& world, FlushCosts& costs);

  // Measures a buffer and adds its row; sizes come in rising order.
  void add(std::uint64_t bytes);
  void claim();

 private:
  static constexpr std::size_t line_flushes = 3;  // clflush, clflushopt, clwb

  struct Line {
    std::uint64_t bytes;
    std::array<Picoseconds, line_flushes> loop;
    Picoseconds wbinvd;
    Picoseconds snooping;  // of all lines together
  };

  void add_crossovers();

  World& world_;
  FlushCosts& costs_;
  std::vector<Line> lines_;
};

}  // namespace ioasim::scenarios
