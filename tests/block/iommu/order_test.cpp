// The order of requests through the unit, whatever their translations take.
#include <gtest/gtest.h>

#include "support/iommu_bench.hpp"

namespace ioasim::iommu {
namespace {

using test::filled;
using test::Request;
namespace vtd = test::vtd;

constexpr std::uint64_t cached = 0x4000'0000;
constexpr std::uint64_t uncached = 0x5000'0000;
constexpr std::uint64_t message = 0xfee0'3000;

class Order : public test::IommuBench {
 protected:
  void start() {
    enable_default();
    tables.map(cached, 0x70'0000);
    read(cached);
    tables.map(uncached, 0x71'0000);
    sleep_until(100_us);
  }
  // Times at which port 0 of memory was reached since start().
  std::vector<std::pair<std::uint64_t, Picoseconds>> arrivals() const {
    std::vector<std::pair<std::uint64_t, Picoseconds>> list;
    for (const auto& entry : memory.seen_by(0)) {
      if (entry.at >= 100_us) list.emplace_back(entry.address, entry.at);
    }
    return list;
  }
};

TEST_F(Order, PostedWaitsForAnEarlierPostedThatWalks) {
  run([&] {
    start();
    device.write(uncached, filled(64, 1));
    device.write(cached, filled(64, 2));
    sleep(20_us);
    const auto list = arrivals();
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].first, 0x71'0000u);
    EXPECT_EQ(list[1].second, list[0].second);
    EXPECT_GT(list[0].second, 100_us + lookup + step - 1_ps);
  });
  EXPECT_EQ(unit.stats().held_for_order.n, 1u);
}

TEST_F(Order, ReadWaitsForAnEarlierPostedThatWalks) {
  run([&] {
    start();
    device.write(uncached, filled(64, 1));
    device.read(cached, 64);
    sleep(20_us);
    const auto list = arrivals();
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].first, 0x71'0000u);
    EXPECT_EQ(list[1].second, list[0].second);
  });
}

TEST_F(Order, PostedPassesAnEarlierReadThatWalks) {
  run([&] {
    start();
    device.read(uncached, 64);
    device.write(cached, filled(64, 2));
    sleep(20_us);
    const auto list = arrivals();
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].first, 0x70'0000u);
    EXPECT_EQ(list[0].second, 100_us + lookup);
  });
}

TEST_F(Order, ReadPassesAnEarlierReadThatWalks) {
  run([&] {
    start();
    device.read(uncached, 64);
    device.read(cached, 64);
    sleep(20_us);
    EXPECT_EQ(arrivals().at(0).first, 0x70'0000u);
  });
}

TEST_F(Order, PortsAreNotOrderedAmongEachOther) {
  run([&] {
    start();
    device1.tlp.requester = device.tlp.requester;
    device.write(uncached, filled(64, 1));
    device1.write(cached, filled(64, 2));
    sleep(20_us);
    const auto list = arrivals();
    EXPECT_EQ(list.at(0).first, 0x70'0000u);
    EXPECT_EQ(list.at(0).second, 100_us + lookup);
  });
}

TEST_F(Order, ManyHeldRequestsGoInTheirOrder) {
  run([&] {
    start();
    device.write(uncached, filled(64, 1));
    for (unsigned n = 0; n < 10; ++n) {
      device.write(cached + n * 64, filled(64, n));
      device.read(cached + 0x800 + n * 64, 64);
    }
    sleep(20_us);
    const auto all = memory.seen_by(0);
    std::vector<std::uint64_t> writes;
    std::size_t written = 0;
    for (const auto& entry : all) {
      if (entry.at < 100_us) continue;
      if (entry.write) {
        writes.push_back(entry.address);
        ++written;
      } else {
        // Read n came after write n, so write n has gone.
        EXPECT_GE(written, (entry.address - 0x70'0800) / 64 + 2);
      }
    }
    ASSERT_EQ(writes.size(), 11u);
    EXPECT_EQ(writes[0], 0x71'0000u);
    for (unsigned n = 0; n < 10; ++n) EXPECT_EQ(writes[n + 1], 0x70'0000u + n * 64);
  });
}

TEST_F(Order, FaultingWriteLetsTheNextGo) {
  run([&] {
    start();
    tables.unmap(uncached);
    const Request& dropped = device.write(uncached, filled(64, 1));
    const Request& next = device.write(cached, filled(64, 2));
    sleep(20_us);
    EXPECT_FALSE(dropped.ok());
    EXPECT_TRUE(next.ok());
    EXPECT_EQ(next.done_at, dropped.done_at + memory_latency);
  });
}

// ---- interrupt messages ----

TEST_F(Order, InterruptGoesToTheControllerAndNotToMemory) {
  run([&] {
    start();
    const auto before = accesses();
    const Request& sent = device.write(message, test::word(0x41, 4));
    sleep(20_us);
    EXPECT_TRUE(sent.ok());
    EXPECT_EQ(accesses(), before);
    ASSERT_EQ(interrupts.seen.size(), 1u);
    EXPECT_EQ(interrupts.seen[0].address, message);
    EXPECT_EQ(interrupts.seen[0].at, 100_us + lookup);
    EXPECT_EQ(test::value_of(interrupts.seen[0].data), 0x41u);
  });
}

TEST_F(Order, InterruptDoesNotPassAnEarlierWriteThatWalks) {
  run([&] {
    start();
    device.write(uncached, filled(64, 1));
    device.write(message, test::word(0x41, 4));
    sleep(20_us);
    ASSERT_EQ(interrupts.seen.size(), 1u);
    EXPECT_EQ(interrupts.seen[0].at, arrivals().at(0).second);
  });
}

TEST_F(Order, LaterWriteDoesNotPassAnInterrupt) {
  run([&] {
    start();
    device.write(uncached, filled(64, 1));
    device.write(message, test::word(0x41, 4));
    device.write(cached, filled(64, 2));
    sleep(20_us);
    EXPECT_EQ(arrivals().at(1).first, 0x70'0000u);
    EXPECT_GE(arrivals().at(1).second, interrupts.seen.at(0).at);
  });
}

// Invariant 91.
TEST_F(Order, WithPasidTheRangeIsOrdinaryMemory) {
  run([&] {
    start();
    tables.map(message & ~0xfffull, 0x72'0000);
    device.tlp.has_pasid = true;
    device.tlp.pasid = {0};
    write(message + 0x10, 4);
    EXPECT_EQ(target(), 0x72'0010u);
    EXPECT_TRUE(interrupts.seen.empty());
  });
}

TEST_F(Order, ReadOfTheRangeIsAnError) {
  run([&] {
    start();
    EXPECT_FALSE(read(message, 4).ok());
    EXPECT_TRUE(interrupts.seen.empty());
  });
}

TEST_F(Order, InterruptsPassWithTranslationOff) {
  run([&] {
    device.write(message, test::word(0x41, 4));
    sleep(1_us);
    EXPECT_EQ(interrupts.seen.size(), 1u);
  });
}

}  // namespace
}  // namespace ioasim::iommu
