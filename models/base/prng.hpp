// Seeded random numbers: each module draws from its own stream, named by its path, so that
// adding a module does not move another's draws. Boost's engines and distributions give the same
// numbers with every compiler and library.
#pragma once

#include <boost/random/mersenne_twister.hpp>
#include <boost/random/uniform_int_distribution.hpp>
#include <cstdint>
#include <string_view>

namespace ioasim {

class Prng {
 public:
  Prng(std::uint64_t seed, std::string_view path) : engine_{seed ^ hash(path)} {}

  std::uint64_t next() { return engine_(); }
  // Uniform over [low, high], both included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return boost::random::uniform_int_distribution<std::uint64_t>{low, high}(engine_);
  }
  bool one_in(std::uint64_t n) { return between(1, n) == 1; }

 private:
  // FNV-1a.
  static constexpr std::uint64_t hash(std::string_view path) {
    std::uint64_t value = 0xcbf29ce484222325ull;
    for (const char c : path) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    return value;
  }

  boost::random::mt19937_64 engine_;
};

}  // namespace ioasim
