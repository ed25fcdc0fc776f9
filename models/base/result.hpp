// A value or the reason why there is none. For what the modelled machine reports; never for
// mistakes of the user (ConfigError) or of ours (CHECK).
#pragma once

#include <utility>
#include <variant>

#include "base/check.hpp"

namespace ioasim {

template <class Value, class Error>
class [[nodiscard]] Result {
 public:
  Result(Value value) : state_{std::in_place_index<0>, std::move(value)} {}
  Result(Error error) : state_{std::in_place_index<1>, std::move(error)} {}

  explicit operator bool() const { return state_.index() == 0; }
  const Value& value() const {
    CHECK(state_.index() == 0);
    return *std::get_if<0>(&state_);
  }
  const Value& operator*() const { return value(); }
  const Value* operator->() const { return &value(); }
  const Error& error() const {
    CHECK(state_.index() == 1);
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<Value, Error> state_;
};

}  // namespace ioasim
