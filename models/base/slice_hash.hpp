// Which slice of a sliced cache holds a key: a function of every bit of it, so that runs and
// strides of keys come to all slices alike.
//
// Models: an even hash of whole keys. Does not model: the hash of any one processor.
#pragma once

#include <bit>
#include <cstdint>

#include "base/check.hpp"

namespace ioasim {

class SliceHash {
 public:
  static constexpr std::uint32_t slices_max = 64;

  // Within a slice, the low `index_bits` of a key choose its set.
  SliceHash(std::uint32_t slices, unsigned index_bits)
      : slices_{slices},
        digit_bits_{std::has_single_bit(slices) ? static_cast<unsigned>(std::countr_zero(slices))
                                                : 0},
        index_bits_{index_bits} {
    CHECK(slices >= 1 && slices <= slices_max && index_bits < 64);
  }

  std::uint32_t slices() const { return slices_; }

  std::uint32_t of(std::uint64_t key) const {
    if (digit_bits_ != 0) return folded(key);
    return slices_ == 1 ? 0 : spread(key);
  }

 private:
  // The exclusive or of the key's digits to the base `slices`. Any digit_bits_ neighbouring bits of
  // the key, the others fixed, meet each slice once: an aligned run of 2^n keys has 2^n / slices in
  // each, and one of as many keys as there are sets has one in each set of each slice.
  std::uint32_t folded(std::uint64_t key) const {
    for (auto shift = digit_bits_; shift < 64; shift *= 2) key ^= key >> shift;
    return static_cast<std::uint32_t>(key) & (slices_ - 1);
  }

  // Where the key's point on a circle falls: neighbouring sets lie the golden ratio of a turn
  // apart, neighbouring keys of one set the root of 21. Multiples of such badly approximable
  // numbers cover the circle evenly from the first few on, and together as well, for 1 and the two
  // are independent over the rationals (Weyl, Math. Ann. 77, 1916). Among small roots that of 21
  // stays even under strides of powers of two.
  std::uint32_t spread(std::uint64_t key) const {
    const auto above = key >> index_bits_;
    const auto index = key ^ above << index_bits_;
    const auto point = index * 0x9e3779b97f4a7c15ull + above * 0x9523ae4547a14ccdull;
    return static_cast<std::uint32_t>((point >> 32) * slices_ >> 32);
  }

  std::uint32_t slices_;
  unsigned digit_bits_;  // 0 unless slices_ is a power of two above 1
  unsigned index_bits_;
};

}  // namespace ioasim
