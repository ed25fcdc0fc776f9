#include "pcie/wire.hpp"

#include <gmock/gmock.h>

namespace ioasim::pcie {
namespace {

LinkParams link(TransferRate rate, unsigned width, Picoseconds propagation = 0_ps) {
  return {.rate = rate, .width = width, .propagation = propagation};
}

constexpr TransferRate rates[]{{25}, {50}, {80}, {160}, {320}};
constexpr unsigned widths[]{1, 2, 4, 8, 16};

bool encoded_in_ten(TransferRate rate) { return rate.hundred_mega <= 50; }

// Ten bits at 2.5 and 5 GT/s, eight above.
Picoseconds symbol(TransferRate rate) {
  switch (rate.hundred_mega) {
    case 25:
      return 4'000_ps;
    case 50:
      return 2'000_ps;
    case 80:
      return 1'000_ps;
    case 160:
      return 500_ps;
    default:
      return 250_ps;
  }
}

// The least whole number of picoseconds that holds bytes x 8 bits x encoding / (rate x width).
TEST(Wire, SerializationIsExactAndRoundedUp) {
  for (const auto rate : rates) {
    for (const auto width : widths) {
      const Wire wire{link(rate, width), 256};
      for (std::uint64_t bytes = 0; bytes <= 4200; ++bytes) {
        // time = numerator / denominator ps; a transfer takes 10000 / rate ps.
        const auto bits = bytes * 8 * (encoded_in_ten(rate) ? 10 : 130);
        const auto numerator = bits * 10'000;
        const auto denominator = rate.hundred_mega * width * (encoded_in_ten(rate) ? 8 : 128);
        const auto time = static_cast<std::uint64_t>(wire.serialization(bytes).count());
        ASSERT_GE(time * denominator, numerator) << bytes;
        if (time > 0) {
          ASSERT_LT((time - 1) * denominator, numerator) << bytes;
        }
      }
    }
  }
}

// Serialisation times as published, in the digits printed.
TEST(Wire, SerializationTimesAreThePublishedOnes) {
  struct Row {
    TransferRate rate;
    unsigned width;
    double read, completion_64, completion_256, write_256;  // ns
  };
  const Row table[]{{{80}, 8, 3.05, 10.66, 35.0, 35.6},
                    {{160}, 16, 0.76, 2.67, 8.76, 8.89},
                    {{320}, 16, 0.38, 1.33, 4.38, 4.44}};
  for (const auto& row : table) {
    const Wire wire{link(row.rate, row.width), 256};
    const auto ns = [&](std::uint64_t bytes) {
      return static_cast<double>(wire.serialization(bytes).count()) / 1000;
    };
    EXPECT_NEAR(ns(24), row.read, 0.006);
    EXPECT_NEAR(ns(84), row.completion_64, 0.006);
    EXPECT_NEAR(ns(276), row.completion_256, row.width == 8 ? 0.06 : 0.006);
    EXPECT_NEAR(ns(280), row.write_256, row.width == 8 ? 0.06 : 0.006);
  }
}

// Per lane: 0.25, 0.5, 0.985, 1.969 and 3.938 GB/s.
TEST(Wire, ALaneCarriesTheBandwidthOfItsGeneration) {
  constexpr double gigabytes[]{0.25, 0.5, 0.985, 1.969, 3.938};
  for (std::size_t i = 0; i < std::size(rates); ++i) {
    const Wire wire{link(rates[i], 1), 256};
    EXPECT_NEAR(1e6 / static_cast<double>(wire.serialization(1'000'000).count()) * 1000,
                gigabytes[i], 0.0006);
  }
}

TEST(Wire, ThePacketArrivesAfterSerializationAndPropagation) {
  Wire wire{link(8_GTps, 8, 125_ns), 256};
  const auto sent = wire.send(24, 10_ns);
  EXPECT_EQ(sent.first_bit, 10_ns);
  EXPECT_EQ(sent.last_bit, 10_ns + 3'047_ps + 125_ns);
  EXPECT_EQ(wire.propagation(), 125_ns);
}

TEST(Wire, PacketsFollowEachOtherWithoutGapOrOverlap) {
  Wire wire{link(8_GTps, 8, 125_ns), 256};
  const auto first = wire.send(280, 0_ps);
  const auto second = wire.send(280, 1_ns);
  const auto third = wire.send(24, 500_ns);
  EXPECT_EQ(second.first_bit, 35'547_ps);
  EXPECT_EQ(second.last_bit, first.last_bit + 35'547_ps);
  EXPECT_EQ(third.first_bit, 500_ns);
}

// (MPS + 28) x factor / width + delay symbol times, as the closed forms tabulate them.
struct AckRow {
  TransferRate rate;
  unsigned width;
  unsigned max_payload;
  std::int64_t symbols;
};
constexpr AckRow ack_limits[]{{{80}, 8, 256, 203},   {{160}, 8, 256, 203},  {{320}, 8, 256, 203},
                              {{80}, 8, 512, 182},   {{160}, 16, 256, 168}, {{320}, 16, 256, 168},
                              {{160}, 16, 512, 182}, {{25}, 1, 128, 237},   {{25}, 1, 256, 416}};

// When a packet that is ready at `ready` starts, on an idle link that owes an Ack since 0.
Picoseconds start_with_ack(const AckRow& row, Picoseconds ready) {
  Wire wire{link(row.rate, row.width), row.max_payload};
  wire.acknowledge(0_ps);
  return wire.send(24, ready).first_bit;
}

TEST(Wire, AnAckAndAnUpdateFallDueAtTheAckLatencyLimit) {
  for (const auto& row : ack_limits) {
    SCOPED_TRACE(testing::Message()
                 << row.rate.hundred_mega << " x" << row.width << ' ' << row.max_payload);
    const auto due = symbol(row.rate) * row.symbols;
    const Wire wire{link(row.rate, row.width), row.max_payload};
    const auto dllps = wire.serialization(16);
    EXPECT_EQ(start_with_ack(row, due - 1_ps), due - 1_ps);
    EXPECT_EQ(start_with_ack(row, due), due + dllps);
    EXPECT_EQ(start_with_ack(row, due + 1_ps), due + dllps);
    EXPECT_EQ(start_with_ack(row, due + dllps), due + dllps);
    EXPECT_EQ(start_with_ack(row, due + dllps + 5_ns), due + dllps + 5_ns) << "in idle time";
  }
}

TEST(Wire, AnAckWaitsForThePacketOnTheWire) {
  Wire wire{link(8_GTps, 8), 256};
  const auto limit = 203_ns;
  wire.acknowledge(0_ps);
  const auto first = wire.send(280, limit - 1_ps);
  EXPECT_EQ(first.first_bit, limit - 1_ps);
  const auto second = wire.send(24, limit);
  EXPECT_EQ(second.first_bit, first.last_bit + wire.serialization(16));
  EXPECT_EQ(wire.send(24, limit).first_bit, second.last_bit) << "one Ack, once";
}

TEST(Wire, OneAckCoversAllThatCameInBeforeItIsDue) {
  Wire wire{link(8_GTps, 8), 256};
  for (int i = 0; i < 10; ++i) wire.acknowledge(Picoseconds{i * 20'000});
  const auto after = wire.send(24, 203_ns);
  EXPECT_EQ(after.first_bit, 203_ns + wire.serialization(16));
  EXPECT_EQ(wire.send(24, 400_ns).first_bit, 400_ns);
}

// Four symbols every 1538, on every lane at once.
constexpr std::int64_t skp_interval = 1538;
constexpr std::int64_t skp_length = 4;

Picoseconds start_on_idle_link(TransferRate rate, Picoseconds ready) {
  Wire wire{link(rate, 8), 256};
  return wire.send(24, ready).first_bit;
}

TEST(Wire, ASkpOrderedSetDelaysAPacketThatMeetsIt) {
  for (const auto rate : rates) {
    const auto due = symbol(rate) * skp_interval;
    const auto over = due + symbol(rate) * skp_length;
    EXPECT_EQ(start_on_idle_link(rate, due - 1_ps), due - 1_ps);
    EXPECT_EQ(start_on_idle_link(rate, due), over);
    EXPECT_EQ(start_on_idle_link(rate, over), over);
    EXPECT_EQ(start_on_idle_link(rate, over + 1_ns), over + 1_ns) << "in idle time";
  }
}

// The ordered set began in idle time, but a packet cannot start in the middle of it.
TEST(Wire, APacketWaitsForASkpOrderedSetUnderWay) {
  for (const auto rate : rates) {
    const auto due = symbol(rate) * skp_interval;
    const auto over = due + symbol(rate) * skp_length;
    EXPECT_EQ(start_on_idle_link(rate, due + 1_ps), over);
    EXPECT_EQ(start_on_idle_link(rate, over - 1_ps), over);
  }
}

TEST(Wire, SkpsThatFellIntoIdleTimeAreNotMadeUpFor) {
  Wire wire{link(8_GTps, 8), 256};
  const auto interval = 1'538_ns;
  const auto ready = 10 * interval + 700_ns;
  EXPECT_EQ(wire.send(24, ready).first_bit, ready);
  EXPECT_EQ(wire.send(24, 11 * interval - 1_ps).first_bit, 11 * interval - 1_ps);
}

// Ordered sets that a saturated link sends beyond, or short of, one an interval.
double missing_skps(TransferRate rate, unsigned width, std::uint64_t bytes) {
  Wire wire{link(rate, width), 4096};
  const int packets = 4000;
  Picoseconds end{};
  for (int i = 0; i < packets; ++i) end = wire.send(bytes, 0_ps).last_bit;
  const auto sent = (end - wire.serialization(bytes) * packets) / symbol(rate) / skp_length;
  return static_cast<double>(end / (symbol(rate) * skp_interval) - sent);
}

TEST(Wire, ASaturatedLinkSendsOneSkpAnInterval) {
  for (const auto rate : rates) {
    for (const auto width : widths) {
      for (const std::uint64_t bytes : {24u, 280u, 1048u}) {
        EXPECT_NEAR(missing_skps(rate, width, bytes), 0, 1)
            << "rate " << rate.hundred_mega << " x" << width << ", " << bytes << " bytes";
      }
    }
  }
}

// On few lanes a packet lasts longer than the interval: those that fell due meanwhile are sent
// behind it, one after the other.
TEST(Wire, SkpsThatFallDueDuringALongPacketFollowIt) {
  for (const auto rate : rates) {
    for (const unsigned width : {1u, 2u}) {
      EXPECT_NEAR(missing_skps(rate, width, 4120), 0, 3)
          << "rate " << rate.hundred_mega << " x" << width;
    }
  }
}

// Effective bandwidth of writes, Gb/s: lower and upper bound.
struct BandwidthRow {
  TransferRate rate;
  unsigned width;
  unsigned max_payload;
  std::uint64_t payload;
  double lower, upper;
};
constexpr BandwidthRow writes[]{
    {{80}, 8, 256, 64, 42.10, 45.26},      {{80}, 8, 256, 128, 48.75, 52.40},
    {{80}, 8, 256, 256, 52.92, 56.90},     {{160}, 16, 256, 64, 165.38, 181.75},
    {{160}, 16, 256, 128, 191.49, 210.45}, {{160}, 16, 256, 256, 207.91, 228.49},
    {{160}, 16, 512, 64, 166.72, 181.83},  {{160}, 16, 512, 512, 218.98, 238.83}};

TEST(Wire, WritesReachTheBandwidthOfTheClosedFormUnderAcks) {
  for (const auto& row : writes) {
    SCOPED_TRACE(testing::Message() << row.rate.hundred_mega << " x" << row.width << ", "
                                    << row.payload << " of " << row.max_payload);
    Wire wire{link(row.rate, row.width), row.max_payload};
    const int packets = 100'000;
    Picoseconds end{};
    for (int i = 0; i < packets; ++i) {
      wire.acknowledge(end);
      end = wire.send(row.payload + 24, 0_ps).last_bit;
    }
    const auto gigabits =
        static_cast<double>(row.payload) * 8 * packets * 1000 / static_cast<double>(end.count());
    EXPECT_GE(gigabits, row.lower);
    EXPECT_NEAR(gigabits, row.upper, row.upper * 0.01);
  }
}

}  // namespace
}  // namespace ioasim::pcie
