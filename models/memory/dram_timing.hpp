// When DRAM answers: channels that transfer one line at a time, in order of arrival.
//
// Models: line interleave over channels, bandwidth, queueing per channel, a fixed access latency.
// Does not model: banks, rows, refresh, read-write turnaround.
#pragma once

#include <algorithm>
#include <vector>

#include "base/address.hpp"
#include "memory/params.hpp"

namespace ioasim::memory {

class DramTiming {
 public:
  explicit DramTiming(const Params& params)
      : latency_{params.latency},
        line_time_{transfer_time(line_bytes, params.channel_bandwidth)},
        free_at_(params.channels) {}

  // One access to a line (whole or part) that reaches the controller at `at`; returns when its
  // data have been transferred. Calls come in order of arrival, up to the fixed lookup time of
  // the cache in front.
  Picoseconds access(Hpa address, Picoseconds at) {
    auto& free_at = free_at_[address.line() % free_at_.size()];
    const auto start = std::max(at, free_at);
    free_at = start + line_time_;
    return start + latency_ + line_time_;
  }

  Picoseconds line_time() const { return line_time_; }
  // When the busiest channel will have nothing left to transfer.
  Picoseconds idle_at() const { return *std::max_element(free_at_.begin(), free_at_.end()); }

 private:
  Picoseconds latency_;
  Picoseconds line_time_;
  std::vector<Picoseconds> free_at_;
};

}  // namespace ioasim::memory
