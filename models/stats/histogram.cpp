#include "stats/histogram.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace ioasim::stats {

std::uint64_t Histogram::low_of(std::size_t bucket) {
  if (bucket < fine) return bucket;
  const auto shift = bucket / fine - 1;
  return static_cast<std::uint64_t>(fine + bucket % fine) << shift;
}

std::uint64_t Histogram::high_of(std::size_t bucket) {
  if (bucket == bucket_count - 1) return std::numeric_limits<std::uint64_t>::max();
  return low_of(bucket + 1) - 1;
}

std::uint64_t Histogram::percentile(std::uint64_t parts, std::uint64_t whole) const {
  CHECK(parts <= whole && whole > 0);
  if (count_ == 0) return 0;
  // The rank, rounded up; split so that the product cannot overflow.
  const std::uint64_t rank = std::max<std::uint64_t>(
      1, count_ / whole * parts + (count_ % whole * parts + whole - 1) / whole);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
    seen += buckets_[bucket];
    if (seen < rank) continue;
    const auto low = std::max(low_of(bucket), min_);
    const auto high = std::min(high_of(bucket), max_);
    return low + (high - low) / 2;
  }
  UNREACHABLE();
}

Histogram& Histogram::operator+=(const Histogram& more) {
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
    buckets_[bucket] += more.buckets_[bucket];
  }
  count_ += more.count_;
  sum_ += more.sum_;
  min_ = std::min(min_, more.min_);
  max_ = std::max(max_, more.max_);
  return *this;
}

Histogram Histogram::operator-(const Histogram& before) const {
  CHECK(before.count_ <= count_);
  Histogram since;
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
    since.buckets_[bucket] = buckets_[bucket] - before.buckets_[bucket];
    if (since.buckets_[bucket] == 0) continue;
    since.min_ = std::min(since.min_, std::max(low_of(bucket), min_));
    since.max_ = std::max(since.max_, std::min(high_of(bucket), max_));
  }
  since.count_ = count_ - before.count_;
  since.sum_ = sum_ - before.sum_;
  return since;
}

}  // namespace ioasim::stats
