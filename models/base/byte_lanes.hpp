// Sixteen bytes handled at once: the fingerprints and the recency ranks of a cache set.
#pragma once

#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ioasim {

inline constexpr unsigned byte_lanes = 16;

#ifdef __SSE2__

// Bit i is set where lane i equals `value`.
inline std::uint32_t lanes_equal(const std::uint8_t* lanes, std::uint8_t value) {
  const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(lanes));
  const __m128i same = _mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(value)));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(same));
}

// Adds one to each lane below `rank` and makes the one at `rank` 0. Lanes hold at most 127.
inline void lanes_to_front(std::uint8_t* lanes, std::uint8_t rank) {
  auto* at = reinterpret_cast<__m128i*>(lanes);
  const __m128i all = _mm_load_si128(at);
  const __m128i ranks = _mm_set1_epi8(static_cast<char>(rank));
  const __m128i raised = _mm_sub_epi8(all, _mm_cmpgt_epi8(ranks, all));
  _mm_store_si128(at, _mm_andnot_si128(_mm_cmpeq_epi8(ranks, all), raised));
}

// Subtracts one from each lane above `low` and below `high`. Lanes hold at most 127.
inline void lanes_lower_between(std::uint8_t* lanes, std::uint8_t low, std::uint8_t high) {
  auto* at = reinterpret_cast<__m128i*>(lanes);
  const __m128i all = _mm_load_si128(at);
  const __m128i above = _mm_cmpgt_epi8(all, _mm_set1_epi8(static_cast<char>(low)));
  const __m128i below = _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(high)), all);
  _mm_store_si128(at, _mm_add_epi8(all, _mm_and_si128(above, below)));
}

#else

inline std::uint32_t lanes_equal(const std::uint8_t* lanes, std::uint8_t value) {
  std::uint32_t same = 0;
  for (unsigned i = 0; i < byte_lanes; ++i) same |= std::uint32_t{lanes[i] == value} << i;
  return same;
}

inline void lanes_to_front(std::uint8_t* lanes, std::uint8_t rank) {
  for (unsigned i = 0; i < byte_lanes; ++i) {
    if (lanes[i] <= rank) lanes[i] = static_cast<std::uint8_t>(lanes[i] == rank ? 0 : lanes[i] + 1);
  }
}

inline void lanes_lower_between(std::uint8_t* lanes, std::uint8_t low, std::uint8_t high) {
  for (unsigned i = 0; i < byte_lanes; ++i) {
    lanes[i] = static_cast<std::uint8_t>(lanes[i] - (lanes[i] > low && lanes[i] < high));
  }
}

#endif

}  // namespace ioasim
