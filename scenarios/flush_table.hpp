// The rows of flush-crossover, and what is claimed of them.
#pragma once

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
  struct Line {
    std::uint64_t bytes;
    FlushResult result;

    // Of one line, in a loop over the buffer.
    Picoseconds line(LineFlush instruction) const {
      return result.loop[static_cast<std::size_t>(instruction)] /
             static_cast<std::int64_t>(bytes / line_bytes);
    }
  };

  template <class Predicate>
  bool all(Predicate predicate) const;
  void add_crossovers();
  void claim_linear();
  void claim_wbinvd();
  void claim_device();

  World& world_;
  FlushCosts& costs_;
  std::vector<Line> lines_;
};

}  // namespace ioasim::scenarios
