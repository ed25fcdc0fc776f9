#include "memory/dram_timing.hpp"

#include <gmock/gmock.h>

#include <map>

#include "base/prng.hpp"
#include "base/slice_hash.hpp"

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

// Both digits of the lines' numbers to the base 4 are the same: all are of channel 0.
TEST(DramTiming, AChannelTransfersOneLineAtATimeInOrderOfArrival) {
  DramTiming dram{four_channels};
  EXPECT_EQ(dram.access(line(0), 0_ps), 54_ns);
  EXPECT_EQ(dram.access(line(5), 1_ns), 58_ns);        // waits 3 ns
  EXPECT_EQ(dram.access(line(10), 8_ns), 62_ns);       // free at 8 ns: no wait
  EXPECT_EQ(dram.access(line(15), 11'999_ps), 66_ns);  // one picosecond of waiting
  EXPECT_EQ(dram.idle_at(), 16_ns);
}

// Against a channel kept as a list of busy slots.
TEST(DramTiming, AgreesWithSlotsOfATimetable) {
  const Params params{
      .capacity = 4_GiB, .channels = 3, .channel_bandwidth = 17'066_MBps, .latency = 48_ns};
  DramTiming dram{params};
  const SliceHash channel{params.channels, 0};
  std::map<std::uint64_t, std::vector<Picoseconds>> ends;
  Prng prng{1, "dram"};
  Picoseconds now{};
  for (int i = 0; i < 5000; ++i) {
    now += Picoseconds{static_cast<std::int64_t>(prng.between(0, 2500))};
    const auto number = prng.between(0, 1000);
    auto& busy = ends[channel.of(number)];
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

// Of lines a power of two apart, the first n meet each of n channels once, and so do the next n.
TEST(DramTiming, StridesOfPowersOfTwoSpreadOverTheChannels) {
  for (const auto channels : {2u, 4u, 8u, 16u}) {
    auto params = four_channels;
    params.channels = channels;
    for (std::uint64_t stride = 1; stride <= 16'384; stride *= 2) {
      DramTiming dram{params};
      for (std::uint64_t i = 0; i < 50 * channels; ++i) {
        const auto rank = static_cast<std::int64_t>(i / channels);
        ASSERT_EQ(dram.access(line(i * stride), 0_ps), 54_ns + rank * line_time)
            << "line " << i << " of every " << stride << "th over " << channels;
      }
    }
  }
}

// ---- sockets ----

TEST(Placement, SocketsHaveEqualPartsAndTheLastTheRest) {
  struct Row {
    Bytes end;
    unsigned sockets;
    Bytes address;
    unsigned socket;
  };
  const Row table[]{{4_GiB, 1, 0_B, 0},
                    {4_GiB, 1, 4_GiB, 0},
                    {4_GiB, 2, 0_B, 0},
                    {4_GiB, 2, Bytes{(2ull << 30) - 1}, 0},
                    {4_GiB, 2, 2_GiB, 1},
                    {4_GiB, 2, Bytes{(4ull << 30) - 1}, 1},
                    {4_GiB, 2, 5_GiB, 1},
                    {16_MiB, 3, Bytes{(6u << 20) - 1}, 0},
                    {16_MiB, 3, 6_MiB, 1},
                    {16_MiB, 3, Bytes{(12u << 20) - 1}, 1},
                    {16_MiB, 3, 12_MiB, 2},
                    {16_MiB, 3, Bytes{(16u << 20) - 1}, 2},
                    {16_MiB, 8, 14_MiB, 7},
                    {16_MiB, 5, 15_MiB, 3},
                    {1024_GiB, 4, 1023_GiB, 3},
                    {18_MiB, 2, 10_MiB, 1},
                    {18_MiB, 2, Bytes{(10u << 20) - 1}, 0}};
  for (const auto& row : table) {
    const Placement placement{Hpa{row.end.count}, row.sockets};
    EXPECT_EQ(placement.sockets(), row.sockets);
    EXPECT_EQ(placement.socket_of(Hpa{row.address.count}), row.socket)
        << row.address.count << " of " << row.end.count << " in " << row.sockets;
  }
}

// A hole is nobody's memory.
TEST(Placement, EqualPartsAreOfMemoryAndNotOfAddresses) {
  constexpr std::uint64_t gib = 1u << 30;
  const std::vector<Range<Hpa>> map{{Hpa{0}, 3 * gib}, {Hpa{4 * gib}, 5 * gib}};
  const Placement two{map, 2};
  EXPECT_EQ(two.part(0), (Range<Hpa>{Hpa{0}, 5 * gib}));
  EXPECT_EQ(two.part(1), (Range<Hpa>{Hpa{5 * gib}, 4 * gib}));
  EXPECT_EQ(two.socket_of(Hpa{5 * gib - 1}), 0u);
  EXPECT_EQ(two.socket_of(Hpa{5 * gib}), 1u);
  const Placement four{map, 4};
  for (unsigned socket = 0; socket < 4; ++socket) {
    std::uint64_t bytes = 0;
    for (const auto& range : map) {
      const auto begin = std::max(range.base, four.part(socket).base);
      const auto end = std::min(range.end(), four.part(socket).end());
      if (begin < end) bytes += end - begin;
    }
    EXPECT_EQ(bytes, 2 * gib) << socket;
  }
  EXPECT_EQ(Placement(map, 8).socket_of(Hpa{4 * gib}), 3u);  // above 3 GiB of memory
}

TEST(DramTiming, EachSocketHasItsChannels) {
  DramTiming dram{four_channels, 2};
  const auto remote = 2ull << 30;
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(dram.access(line(i), 0_ps), 54_ns);
    EXPECT_EQ(dram.access(line(i) + remote, 0_ps), 54_ns);
  }
  EXPECT_EQ(dram.access(line(4), 0_ps), 58_ns);
  EXPECT_EQ(dram.access(line(4) + remote, 0_ps), 58_ns);
  EXPECT_EQ(dram.access(line(4) + remote, 0_ps), 62_ns);
  EXPECT_EQ(dram.idle_at(), 12_ns);
}

TEST(DramTiming, SocketsMultiplyTheBandwidth) {
  for (const auto sockets : {1u, 2u, 3u}) {
    DramTiming dram{four_channels, sockets};
    Picoseconds last{};
    constexpr std::uint64_t lines = 1200;
    const Placement placement{Hpa{four_channels.capacity.count}, sockets};
    for (std::uint64_t i = 0; i < lines; ++i) {
      const auto begin = placement.part(static_cast<unsigned>(i / 4 % sockets)).base;
      last = std::max(last, dram.access(begin + i * 64, 0_ps));
    }
    EXPECT_EQ(last, 50_ns + line_time * (lines / 4 / sockets)) << sockets;
  }
}

// ---- refresh ----

constexpr Params refreshed(Picoseconds interval, Picoseconds time, unsigned channels = 1) {
  auto params = four_channels;
  params.channels = channels;
  params.refresh_interval = interval;
  params.refresh_time = time;
  return params;
}

TEST(DramTiming, AnAccessThatWouldBeginInARefreshBeginsAfterIt) {
  struct Row {
    Picoseconds at;
    Picoseconds begin;
  };
  const Row table[]{{0_ps, 100_ns},           {1_ps, 100_ns},
                    {99'999_ps, 100_ns},      {100_ns, 100_ns},
                    {100'001_ps, 100'001_ps}, {500_ns, 500_ns},
                    {999'999_ps, 999'999_ps}, {1_us, 1'100_ns},
                    {1'000'001_ps, 1'100_ns}, {7'050_ns, 7'100_ns},
                    {7'100_ns, 7'100_ns},     {86'400'000_ms + 3_ns, 86'400'000_ms + 100_ns}};
  for (const auto& row : table) {
    DramTiming dram{refreshed(1_us, 100_ns)};
    EXPECT_EQ(dram.access(Hpa{0}, row.at), row.begin + 54_ns) << row.at.count();
  }
}

TEST(DramTiming, ATransferThatBeganBeforeTheRefreshIsFinished) {
  DramTiming dram{refreshed(1_us, 100_ns)};
  EXPECT_EQ(dram.access(line(0), 999_ns), 999_ns + 54_ns);
  EXPECT_EQ(dram.access(line(1), 999_ns), 1'100_ns + 54_ns);
  EXPECT_EQ(dram.access(line(2), 999_ns), 1'104_ns + 54_ns);
}

// Of two channels, that of a line is the parity of its number: lines of the second socket, from
// 2^25 on, have one bit more.
TEST(DramTiming, ChannelsOfAllSocketsAreRefreshedInTurn) {
  const auto params = refreshed(1_us, 100_ns, 2);
  constexpr auto second = 1ull << 25;
  const Hpa of_channel[]{line(0), line(1), line(second + 1), line(second)};
  for (unsigned channel = 0; channel < 4; ++channel) {
    const auto phase = 250_ns * static_cast<std::int64_t>(channel);
    const auto begin = [&](Picoseconds at) {
      return DramTiming{params, 2}.access(of_channel[channel], at) - 54_ns;
    };
    EXPECT_EQ(begin(phase + 3_us - 1_ps), phase + 3_us - 1_ps);
    EXPECT_EQ(begin(phase + 3_us), phase + 3'100_ns);
    EXPECT_EQ(begin(phase + 3'100_ns - 1_ps), phase + 3'100_ns);
    EXPECT_EQ(begin(phase + 3'100_ns), phase + 3'100_ns);
  }
}

TEST(DramTiming, WithoutAnIntervalNothingIsRefreshed) {
  DramTiming plain{four_channels};
  DramTiming off{refreshed(0_ps, 350_ns, 4)};
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto at = 13_ns * static_cast<std::int64_t>(i);
    ASSERT_EQ(off.access(line(i * i), at), plain.access(line(i * i), at));
  }
}

// Against a walk from refresh to refresh.
TEST(DramTiming, AgreesWithATimetableOfRefreshes) {
  constexpr auto interval = 1'037_ns;
  constexpr auto time = 111_ns;
  constexpr unsigned channels = 3;
  DramTiming dram{refreshed(interval, time, channels)};
  const SliceHash channel{channels, 0};
  std::vector<Picoseconds> free_at(channels);
  std::vector<Picoseconds> next_end(channels);
  for (unsigned c = 0; c < channels; ++c) {
    next_end[c] = Picoseconds{interval.count() * c / channels} - interval + time;
  }
  Prng prng{1, "refresh"};
  Picoseconds now{};
  for (int i = 0; i < 20'000; ++i) {
    const auto pause = prng.one_in(20) ? 5'000'000u : 30'000u;
    now += Picoseconds{static_cast<std::int64_t>(prng.between(0, pause))};
    const auto number = prng.between(0, 1000);
    const auto c = channel.of(number);
    auto begin = std::max(now, free_at[c]);
    while (next_end[c] <= begin) next_end[c] += interval;
    if (begin >= next_end[c] - time) begin = next_end[c];
    free_at[c] = begin + line_time;
    ASSERT_EQ(dram.access(line(number), now), begin + 54_ns) << i;
  }
}

// Per interval, 900 ns remain to begin transfers of 4 ns each: 225.
TEST(DramTiming, ASaturatedChannelLosesTheTimeOfItsRefreshes) {
  DramTiming dram{refreshed(1_us, 100_ns)};
  Picoseconds last{};
  for (std::uint64_t i = 0; i < 2250; ++i) last = dram.access(line(i), 0_ps);
  EXPECT_EQ(last, 10_us + 50_ns);
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

TEST(MemoryParams, ARefreshIsShorterThanItsInterval) {
  const auto problems = [](Picoseconds interval, Picoseconds time) {
    Problems found;
    refreshed(interval, time).check(found);
    std::vector<std::string> fields;
    for (const auto& problem : found) fields.push_back(problem.field);
    return fields;
  };
  EXPECT_THAT(problems(0_ps, 350_ns), testing::IsEmpty());
  EXPECT_THAT(problems(7'800_ns, 350_ns), testing::IsEmpty());
  EXPECT_THAT(problems(351_ns, 350_ns), testing::IsEmpty());
  EXPECT_THAT(problems(350_ns, 350_ns), testing::ElementsAre("refresh_time"));
}

}  // namespace
}  // namespace ioasim::memory
