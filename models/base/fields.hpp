// One table of fields per struct of parameters, statistics or trace events. It feeds YAML,
// --set, params, the documents, the dump beside a result and the random generator of the tests,
// so that no list of fields is ever kept twice.
//
//   struct Params {
//     unsigned entries = 128;
//     Picoseconds hit = 2_ns;
//
//     static constexpr auto fields = std::tuple{
//         Field{"entries", &Params::entries, "translations held [CAL-7]", Limits{1u, 65536u}},
//         Field{"hit", &Params::hit, "time of a lookup [CAL-5]"}};
//     void check(Problems&) const;  // optional: what two fields must agree on
//   };
//
// The sentence ends with the default's source in brackets, or with [model choice].
// A member left out of `fields` does not compile where the table is used.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace ioasim {

// Inclusive bounds of a number or quantity.
template <class Value>
struct Limits {
  Value min;
  Value max;
};
template <class Value>
Limits(Value, Value) -> Limits<Value>;

template <class Owner, class Value>
struct Field {
  using value_type = Value;

  std::string_view name;
  Value Owner::*member;
  std::string_view doc;
  std::optional<Limits<Value>> limits = std::nullopt;

  constexpr Field(std::string_view n, Value Owner::*m, std::string_view d)
      : name{n}, member{m}, doc{d} {}
  constexpr Field(std::string_view n, Value Owner::*m, std::string_view d, Limits<Value> l)
      : name{n}, member{m}, doc{d}, limits{l} {}
};

// One name of an enumeration that is a parameter: enum_names(Enum), found beside the enumeration,
// returns an array of these.
template <class Enum>
struct Named {
  Enum value;
  std::string_view name;
};
template <class Enum>
Named(Enum, std::string_view) -> Named<Enum>;

// What check() finds wrong: the field's name, relative to the struct, and what would be right.
struct Problem {
  std::string field;
  std::string message;
};
using Problems = std::vector<Problem>;

namespace detail {

// Converts to anything but Owner itself, to count the members of an aggregate.
template <class Owner>
struct AnyMember {
  template <class Value>
  requires(!std::is_same_v<std::remove_cvref_t<Value>, Owner>) operator Value() const;
};

template <class Owner, std::size_t... I>
constexpr bool constructible(std::index_sequence<I...>) {
  return requires { Owner{(static_cast<void>(I), AnyMember<Owner>{})...}; };
}

template <class Owner, std::size_t N = 0>
constexpr std::size_t member_count() {
  if constexpr (constructible<Owner>(std::make_index_sequence<N + 1>{})) {
    return member_count<Owner, N + 1>();
  } else {
    return N;
  }
}

}  // namespace detail

template <class Owner>
concept HasFields = requires {
  Owner::fields;
};

// Calls visit(field) for each entry of Owner::fields, in order.
template <HasFields Owner, class Visit>
constexpr void for_each_field(Visit&& visit) {
  static_assert(detail::member_count<Owner>() == std::tuple_size_v<decltype(Owner::fields)>,
                "a member is missing from `fields`");
  std::apply([&](const auto&... field) { (visit(field), ...); }, Owner::fields);
}

}  // namespace ioasim
