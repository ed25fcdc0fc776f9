#include "base/format.hpp"

#include <fmt/format.h>

namespace ioasim {

std::string to_text(RequesterId id) {
  return fmt::format("0000:{:02x}:{:02x}.{}", id.bus(), id.device(), id.function());
}

}  // namespace ioasim
