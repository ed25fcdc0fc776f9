// The machines that are part of the program: platforms/*.yaml.
#pragma once

#include <span>
#include <string_view>

namespace ioasim::machine {

struct Shipped {
  std::string_view name;
  std::string_view yaml;
};

// Sorted by name.
std::span<const Shipped> shipped();

}  // namespace ioasim::machine
