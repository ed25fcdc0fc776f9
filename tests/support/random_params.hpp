// Random values for the parameters of the models, from their tables of fields.
#pragma once

#include <algorithm>

#include "base/fields.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"

namespace ioasim::test {

// Every switch by a coin; every time left alone, set to its least value, or multiplied by an eighth
// to eight, within its limits. Numbers that must agree with others are left alone.
template <HasFields Params>
void randomise(Params& params, Prng& random) {
  for_each_field<Params>([&](const auto& field) {
    auto& member = params.*field.member;
    using Member = std::remove_reference_t<decltype(member)>;
    if constexpr (HasFields<Member>) {
      randomise(member, random);
    } else if constexpr (std::is_same_v<Member, bool>) {
      member = random.one_in(2);
    } else if constexpr (std::is_same_v<Member, Picoseconds>) {
      const auto limits = field.limits.value_or(Limits<Picoseconds>{{}, forever});
      const auto draw = random.between(0, 9);
      if (draw < 3) return;
      const auto eighths = static_cast<std::int64_t>(1 << random.between(0, 6));
      member = draw == 3 ? limits.min : std::clamp(member * eighths / 8, limits.min, limits.max);
    }
  });
}

// A power of two.
inline unsigned power_of_two(Prng& random, unsigned least, unsigned most) {
  auto value = least;
  while (value < most && !random.one_in(3)) value *= 2;
  return value;
}

}  // namespace ioasim::test
