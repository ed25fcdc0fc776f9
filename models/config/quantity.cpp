#include "config/quantity.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>
#include <span>

namespace ioasim::config {
namespace {

__extension__ using Wide = unsigned __int128;

struct Unit {
  std::string_view name;
  std::uint64_t scale;  // in the finest unit of its kind
};

// How one kind of quantity is written.
struct Kind {
  std::string_view noun;     // with its article: "a time"
  std::string_view example;  // what a bare number most likely meant: "ns"
  std::string_view grain_name;
  std::uint64_t grain;  // finest units in one stored unit
  std::uint64_t stored_max;
  unsigned fraction_digits_max;  // that print() may use
  std::span<const Unit> units;   // those that print() uses come first, ascending
  std::size_t printed;           // their number
};

constexpr std::uint64_t kilo = 1000;
constexpr std::uint64_t mega = kilo * kilo;
constexpr std::uint64_t giga = kilo * mega;
constexpr std::uint64_t tera = kilo * giga;
constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

constexpr std::array time_units{Unit{"ps", 1}, Unit{"ns", kilo}, Unit{"us", mega}, Unit{"ms", giga},
                                Unit{"s", tera}};
constexpr std::array size_units{Unit{"B", 1},
                                Unit{"KiB", 1ull << 10},
                                Unit{"MiB", 1ull << 20},
                                Unit{"GiB", 1ull << 30},
                                Unit{"TiB", 1ull << 40},
                                Unit{"kB", kilo},
                                Unit{"MB", mega},
                                Unit{"GB", giga},
                                Unit{"TB", tera}};
constexpr std::array frequency_units{Unit{"Hz", 1}, Unit{"kHz", kilo}, Unit{"MHz", mega},
                                     Unit{"GHz", giga}};
constexpr std::array transfer_units{Unit{"MT/s", 1}, Unit{"GT/s", kilo}};
constexpr std::array bandwidth_units{Unit{"B/s", 1},
                                     Unit{"kB/s", kilo},
                                     Unit{"MB/s", mega},
                                     Unit{"GB/s", giga},
                                     Unit{"TB/s", tera},
                                     Unit{"KiB/s", 1ull << 10},
                                     Unit{"MiB/s", 1ull << 20},
                                     Unit{"GiB/s", 1ull << 30},
                                     Unit{"TiB/s", 1ull << 40}};

constexpr Kind time_kind{.noun = "a time",
                         .example = "ns",
                         .grain_name = "picoseconds",
                         .grain = 1,
                         .stored_max = std::numeric_limits<std::int64_t>::max(),
                         .fraction_digits_max = 3,
                         .units = time_units,
                         .printed = time_units.size()};
constexpr Kind size_kind{.noun = "a size",
                         .example = "KiB",
                         .grain_name = "bytes",
                         .grain = 1,
                         .stored_max = no_limit,
                         .fraction_digits_max = 0,
                         .units = size_units,
                         .printed = 5};
constexpr Kind frequency_kind{.noun = "a frequency",
                              .example = "GHz",
                              .grain_name = "hertz",
                              .grain = 1,
                              .stored_max = no_limit,
                              .fraction_digits_max = 3,
                              .units = frequency_units,
                              .printed = frequency_units.size()};
constexpr Kind transfer_kind{.noun = "a transfer rate",
                             .example = "GT/s",
                             .grain_name = "steps of 100MT/s",
                             .grain = 100,
                             .stored_max = no_limit / 100,
                             .fraction_digits_max = 1,
                             .units = transfer_units,
                             .printed = transfer_units.size()};
constexpr Kind bandwidth_kind{.noun = "a bandwidth",
                              .example = "GB/s",
                              .grain_name = "bytes per second",
                              .grain = 1,
                              .stored_max = no_limit,
                              .fraction_digits_max = 3,
                              .units = bandwidth_units,
                              .printed = 5};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A decimal number and what follows it.
struct Number {
  std::string_view whole;
  std::string_view fraction;  // without trailing zeros
  std::string_view rest;
};

std::optional<Number> split(std::string_view text) {
  Number number;
  std::size_t at = 0;
  while (at < text.size() && is_digit(text[at])) ++at;
  if (at == 0) return std::nullopt;
  number.whole = text.substr(0, at);
  if (at < text.size() && text[at] == '.') {
    const auto begin = ++at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == begin) return std::nullopt;
    number.fraction = text.substr(begin, at - begin);
    while (number.fraction.ends_with('0')) number.fraction.remove_suffix(1);
  }
  number.rest = text.substr(at);
  while (number.rest.starts_with(' ')) number.rest.remove_prefix(1);
  return number;
}

std::string unit_list(const Kind& kind) {
  std::string text;
  for (std::size_t i = 0; i < kind.units.size(); ++i) {
    if (i != 0) text += i + 1 == kind.units.size() ? " or " : ", ";
    text += kind.units[i].name;
  }
  return text;
}

// Digits as a number, or nothing if they exceed what any quantity can hold.
std::optional<Wide> digits(std::string_view text) {
  while (text.starts_with('0')) text.remove_prefix(1);
  if (text.size() > 20) return std::nullopt;
  Wide value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

Parsed<std::uint64_t> scaled(const Kind& kind, const Number& number, const Unit& unit) {
  const Wrong fraction{fmt::format("not a whole number of {}", kind.grain_name)};
  const Wrong large{fmt::format("too large for {}", kind.noun), true};
  const auto whole = digits(number.whole);
  if (!whole) return large;
  // 10^18 is finer than any unit's scale, so more digits can never be exact.
  if (number.fraction.size() > 18) return fraction;
  Wide ten = 1;
  for (std::size_t i = 0; i < number.fraction.size(); ++i) ten *= 10;
  const Wide part = *digits(number.fraction) * unit.scale;
  if (part % ten != 0) return fraction;
  const Wide fine = *whole * unit.scale + part / ten;
  if (fine % kind.grain != 0) return fraction;
  if (fine / kind.grain > kind.stored_max) return large;
  return static_cast<std::uint64_t>(fine / kind.grain);
}

Parsed<std::uint64_t> parse_quantity(const Kind& kind, std::string_view text) {
  if (text.starts_with('-')) return Wrong{fmt::format("{} cannot be negative", kind.noun)};
  const auto number = split(text);
  if (!number) {
    return Wrong{fmt::format("not {}: write a number with {}, such as 1{}", kind.noun,
                             unit_list(kind), kind.example)};
  }
  if (number->rest.empty()) {
    return Wrong{fmt::format("missing unit: write {}{} (units are {})", text, kind.example,
                             unit_list(kind))};
  }
  for (const Unit& unit : kind.units) {
    if (unit.name == number->rest) return scaled(kind, *number, unit);
  }
  return Wrong{
      fmt::format("\"{}\" is no unit of {}: use {}", number->rest, kind.noun, unit_list(kind))};
}

// The value in `unit`, if few enough digits after the point make it exact.
std::optional<std::string> print_in(const Kind& kind, Wide fine, const Unit& unit) {
  if (fine < unit.scale) return std::nullopt;
  Wide rest = fine % unit.scale;
  std::string text = fmt::format("{}", static_cast<std::uint64_t>(fine / unit.scale));
  for (unsigned n = 0; rest != 0; ++n) {
    if (n == kind.fraction_digits_max) return std::nullopt;
    if (n == 0) text += '.';
    rest *= 10;
    text += static_cast<char>('0' + static_cast<unsigned>(rest / unit.scale));
    rest %= unit.scale;
  }
  return text.append(unit.name);
}

std::string print_quantity(const Kind& kind, std::uint64_t stored) {
  if (stored == 0) return fmt::format("0{}", kind.example);
  const Wide fine = Wide{stored} * kind.grain;
  for (std::size_t i = kind.printed; i-- > 0;) {
    if (auto text = print_in(kind, fine, kind.units[i])) return *std::move(text);
  }
  UNREACHABLE();
}

// `make` turns the number of stored units into the quantity.
template <class Value, class Make>
Parsed<Value> parse_as(const Kind& kind, std::string_view text, Make make) {
  const auto stored = parse_quantity(kind, text);
  if (!stored) return stored.error();
  return make(*stored);
}

template <class Count>
Parsed<Count> parse_count(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const auto shown = hexadecimal ? text.substr(2) : text;
  const char* const end = shown.data() + shown.size();
  Count value{};
  const auto [stopped, error] = std::from_chars(shown.data(), end, value, hexadecimal ? 16 : 10);
  if (error == std::errc::result_out_of_range) {
    return Wrong{fmt::format("too large: at most {}", std::numeric_limits<Count>::max()), true};
  }
  if (error == std::errc{} && stopped == end) return value;
  const bool has_unit = error == std::errc{} && !hexadecimal && *stopped != '.';
  return Wrong{has_unit ? fmt::format("a count has no unit: write {}", value)
                        : "not a count: write a whole number such as 64 or 0x40"};
}

}  // namespace

Parsed<Picoseconds> Text<Picoseconds>::parse(std::string_view text) {
  return parse_as<Picoseconds>(
      time_kind, text, [](std::uint64_t n) { return Picoseconds{static_cast<std::int64_t>(n)}; });
}

std::string Text<Picoseconds>::print(Picoseconds value) {
  CHECK(value.count() >= 0);
  return print_quantity(time_kind, static_cast<std::uint64_t>(value.count()));
}

Parsed<Bytes> Text<Bytes>::parse(std::string_view text) {
  return parse_as<Bytes>(size_kind, text, [](std::uint64_t n) { return Bytes{n}; });
}

std::string Text<Bytes>::print(Bytes value) { return print_quantity(size_kind, value.count); }

Parsed<Frequency> Text<Frequency>::parse(std::string_view text) {
  return parse_as<Frequency>(frequency_kind, text, [](std::uint64_t n) { return Frequency{n}; });
}

std::string Text<Frequency>::print(Frequency value) {
  return print_quantity(frequency_kind, value.hertz);
}

Parsed<TransferRate> Text<TransferRate>::parse(std::string_view text) {
  return parse_as<TransferRate>(transfer_kind, text,
                                [](std::uint64_t n) { return TransferRate{n}; });
}

std::string Text<TransferRate>::print(TransferRate value) {
  return print_quantity(transfer_kind, value.hundred_mega);
}

Parsed<Bandwidth> Text<Bandwidth>::parse(std::string_view text) {
  return parse_as<Bandwidth>(bandwidth_kind, text, [](std::uint64_t n) { return Bandwidth{n}; });
}

std::string Text<Bandwidth>::print(Bandwidth value) {
  return print_quantity(bandwidth_kind, value.bytes_per_second);
}

Parsed<bool> Text<bool>::parse(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return Wrong{"must be true or false"};
}

Parsed<std::uint64_t> Text<std::uint64_t>::parse(std::string_view text) {
  return parse_count<std::uint64_t>(text);
}

Parsed<unsigned> Text<unsigned>::parse(std::string_view text) {
  return parse_count<unsigned>(text);
}

}  // namespace ioasim::config
