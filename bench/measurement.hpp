// What one run of one benchmark yields. A run is a process of its own, because SystemC holds one
// simulation a process: ioasim_bench calls itself with --measure NAME --tlps N.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace ioasim::bench {

struct Measurement {
  std::uint64_t tlps = 0;      // in the timed part
  double seconds = 0;          // of CPU time, for them
  double events = 0;           // of the queue or the SystemC kernel, a TLP
  double latency_ns = 0;       // simulated, mean
  double iotlb_miss_rate = 0;  // of lookups
  double llc_miss_rate = 0;
};

// Counts requests, and takes the CPU time of those after the first `warm`.
class Meter {
 public:
  explicit Meter(std::uint64_t tlps) : last_{warm + tlps} {}

  // Whether one more request is to be sent; counts it.
  bool issue() {
    if (issued_ == last_) return false;
    ++issued_;
    return true;
  }
  void complete(Picoseconds latency) {
    ++completed_;
    if (completed_ == warm) begin_ = std::clock();
    if (completed_ <= warm) return;
    latency_ += latency;
    if (completed_ == last_) end_ = std::clock();
  }

  bool finished() const { return completed_ == last_; }
  // `events` of the whole run.
  Measurement result(std::uint64_t events) const {
    const auto timed = static_cast<double>(last_ - warm);
    return {.tlps = last_ - warm,
            .seconds = static_cast<double>(end_ - begin_) / CLOCKS_PER_SEC,
            .events = static_cast<double>(events) / static_cast<double>(last_),
            .latency_ns = static_cast<double>(latency_.count()) / 1e3 / timed};
  }

 private:
  static constexpr std::uint64_t warm = 20'000;

  std::uint64_t last_;
  std::uint64_t issued_ = 0;
  std::uint64_t completed_ = 0;
  Picoseconds latency_{};
  std::clock_t begin_{};
  std::clock_t end_{};
};

struct Subject {
  std::string_view name;
  std::string_view doc;
  std::uint64_t tlps;  // timed in one run
  Measurement (*run)(std::uint64_t tlps);
};

// The simplified path, in two architectures.
std::vector<Subject> textbook_subjects();
std::vector<Subject> clockwork_subjects();
// The whole machine, and its parts.
std::vector<Subject> chain_subjects();
// Accesses of software on cores.
std::vector<Subject> core_subjects();

}  // namespace ioasim::bench
