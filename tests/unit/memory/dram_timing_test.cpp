#include "memory/dram_timing.hpp"

#include <gmock/gmock.h>

#include <map>

#include "base/prng.hpp"

namespace ioasim::memory {
namespace {

constexpr Params four_channels{
    .capacity = 4_GiB, .channels = 4, .channel_bandwidth = 16'000_MBps, .latency = 50_ns};
constexpr auto line_time = 4_ns;  // 64 B at 16 GB/s

Hpa line(std::uint64_t number) { return Hpa{number * 64}; }

TEST(DramTiming, AnIdleChannelTakesLatencyAndOneTransfer) {
  DramTiming dram{four_channels};
  EXPECT_EQ(dram.line_time(), line_time);
  EXPECT_EQ(dram.access(line(0), 0_ps), 54_ns);
  EXPECT_EQ(dram.access(line(1), 7_ps), 54_ns + 7_ps);
}

// CAL-3: 52 ns from LLC to DRAM; 64 B at 17.066 GB/s take 3750.15 ps, rounded up.
TEST(DramTiming, DefaultsMakeTheFiftyTwoNanosecondsOfADmaRead) {
  DramTiming dram{Params{}};
  EXPECT_EQ(dram.access(Hpa{0}, 0_ps), 51'751_ps);
}

TEST(DramTiming, LinesInterleaveOverTheChannels) {
  DramTiming dram{four_channels};
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(dram.access(line(i), 0_ps), 54_ns);
  for (std::uint64_t i = 4; i < 8; ++i) EXPECT_EQ(dram.access(line(i), 0_ps), 58_ns);
}

TEST(DramTiming, EveryByteOfALineIsOnItsChannel) {
  DramTiming dram{four_channels};
  dram.access(Hpa{0}, 0_ps);
  EXPECT_EQ(dram.access(Hpa{63}, 0_ps), 58_ns);
  EXPECT_EQ(dram.access(Hpa{64}, 0_ps), 54_ns);
}

TEST(DramTiming, AChannelTransfersOneLineAtATimeInOrderOfArrival) {
  DramTiming dram{four_channels};
  EXPECT_EQ(dram.access(line(0), 0_ps), 54_ns);
  EXPECT_EQ(dram.access(line(4), 1_ns), 58_ns);        // waits 3 ns
  EXPECT_EQ(dram.access(line(8), 8_ns), 62_ns);        // free at 8 ns: no wait
  EXPECT_EQ(dram.access(line(12), 11'999_ps), 66_ns);  // one picosecond of waiting
  EXPECT_EQ(dram.idle_at(), 16_ns);
}

// Against a channel kept as a list of busy slots.
TEST(DramTiming, AgreesWithSlotsOfATimetable) {
  const Params params{
      .capacity = 4_GiB, .channels = 3, .channel_bandwidth = 17'066_MBps, .latency = 48_ns};
  DramTiming dram{params};
  std::map<std::uint64_t, std::vector<Picoseconds>> ends;
  Prng prng{1, "dram"};
  Picoseconds now{};
  for (int i = 0; i < 5000; ++i) {
    now += Picoseconds{static_cast<std::int64_t>(prng.between(0, 2500))};
    const auto number = prng.between(0, 1000);
    auto& busy = ends[number % 3];
    auto begin = now;
    if (!busy.empty() && busy.back() > begin) begin = busy.back();
    busy.push_back(begin + 3'751_ps);
    ASSERT_EQ(dram.access(line(number), now), begin + 3'751_ps + 48_ns);
  }
}

TEST(DramTiming, SaturatedChannelsDeliverTheirBandwidth) {
  DramTiming dram{four_channels};
  Picoseconds last{};
  constexpr std::uint64_t lines = 4000;
  for (std::uint64_t i = 0; i < lines; ++i) last = std::max(last, dram.access(line(i), 0_ps));
  EXPECT_EQ(last, 50_ns + line_time * (lines / 4));
}

TEST(MemoryParams, CapacityComesInPiecesOfTwoMebibytes) {
  const auto problems = [](Bytes capacity) {
    Problems found;
    Params{.capacity = capacity}.check(found);
    return found.size();
  };
  EXPECT_EQ(problems(4_GiB), 0u);
  EXPECT_EQ(problems(18_MiB), 0u);
  EXPECT_EQ(problems(17_MiB), 1u);
  EXPECT_EQ(problems(Bytes{(2u << 20) + 1}), 1u);
}

}  // namespace
}  // namespace ioasim::memory
