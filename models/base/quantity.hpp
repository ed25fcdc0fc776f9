// Quantities that are not times: each is a type, so that a size cannot be passed for a rate.
#pragma once

#include <compare>
#include <cstdint>

#include "base/time.hpp"

namespace ioasim {

struct Bytes {
  std::uint64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

struct Frequency {
  std::uint64_t hertz = 0;
  auto operator<=>(const Frequency&) const = default;
};

// Transfers per second and lane of a PCIe link, in units of 100 MT/s (2.5 GT/s is 25).
struct TransferRate {
  std::uint64_t hundred_mega = 0;
  auto operator<=>(const TransferRate&) const = default;
};

struct Bandwidth {
  std::uint64_t bytes_per_second = 0;
  auto operator<=>(const Bandwidth&) const = default;
};

inline namespace literals {

constexpr Bytes operator""_B(unsigned long long n) { return {n}; }
constexpr Bytes operator""_KiB(unsigned long long n) { return {n << 10}; }
constexpr Bytes operator""_MiB(unsigned long long n) { return {n << 20}; }
constexpr Bytes operator""_GiB(unsigned long long n) { return {n << 30}; }
constexpr Frequency operator""_MHz(unsigned long long n) { return {n * 1'000'000}; }
constexpr Bandwidth operator""_MBps(unsigned long long n) { return {n * 1'000'000}; }
constexpr Bandwidth operator""_GBps(unsigned long long n) { return {n * 1'000'000'000}; }
constexpr TransferRate operator""_GTps(unsigned long long n) { return {n * 10}; }

}  // namespace literals

// Time of `cycles` periods of `clock`, rounded up to a whole picosecond.
constexpr Picoseconds period(Frequency clock, std::uint64_t cycles = 1) {
  const auto picoseconds = cycles * 1'000'000'000'000ull;
  return Picoseconds{static_cast<std::int64_t>((picoseconds + clock.hertz - 1) / clock.hertz)};
}

// Time that `bytes` take at `rate`, rounded up to a whole picosecond.
// Exact for up to 18 MB in one piece.
constexpr Picoseconds transfer_time(std::uint64_t bytes, Bandwidth rate) {
  const auto scaled = bytes * 1'000'000'000'000ull;
  return Picoseconds{
      static_cast<std::int64_t>((scaled + rate.bytes_per_second - 1) / rate.bytes_per_second)};
}

}  // namespace ioasim
