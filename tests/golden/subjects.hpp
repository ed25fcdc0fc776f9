// Every scenario on every shipped machine that has the devices it needs.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "machine/shipped.hpp"
#include "scenarios/scenario.hpp"

namespace ioasim::test {

struct Subject {
  std::string scenario;
  std::string platform;
};

inline std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const auto& scenario : scenarios::scenarios()) {
    for (const auto& platform : machine::shipped()) {
      all.push_back({std::string{scenario.name}, std::string{platform.name}});
    }
  }
  return all;
}

// A name as GoogleTest allows it: "first_dma_server".
inline std::string name_of(const testing::TestParamInfo<Subject>& info) {
  auto name = info.param.scenario + "_" + info.param.platform;
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

inline void PrintTo(const Subject& subject, std::ostream* out) {
  *out << subject.scenario << " on " << subject.platform;
}

}  // namespace ioasim::test
