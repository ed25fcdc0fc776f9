// A machine, a kernel and its policies from a seed, small enough to be crowded: caches of a few
// lines, few credits, few walkers.
#pragma once

#include <cstdint>

#include "scenarios/configuration.hpp"

namespace ioasim::test {

scenarios::Configuration random_configuration(std::uint64_t seed);

}  // namespace ioasim::test
