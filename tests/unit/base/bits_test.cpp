#include "base/bits.hpp"

#include <gmock/gmock.h>

#include <utility>

namespace ioasim {
namespace {

constexpr std::uint64_t words[]{0, ~0ull, 0x0123'4567'89ab'cdef, 0x8000'0000'0000'0001};

template <unsigned High, unsigned Low>
void check_field() {
  using Field = Bits<High, Low>;
  for (const auto word : words) {
    std::uint64_t value = 0;
    for (unsigned bit = Low; bit <= High; ++bit) value |= (word >> bit & 1u) << (bit - Low);
    ASSERT_EQ(Field::get(word), value) << High << ':' << Low;
    ASSERT_EQ(Field::test(word), value != 0) << High << ':' << Low;
    for (const auto content : words) {
      const auto set = Field::set(word, content);
      const auto of = Field::of(content);
      for (unsigned bit = 0; bit < 64; ++bit) {
        const bool inside = bit >= Low && bit <= High;
        const bool wanted = inside && (content >> (bit - Low) & 1u) != 0;
        ASSERT_EQ((of >> bit & 1u) != 0, wanted) << High << ':' << Low;
        ASSERT_EQ((set >> bit & 1u) != 0, inside ? wanted : (word >> bit & 1u) != 0)
            << High << ':' << Low;
      }
    }
  }
}

template <unsigned High, unsigned... Low>
void check_lows(std::integer_sequence<unsigned, Low...>) {
  (check_field<High, Low>(), ...);
}

// Each width from 1 to 64 at both ends of the word, and all fields that end at bit 31.
TEST(Bits, GetSetAndMakeExactlyTheirBits) {
  [&]<unsigned... High>(std::integer_sequence<unsigned, High...>) {
    (check_field<High, 0>(), ...);
    (check_field<63, High>(), ...);
    (check_field<High, High>(), ...);
  }
  (std::make_integer_sequence<unsigned, 64>{});
  check_lows<31>(std::make_integer_sequence<unsigned, 32>{});
}

TEST(Bits, ASingleBitNeedsOneNumber) {
  EXPECT_EQ(Bits<63>::mask, 1ull << 63);
  EXPECT_EQ(Bits<0>::mask, 1u);
  EXPECT_EQ((Bits<63, 0>::mask), ~0ull);
  EXPECT_EQ((Bits<15, 8>::max), 0xffu);
}

TEST(Bits, ExcessBitsAreCut) {
  EXPECT_EQ((Bits<7, 4>::of(0x1ff)), 0xf0u);
  EXPECT_EQ((Bits<7, 4>::set(0xff00, 0x12)), 0xff20u);
}

}  // namespace
}  // namespace ioasim
