// Simulated time: integral picoseconds, everywhere.
#pragma once

#include <chrono>
#include <cstdint>

namespace ioasim {

// A duration, or an instant counted from the start of the simulation.
using Picoseconds = std::chrono::duration<std::int64_t, std::pico>;

// Later than anything that is ever scheduled.
inline constexpr Picoseconds forever{INT64_MAX};

inline namespace literals {

constexpr Picoseconds operator""_ps(unsigned long long n) {
  return Picoseconds{static_cast<std::int64_t>(n)};
}
constexpr Picoseconds operator""_ns(unsigned long long n) {
  return Picoseconds{static_cast<std::int64_t>(n * 1'000)};
}
constexpr Picoseconds operator""_us(unsigned long long n) {
  return Picoseconds{static_cast<std::int64_t>(n * 1'000'000)};
}
constexpr Picoseconds operator""_ms(unsigned long long n) {
  return Picoseconds{static_cast<std::int64_t>(n * 1'000'000'000)};
}

}  // namespace literals

}  // namespace ioasim
