#include "config/quantity.hpp"

#include <gmock/gmock.h>

namespace ioasim::config {
namespace {

using testing::HasSubstr;

struct RoundTrip {
  std::string_view written;
  std::uint64_t stored;
  std::string_view printed;
};

template <class Value>
void expect_round_trips(std::initializer_list<RoundTrip> table, auto stored_of) {
  for (const auto& [written, stored, printed] : table) {
    const auto value = Text<Value>::parse(written);
    ASSERT_TRUE(value) << written << ": " << value.error().message;
    EXPECT_EQ(stored_of(*value), stored) << written;
    EXPECT_EQ(Text<Value>::print(*value), printed) << written;
    const auto again = Text<Value>::parse(printed);
    ASSERT_TRUE(again) << printed;
    EXPECT_EQ(stored_of(*again), stored) << printed;
  }
}

TEST(Quantity, TimesRoundTrip) {
  expect_round_trips<Picoseconds>(
      {{"300ns", 300'000, "300ns"},
       {"1.6ns", 1'600, "1.6ns"},
       {"10us", 10'000'000, "10us"},
       {"21.053ns", 21'053, "21.053ns"},
       {"1ps", 1, "1ps"},
       {"999ps", 999, "999ps"},
       {"0ns", 0, "0ns"},
       {"0s", 0, "0ns"},
       {"1000ns", 1'000'000, "1us"},
       {"1.0005us", 1'000'500, "1000.5ns"},
       {"50ms", 50'000'000'000, "50ms"},
       {"64000ms", 64'000'000'000'000, "64s"},
       {"1.50000ns", 1'500, "1.5ns"},
       {"0.000000000001s", 1, "1ps"},
       {"300 ns", 300'000, "300ns"},
       {"9223372036854775807ps", 9'223'372'036'854'775'807ull, "9223372036854775.807ns"}},
      [](Picoseconds t) { return static_cast<std::uint64_t>(t.count()); });
}

TEST(Quantity, SizesRoundTrip) {
  expect_round_trips<Bytes>({{"32GiB", 32ull << 30, "32GiB"},
                             {"512B", 512, "512B"},
                             {"1.5KiB", 1536, "1536B"},
                             {"1024KiB", 1 << 20, "1MiB"},
                             {"1kB", 1000, "1000B"},
                             {"2MB", 2'000'000, "2000000B"},
                             {"1GB", 1'000'000'000, "1000000000B"},
                             {"2TiB", 2ull << 40, "2TiB"},
                             {"0B", 0, "0KiB"}},
                            [](Bytes b) { return b.count; });
}

TEST(Quantity, FrequenciesRoundTrip) {
  expect_round_trips<Frequency>({{"2.4GHz", 2'400'000'000, "2.4GHz"},
                                 {"2400MHz", 2'400'000'000, "2.4GHz"},
                                 {"100kHz", 100'000, "100kHz"},
                                 {"1Hz", 1, "1Hz"},
                                 {"1.000001GHz", 1'000'001'000, "1000.001MHz"}},
                                [](Frequency f) { return f.hertz; });
}

TEST(Quantity, TransferRatesRoundTrip) {
  expect_round_trips<TransferRate>({{"2.5GT/s", 25, "2.5GT/s"},
                                    {"16GT/s", 160, "16GT/s"},
                                    {"32GT/s", 320, "32GT/s"},
                                    {"500MT/s", 5, "500MT/s"},
                                    {"2500MT/s", 25, "2.5GT/s"}},
                                   [](TransferRate r) { return r.hundred_mega; });
}

TEST(Quantity, BandwidthsRoundTrip) {
  expect_round_trips<Bandwidth>({{"17.066GB/s", 17'066'000'000, "17.066GB/s"},
                                 {"100MB/s", 100'000'000, "100MB/s"},
                                 {"1TB/s", 1'000'000'000'000, "1TB/s"},
                                 {"1GiB/s", 1ull << 30, "1073741.824kB/s"},
                                 {"1B/s", 1, "1B/s"}},
                                [](Bandwidth b) { return b.bytes_per_second; });
}

TEST(Quantity, CountsAndSwitches) {
  EXPECT_EQ(*Text<unsigned>::parse("64"), 64u);
  EXPECT_EQ(*Text<unsigned>::parse("0x40"), 64u);
  EXPECT_EQ(*Text<std::uint64_t>::parse("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(*Text<bool>::parse("true"), true);
  EXPECT_EQ(*Text<bool>::parse("false"), false);
  EXPECT_EQ(Text<bool>::print(true), "true");
  EXPECT_EQ(*Text<std::string>::parse("any text"), "any text");
}

template <class Value>
std::string wrong(std::string_view text) {
  const auto value = Text<Value>::parse(text);
  return value ? "accepted" : value.error().message;
}

TEST(Quantity, BareNumberWhereAUnitBelongs) {
  EXPECT_EQ(wrong<Picoseconds>("300"), "missing unit: write 300ns (units are ps, ns, us, ms or s)");
  EXPECT_THAT(wrong<Picoseconds>("0"), HasSubstr("write 0ns"));
  EXPECT_THAT(wrong<Bytes>("64"), HasSubstr("missing unit: write 64KiB"));
  EXPECT_THAT(wrong<Frequency>("2.4"), HasSubstr("missing unit: write 2.4GHz"));
  EXPECT_THAT(wrong<TransferRate>("16"), HasSubstr("missing unit: write 16GT/s"));
  EXPECT_THAT(wrong<Bandwidth>("17"), HasSubstr("missing unit: write 17GB/s"));
}

TEST(Quantity, WrongUnitNamesTheRightOnes) {
  EXPECT_EQ(wrong<Picoseconds>("300GB"), "\"GB\" is no unit of a time: use ps, ns, us, ms or s");
  EXPECT_THAT(wrong<Picoseconds>("300NS"), HasSubstr("\"NS\" is no unit"));
  EXPECT_THAT(wrong<Picoseconds>("1e3ns"), HasSubstr("\"e3ns\" is no unit"));
  EXPECT_THAT(wrong<Bytes>("4GHz"), HasSubstr("use B, KiB, MiB"));
  EXPECT_THAT(wrong<Frequency>("4GiB"), HasSubstr("use Hz, kHz, MHz or GHz"));
  EXPECT_THAT(wrong<TransferRate>("16GB/s"), HasSubstr("use MT/s or GT/s"));
  EXPECT_THAT(wrong<Bandwidth>("16GT/s"), HasSubstr("use B/s, kB/s"));
}

TEST(Quantity, FractionsThatCannotBeHeld) {
  EXPECT_EQ(wrong<Picoseconds>("0.5ps"), "not a whole number of picoseconds");
  EXPECT_EQ(wrong<Picoseconds>("1.0001ns"), "not a whole number of picoseconds");
  EXPECT_EQ(wrong<Picoseconds>("0.0000000000000000001s"), "not a whole number of picoseconds");
  EXPECT_EQ(wrong<Bytes>("1.1B"), "not a whole number of bytes");
  EXPECT_EQ(wrong<TransferRate>("2.55GT/s"), "not a whole number of steps of 100MT/s");
  EXPECT_EQ(wrong<Frequency>("0.1Hz"), "not a whole number of hertz");
}

TEST(Quantity, TooLarge) {
  EXPECT_EQ(wrong<Picoseconds>("9223372036854775808ps"), "too large for a time");
  EXPECT_EQ(wrong<Picoseconds>("99999999999999999999999999s"), "too large for a time");
  EXPECT_EQ(wrong<Bytes>("16777216TiB"), "too large for a size");
  EXPECT_EQ(wrong<unsigned>("4294967296"), "too large: at most 4294967295");
}

TEST(Quantity, NoQuantityAtAll) {
  EXPECT_THAT(wrong<Picoseconds>("soon"), HasSubstr("not a time: write a number with ps, ns"));
  EXPECT_THAT(wrong<Picoseconds>(""), HasSubstr("not a time"));
  EXPECT_THAT(wrong<Picoseconds>(".5ns"), HasSubstr("not a time"));
  EXPECT_THAT(wrong<Picoseconds>("5.ns"), HasSubstr("not a time"));
  EXPECT_EQ(wrong<Picoseconds>("-5ns"), "a time cannot be negative");
  EXPECT_EQ(wrong<bool>("yes"), "must be true or false");
  EXPECT_EQ(wrong<unsigned>("64KiB"), "a count has no unit: write 64");
  EXPECT_THAT(wrong<unsigned>("-1"), HasSubstr("not a count"));
  EXPECT_THAT(wrong<unsigned>("1.5"), HasSubstr("not a count"));
  EXPECT_THAT(wrong<unsigned>("0x"), HasSubstr("not a count"));
  EXPECT_THAT(wrong<unsigned>(""), HasSubstr("not a count"));
}

enum class Mode { run_ahead, step };
constexpr auto enum_names(Mode) {
  return std::array{Named{Mode::run_ahead, "run-ahead"}, Named{Mode::step, "step"}};
}

TEST(Quantity, ChoicesByName) {
  EXPECT_EQ(*Text<Mode>::parse("step"), Mode::step);
  EXPECT_EQ(Text<Mode>::print(Mode::run_ahead), "run-ahead");
  EXPECT_EQ(wrong<Mode>("stop"), "unknown choice; did you mean step?");
  EXPECT_EQ(wrong<Mode>("sideways"), "unknown choice; known: run-ahead, step");
}

}  // namespace
}  // namespace ioasim::config
