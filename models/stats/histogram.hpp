// The distribution of a non-negative integer, a latency in picoseconds say.
//
// Buckets are exact below 16 and a sixteenth of a power of two wide above, so a percentile is off
// by less than a thirty-second of its value; count, sum, min and max are exact. From 2^48 (281 s in
// picoseconds) on all values share one bucket.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace ioasim::stats {

class Histogram {
 public:
  void sample(std::uint64_t value) {
    ++buckets_[bucket_of(value)];
    ++count_;
    sum_ += value;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }
  // Of an empty histogram, 0.
  std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  std::uint64_t max() const { return max_; }
  std::uint64_t mean() const { return count_ == 0 ? 0 : sum_ / count_; }

  // The value that `parts` of `whole` samples do not exceed: percentile(99, 100).
  std::uint64_t percentile(std::uint64_t parts, std::uint64_t whole) const;

  Histogram& operator+=(const Histogram& more);
  // What was sampled since `before`, an earlier copy of this histogram. Of the difference, min
  // and max are as exact as a bucket.
  Histogram operator-(const Histogram& before) const;
  bool operator==(const Histogram&) const = default;

 private:
  static constexpr unsigned fine_bits = 4;
  static constexpr unsigned value_bits = 48;
  static constexpr std::size_t fine = std::size_t{1} << fine_bits;
  static constexpr std::size_t bucket_count = (value_bits - fine_bits + 1) * fine + 1;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < fine) return static_cast<std::size_t>(value);
    const auto width = static_cast<unsigned>(std::bit_width(value));
    if (width > value_bits) return bucket_count - 1;
    const unsigned shift = width - 1 - fine_bits;
    return (shift + 1) * fine + static_cast<std::size_t>((value >> shift) - fine);
  }
  static std::uint64_t low_of(std::size_t bucket);
  static std::uint64_t high_of(std::size_t bucket);

  std::array<std::uint64_t, bucket_count> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ = 0;
};

}  // namespace ioasim::stats
