// Named bit fields of specification-defined words: "bits are named, never masked by a literal".
#pragma once

#include <cstdint>

namespace ioasim {

// Bits High:Low of a word, as specifications write them.
template <unsigned High, unsigned Low = High>
struct Bits {
  static_assert(High < 64 && Low <= High);

  static constexpr std::uint64_t max = High - Low == 63 ? ~0ull : (1ull << (High - Low + 1)) - 1;
  static constexpr std::uint64_t mask = max << Low;

  // The field's value, moved down to bit 0.
  static constexpr std::uint64_t get(std::uint64_t word) { return (word & mask) >> Low; }
  // A word that has the field set to `value` and all else zero; excess bits are cut.
  static constexpr std::uint64_t of(std::uint64_t value) { return (value << Low) & mask; }
  // `word` with the field replaced.
  static constexpr std::uint64_t set(std::uint64_t word, std::uint64_t value) {
    return (word & ~mask) | of(value);
  }
  static constexpr bool test(std::uint64_t word) { return (word & mask) != 0; }
};

}  // namespace ioasim
