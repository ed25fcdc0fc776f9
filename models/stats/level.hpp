// How full something is over time: credits out, entries of a queue, requests in flight.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace ioasim::stats {

class Level {
 public:
  void set(Picoseconds at, std::uint64_t value) {
    settle(at);
    value_ = value;
    max_ = std::max(max_, value);
  }
  void add(Picoseconds at, std::uint64_t more) { set(at, value_ + more); }
  void take(Picoseconds at, std::uint64_t less) { set(at, value_ - less); }

  std::uint64_t value() const { return value_; }
  std::uint64_t max() const { return max_; }
  // Value times picoseconds, up to `now`. Divided by a duration it is the mean over it.
  std::uint64_t integral(Picoseconds now) const { return integral_ + pending(now); }

  // Counts the time since the last change, so that copies taken before and after can be subtracted.
  void settle(Picoseconds now) {
    integral_ += pending(now);
    since_ = std::max(since_, now);
  }

  // Of several levels together: the sum of values and integrals, the greatest max of one.
  Level& operator+=(const Level& more) {
    const auto later = std::max(since_, more.since_);
    settle(later);
    integral_ += more.integral(later);
    value_ += more.value_;
    max_ = std::max(max_, more.max_);
    return *this;
  }
  // The integral since `before`, an earlier copy, both settled. Value and max stay.
  Level operator-(const Level& before) const {
    Level since = *this;
    since.integral_ -= before.integral_;
    return since;
  }
  bool operator==(const Level&) const = default;

 private:
  std::uint64_t pending(Picoseconds now) const {
    return now > since_ ? value_ * static_cast<std::uint64_t>((now - since_).count()) : 0;
  }

  std::uint64_t value_ = 0;
  std::uint64_t max_ = 0;
  std::uint64_t integral_ = 0;
  Picoseconds since_{0};  // integral_ is complete up to here
};

}  // namespace ioasim::stats
