// The rows of wbinvd-cost, and what is claimed of them.
#pragma once

#include <vector>

#include "scenarios/cache_flush_experiment.hpp"

namespace ioasim::scenarios {

class CacheFlushTable {
 public:
  // Adds its columns.
  CacheFlushTable(Report& report, CacheFlushExperiment& experiment);

  // Measures a case and adds its row.
  void add(const CacheFlushCase& what);
  void claim();

 private:
  struct Line {
    CacheFlushCase what;
    CacheFlushResult result;
    Picoseconds bound;
  };

  template <class Predicate>
  bool all(Predicate predicate) const;

  Report& report_;
  CacheFlushExperiment& experiment_;
  std::vector<Line> lines_;
};

}  // namespace ioasim::scenarios
