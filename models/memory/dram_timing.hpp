// When DRAM answers: channels that transfer one line at a time, in order of arrival.
//
// Models: sockets with channels of their own, line interleave over the channels of a socket,
// bandwidth, queueing per channel, a fixed access latency, refresh of a whole channel at a time.
// Does not model: banks, rows, refresh of single banks or put off by load, read-write turnaround.
#pragma once

#include <algorithm>
#include <vector>

#include "base/address.hpp"
#include "base/slice_hash.hpp"
#include "memory/params.hpp"
#include "memory/placement.hpp"

namespace ioasim::memory {

class DramTiming {
 public:
  explicit DramTiming(const Params& params, unsigned sockets = 1)
      : DramTiming{params, Placement{Hpa{params.capacity.count}, sockets}} {}
  DramTiming(const Params& params, Placement placement)
      : placement_{std::move(placement)},
        channels_{params.channels},
        interleave_{params.channels, 0},
        latency_{params.latency},
        line_time_{transfer_time(line_bytes, params.channel_bandwidth)},
        refresh_interval_{params.refresh_interval},
        refresh_time_{params.refresh_time},
        free_at_(std::size_t{params.channels} * placement_.sockets()) {}

  // One access to a line (whole or part) that reaches the controller at `at`; returns when its
  // data have been transferred. Calls come in order of arrival, up to the lookup of the cache in
  // front and the wait for its tag pipeline.
  Picoseconds access(Hpa address, Picoseconds at) {
    const auto socket = std::size_t{placement_.socket_of(address)};
    const auto channel = socket * channels_ + interleave_.of(address.line());
    auto start = std::max(at, free_at_[channel]);
    if (refresh_interval_.count() != 0) start = after_refresh(channel, start);
    free_at_[channel] = start + line_time_;
    return start + latency_ + line_time_;
  }

  Picoseconds line_time() const { return line_time_; }
  // When the busiest channel will have nothing left to transfer.
  Picoseconds idle_at() const { return *std::max_element(free_at_.begin(), free_at_.end()); }

 private:
  // Channel c of n is refreshed from interval * (c / n + k) on, for every whole k: controllers
  // stagger refreshes to spread their current. What began before is finished.
  Picoseconds after_refresh(std::size_t channel, Picoseconds start) const {
    const auto phase = refresh_interval_ * static_cast<std::int64_t>(channel) /
                       static_cast<std::int64_t>(free_at_.size());
    const auto since = (start + refresh_interval_ - phase) % refresh_interval_;
    return since < refresh_time_ ? start + refresh_time_ - since : start;
  }

  Placement placement_;
  unsigned channels_;     // of a socket
  SliceHash interleave_;  // over them: by all address bits, lest a stride meet one channel alone
  Picoseconds latency_;
  Picoseconds line_time_;
  Picoseconds refresh_interval_;
  Picoseconds refresh_time_;
  std::vector<Picoseconds> free_at_;  // each socket's channels, one socket after the other
};

}  // namespace ioasim::memory
