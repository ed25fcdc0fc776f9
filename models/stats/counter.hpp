// A number of things that have happened.
#pragma once

#include <compare>
#include <cstdint>

namespace ioasim::stats {

struct Counter {
  std::uint64_t n = 0;

  Counter& operator++() { return ++n, *this; }
  Counter& operator+=(std::uint64_t more) { return n += more, *this; }
  Counter& operator+=(const Counter& more) { return n += more.n, *this; }
  Counter operator-(const Counter& before) const { return {n - before.n}; }
  auto operator<=>(const Counter&) const = default;
};

}  // namespace ioasim::stats
