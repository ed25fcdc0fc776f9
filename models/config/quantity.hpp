// Values as the user writes them: quantities with their units, counts, switches, names.
//
// Text<Value> has parse(), which reads a value or says what would be right, print(), whose result
// parse() turns back into the same value, and unit, the word for what is measured.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/fields.hpp"
#include "base/quantity.hpp"
#include "base/result.hpp"
#include "config/nearest.hpp"

namespace ioasim::config {

// What is wrong with a text, and what would be right.
struct Wrong {
  std::string message;
  bool too_large = false;  // a value of its kind, but more than can be held
};

template <class Value>
using Parsed = Result<Value, Wrong>;

template <class Value>
struct Text;

template <>
struct Text<Picoseconds> {
  static constexpr std::string_view unit = "time";
  static Parsed<Picoseconds> parse(std::string_view text);
  static std::string print(Picoseconds value);
};

// KiB, MiB, GiB, TiB are powers of 1024; kB, MB, GB, TB of 1000.
template <>
struct Text<Bytes> {
  static constexpr std::string_view unit = "size";
  static Parsed<Bytes> parse(std::string_view text);
  static std::string print(Bytes value);
};

template <>
struct Text<Frequency> {
  static constexpr std::string_view unit = "frequency";
  static Parsed<Frequency> parse(std::string_view text);
  static std::string print(Frequency value);
};

template <>
struct Text<TransferRate> {
  static constexpr std::string_view unit = "transfer rate";
  static Parsed<TransferRate> parse(std::string_view text);
  static std::string print(TransferRate value);
};

template <>
struct Text<Bandwidth> {
  static constexpr std::string_view unit = "bandwidth";
  static Parsed<Bandwidth> parse(std::string_view text);
  static std::string print(Bandwidth value);
};

template <>
struct Text<bool> {
  static constexpr std::string_view unit = "switch";
  static Parsed<bool> parse(std::string_view text);
  static std::string print(bool value) { return value ? "true" : "false"; }
};

// Decimal, or hexadecimal with 0x.
template <>
struct Text<std::uint64_t> {
  static constexpr std::string_view unit = "count";
  static Parsed<std::uint64_t> parse(std::string_view text);
  static std::string print(std::uint64_t value) { return std::to_string(value); }
};

template <>
struct Text<unsigned> {
  static constexpr std::string_view unit = "count";
  static Parsed<unsigned> parse(std::string_view text);
  static std::string print(unsigned value) { return std::to_string(value); }
};

template <>
struct Text<std::string> {
  static constexpr std::string_view unit = "text";
  static Parsed<std::string> parse(std::string_view text) { return std::string{text}; }
  static std::string print(const std::string& value) { return value; }
};

// An enumeration is settable if enum_names(Enum), found beside it, returns an array of Named.
template <class Enum>
concept HasNames = std::is_enum_v<Enum> && requires {
  enum_names(Enum{});
};

template <HasNames Enum>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto& [value, name] : enum_names(Enum{})) names.emplace_back(name);
  return names;
}

template <HasNames Enum>
struct Text<Enum> {
  static constexpr std::string_view unit = "choice";

  static Parsed<Enum> parse(std::string_view text) {
    for (const auto& [value, name] : enum_names(Enum{})) {
      if (name == text) return value;
    }
    return Wrong{"unknown choice" + offer(text, names_of<Enum>())};
  }

  static std::string print(Enum value) {
    for (const auto& [known, name] : enum_names(Enum{})) {
      if (known == value) return std::string{name};
    }
    UNREACHABLE();
  }
};

}  // namespace ioasim::config
