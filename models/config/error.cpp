#include "config/error.hpp"

#include <fmt/format.h>

#include <utility>

namespace ioasim::config {
namespace {

std::string sentence(const Mistake& mistake) {
  std::string text = to_text(mistake.place);
  // "--set path=value" reads as the user typed it.
  if (!text.empty()) text += text == "--set" ? " " : ": ";
  if (!mistake.path.empty()) {
    text += mistake.path;
    if (!mistake.value.empty()) text += "=" + mistake.value;
    text += ": ";
  }
  return text + mistake.message;
}

}  // namespace

std::string to_text(const Place& place) {
  if (place.line == 0) return place.file;
  return fmt::format("{}:{}:{}", place.file, place.line, place.column);
}

ConfigError::ConfigError(Mistake mistake)
    : std::runtime_error{sentence(mistake)}, mistake_{std::move(mistake)} {}

}  // namespace ioasim::config
