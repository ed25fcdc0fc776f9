// Structs of statistics as values: subtract two copies for what happened between them, add those
// of several modules. Written once, over the tables of fields.
#pragma once

#include <concepts>
#include <type_traits>

#include "base/fields.hpp"
#include "stats/counter.hpp"
#include "stats/histogram.hpp"
#include "stats/level.hpp"

namespace ioasim {

namespace stats {

template <class Value>
concept Statistic =
    std::same_as<Value, Counter> || std::same_as<Value, Histogram> || std::same_as<Value, Level>;

namespace detail {

template <class Value>
constexpr bool is_stats() {
  if constexpr (Statistic<Value>) {
    return true;
  } else if constexpr (HasFields<Value>) {
    return std::apply(
        [](const auto&... field) {
          return (is_stats<typename std::remove_cvref_t<decltype(field)>::value_type>() && ...);
        },
        Value::fields);
  } else {
    return false;
  }
}

}  // namespace detail

// A struct of statistics, or of such structs.
template <class Owner>
concept StatsStruct = HasFields<Owner> && detail::is_stats<Owner>();

// A copy in which every level counts the time up to `now`; take one before subtracting.
template <StatsStruct Owner>
Owner settled(Owner stats, Picoseconds now) {
  for_each_field<Owner>([&](const auto& field) {
    auto& member = stats.*field.member;
    using Member = std::remove_reference_t<decltype(member)>;
    if constexpr (StatsStruct<Member>) {
      member = settled(member, now);
    } else if constexpr (std::same_as<Member, Level>) {
      member.settle(now);
    }
  });
  return stats;
}

}  // namespace stats

template <stats::StatsStruct Owner>
Owner& operator+=(Owner& sum, const Owner& more) {
  for_each_field<Owner>([&](const auto& field) { sum.*field.member += more.*field.member; });
  return sum;
}

template <stats::StatsStruct Owner>
Owner operator-(const Owner& after, const Owner& before) {
  Owner since;
  for_each_field<Owner>(
      [&](const auto& field) { since.*field.member = after.*field.member - before.*field.member; });
  return since;
}

}  // namespace ioasim
