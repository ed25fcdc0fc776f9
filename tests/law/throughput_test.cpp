// The whole machine against Little's law, what is in flight is rate x latency; and what latency and
// rate are where arithmetic gives them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "support/machine_bench.hpp"

namespace ioasim {
namespace {

class Throughput : public test::MachineBench {
 protected:
  static machine::Description with(unsigned requests) {
    auto description = test::Machine::plain();
    description.devices[0].params.requests_max = requests;
    description.devices[0].params.issue = 0_ps;
    return description;
  }
  explicit Throughput(unsigned requests)
      : MachineBench{with(requests)}, requests_{static_cast<double>(requests)} {}

  void expect_littles_law() {
    constexpr double bytes = 1 << 20;
    run([&] {
      host.machine.bus().add(hops);
      host.enable_engine();
      ASSERT_EQ(host.copy({.source = 0x100'0000, .target = 0x300'0000, .bytes = 1u << 20}), 2u);
      // Without the descriptor.
      const auto& all = hops.entries;
      std::map<std::uint64_t, Picoseconds> issued;
      double latency = 0;
      Picoseconds first = forever;
      Picoseconds last{};
      for (const auto& entry : all) {
        if (entry.event.transaction == 1) continue;
        if (entry.event.hop == trace::Hop::issued) {
          issued[entry.event.transaction] = entry.at;
          first = std::min(first, entry.at);
        }
        if (entry.event.hop == trace::Hop::completed) {
          latency += static_cast<double>((entry.at - issued[entry.event.transaction]).count());
          last = std::max(last, entry.at);
        }
      }
      const auto time = static_cast<double>((last - first).count());
      EXPECT_NEAR(latency / time, requests_, requests_ * 0.01);
      rate_ = bytes / time * 1000;
      mean_ = latency / (bytes / 512) / 1000;
    });
  }

  double requests_;
  double rate_ = 0;  // bytes per ns
  double mean_ = 0;  // ns
};
class OneRequest : public Throughput {
 protected:
  OneRequest() : Throughput{1} {}
};
class FourRequests : public Throughput {
 protected:
  FourRequests() : Throughput{4} {}
};
class ManyRequests : public Throughput {
 protected:
  ManyRequests() : Throughput{32} {}
};

// Gen3 x8 carries so many bytes a ns. Beside the data, a read request, a write and a completion
// have 20 bytes each (addresses below 4 GiB).
constexpr double raw = 8.0 * 8 * 128 / 130 / 8;

// A read goes up behind the two writes of the one before it, takes two lines from each channel of
// memory, and comes back in two completions. DLLPs and SKPs, which this leaves out, are in the
// tolerance of 0.1 %.
TEST_F(OneRequest, TakesTheSumOfItsHops) {
  expect_littles_law();
  const auto& machine = host.machine.description();
  const auto& port = machine.root_ports[0];
  const auto ns = [](Picoseconds time) { return static_cast<double>(time.count()) / 1000; };
  const double two_of_data = (2 * 20 + 512) / raw;
  const double up = two_of_data + 20 / raw + ns(port.link.propagation);
  const double down = ns(port.link.propagation) + two_of_data;
  const double bandwidth =
      static_cast<double>(machine.memory.channel_bandwidth.bytes_per_second) / 1e9;
  const double memory = ns(machine.memory.latency) + 512 / bandwidth / machine.memory.channels;
  const double inside = 2 * ns(port.params.latency) + ns(machine.iommus[0].params.lookup) +
                        ns(machine.cache.llc.lookup) + memory;
  EXPECT_NEAR(mean_, up + inside + down, 0.001 * mean_);
}

TEST_F(FourRequests, LittlesLaw) { expect_littles_law(); }

// Reads and writes of the same size in both directions.
TEST_F(ManyRequests, LinkIsTheLimit) {
  expect_littles_law();
  const double own = raw * (1 - 4.0 / 1538 - 16.0 / (203 * 8));
  const double expected = own * 512 / (512 + 2 * 20 + 20);
  EXPECT_NEAR(rate_, expected, expected * 0.01);
}

}  // namespace
}  // namespace ioasim
