// A scenario's own parameters: a value of any struct with a table of fields, type-erased so that
// the runner can set, check and print it.
#pragma once

#include <any>
#include <utility>

#include "base/check.hpp"
#include "config/node.hpp"

namespace ioasim::scenarios {

class Parameters {
 public:
  template <HasFields Params>
  explicit Parameters(Params params) : value_{std::move(params)}, bind_{bind_as<Params>} {}

  template <HasFields Params>
  const Params& as() const {
    const auto* params = std::any_cast<Params>(&value_);
    CHECK(params != nullptr);
    return *params;
  }

  // Bound to this object, which must stay where it is while the node is in use.
  config::Node bind() { return bind_(value_); }

 private:
  template <class Params>
  static config::Node bind_as(std::any& value) {
    return config::bind("scenario", *std::any_cast<Params>(&value), "parameters of the scenario");
  }

  std::any value_;
  config::Node (*bind_)(std::any&);
};

struct NoParams {
  static constexpr std::tuple<> fields{};
};

template <HasFields Params = NoParams>
Parameters parameters_of() {
  return Parameters{Params{}};
}

}  // namespace ioasim::scenarios
