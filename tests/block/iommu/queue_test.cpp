// The invalidation queue: its mechanics, its errors, its drain.
#include <gtest/gtest.h>

#include "support/iommu_bench.hpp"

namespace ioasim::iommu {
namespace {

using test::filled;
using test::Request;
namespace vtd = test::vtd;

constexpr std::uint64_t iova = 0x4000'0000;
constexpr std::uint64_t page = 0x70'0000;

constexpr auto head = 0x80u;
constexpr auto tail = 0x88u;
constexpr auto status = 0x34u;  // FSTS
constexpr auto completion = 0x9cu;
constexpr auto error_code = 0xb0u;
constexpr std::uint64_t queue_error = 1u << 4;

class Queue : public test::IommuBench {
 protected:
  // The queue stops at its first descriptor, with that code, and goes on with what software puts
  // in its place.
  void expect_error(vtd::Descriptor bad, unsigned code) {
    submit({bad, vtd::wait_status(status_address, 5)});
    sleep(10_us);
    EXPECT_EQ(get(status, 4) & queue_error, queue_error);
    EXPECT_EQ(get(error_code) & 0xf, code);
    EXPECT_EQ(get(head), 0u);
    EXPECT_EQ(memory.get(status_address), 0u);
    memory.put(queue_base, vtd::iotlb_global().low);
    memory.put(queue_base + 8, 0);
    memory.put(queue_base + 16, 0);
    set(status, queue_error, 4);
    sleep(10_us);
    EXPECT_EQ(get(status, 4), 0u);
    EXPECT_EQ(memory.get(status_address), 5u);
    EXPECT_EQ(get(head), 64u);
  }
  Picoseconds status_written_at() const {
    for (const auto& entry : memory.seen_by(1)) {
      if (entry.write) return entry.at;
    }
    return forever;
  }
};

// Invariant 72, and how long it takes.
TEST_F(Queue, WaitWritesItsStatusAfterFetchAndDecoding) {
  run([&] {
    enable_default();
    memory.put(status_address, 0xffff'ffff'ffff'ffff);
    sleep_until(1_us);
    submit({vtd::wait_status(status_address, 0x1234'5678)});
    sleep(10_us);
    // The write takes 40 ns on its way to memory.
    EXPECT_EQ(status_written_at(), 1_us + fetch + 40_ns);
    EXPECT_EQ(memory.get(status_address), 0xffff'ffff'1234'5678u);
    EXPECT_EQ(get(head), 32u);
  });
}

TEST_F(Queue, DescriptorsFollowOneAnother) {
  run([&] {
    enable_default();
    sleep_until(1_us);
    submit({vtd::iotlb_global(), vtd::pasid_cache_global(), vtd::wait_status(status_address, 1)});
    sleep(10_us);
    EXPECT_EQ(status_written_at(), 1_us + 3 * fetch + 40_ns);
  });
  EXPECT_EQ(unit.queue_stats().descriptors.n, 3u);
  EXPECT_EQ(unit.queue_stats().waits.n, 1u);
}

TEST_F(Queue, FetchAndStatusWriteAreSnooped) {
  run([&] {
    enable_default();
    submit({vtd::wait_status(status_address, 1)});
    sleep(10_us);
    for (const auto& entry : memory.seen_by(1)) EXPECT_TRUE(entry.snoop);
  });
}

// Invariant 73.
TEST_F(Queue, WaitWithInterruptSendsOneEventUntilSoftwareClearsTheStatus) {
  run([&] {
    enable_default();
    set(0xa4, 0x55, 4);
    set(0xa8, 0xfee0'2000, 4);
    set(0xa0, 0, 4);  // unmask
    submit({vtd::wait_interrupt()});
    sleep(10_us);
    ASSERT_EQ(interrupts.seen.size(), 1u);
    EXPECT_EQ(interrupts.seen[0].at, fetch);
    EXPECT_EQ(interrupts.seen[0].address, 0xfee0'2000u);
    EXPECT_EQ(test::value_of(interrupts.seen[0].data), 0x55u);
    EXPECT_EQ(get(completion, 4), 1u);
    submit({vtd::wait_interrupt()});
    sleep(10_us);
    EXPECT_EQ(interrupts.seen.size(), 1u);
    set(completion, 1, 4);
    EXPECT_EQ(get(completion, 4), 0u);
    submit({vtd::wait_interrupt()});
    sleep(10_us);
    EXPECT_EQ(interrupts.seen.size(), 2u);
  });
}

TEST_F(Queue, MaskedCompletionEventIsHeld) {
  run([&] {
    enable_default();
    submit({vtd::wait_interrupt()});
    sleep(10_us);
    EXPECT_TRUE(interrupts.seen.empty());
    EXPECT_EQ(get(0xa0, 4), 3u << 30);
    set(0xa0, 0, 4);
    sleep(1_us);
    EXPECT_EQ(interrupts.seen.size(), 1u);
  });
}

TEST_F(Queue, WaitMayWriteAndInterrupt) {
  run([&] {
    enable_default();
    set(0xa0, 0, 4);
    submit({vtd::wait_status(status_address, 3, true)});
    sleep(10_us);
    EXPECT_EQ(memory.get(status_address), 3u);
    EXPECT_EQ(interrupts.seen.size(), 1u);
  });
}

// ---- errors: invariants 56, 75, 76 ----

TEST_F(Queue, ReservedBitInTheFirstQword) {
  run([&] {
    enable_default();
    auto bad = vtd::iotlb_global();
    bad.low |= 1ull << 40;
    expect_error(bad, 4);
  });
}

TEST_F(Queue, ReservedBitInTheSecondQword) {
  run([&] {
    enable_default();
    auto bad = vtd::pasid_cache_global();
    bad.high = 1;
    expect_error(bad, 4);
  });
}

TEST_F(Queue, ReservedBitInTheUpperHalf) {
  run([&] {
    enable_default();
    memory.put(queue_base + 16, 1);
    expect_error(vtd::iotlb_global(), 4);
  });
}

TEST_F(Queue, AddressMaskBeyondTheLargest) {
  run([&] {
    enable_default();
    const auto largest = static_cast<unsigned>(get(0x08) >> 48 & 0x3f);
    expect_error(vtd::iotlb_page(1, 0, largest + 1), 4);
  });
}

TEST_F(Queue, LargestAddressMask) {
  run([&] {
    enable_default();
    invalidate({vtd::iotlb_page(1, 0, static_cast<unsigned>(get(0x08) >> 48 & 0x3f))});
    EXPECT_EQ(get(status, 4), 0u);
  });
}

TEST_F(Queue, UnknownType) {
  run([&] {
    enable_default();
    expect_error({0xe, 0}, 3);
  });
}

TEST_F(Queue, TypeZero) {
  run([&] {
    enable_default();
    expect_error({0, 0}, 3);
  });
}

TEST_F(Queue, TypeHasUpperBits) {
  run([&] {
    enable_default();
    expect_error({vtd::iotlb_global().low | 1 << 9, 0}, 3);
  });
}

TEST_F(Queue, WaitThatTellsNobody) {
  run([&] {
    enable_default();
    expect_error({5, 0}, 4);
  });
}

TEST_F(Queue, TailBeyondTheQueue) {
  run([&] {
    enable_default();
    set(tail, 0x1000);
    sleep(10_us);
    EXPECT_EQ(get(status, 4) & queue_error, queue_error);
    EXPECT_EQ(get(error_code) & 0xf, 1u);
  });
}

TEST_F(Queue, TailBetweenWideDescriptors) {
  run([&] {
    enable_default();
    set(tail, 0x10);
    sleep(10_us);
    EXPECT_EQ(get(error_code) & 0xf, 1u);
  });
}

TEST_F(Queue, FetchThatFails) {
  run([&] {
    memory.broken = queue_base;
    enable_default();
    submit({vtd::iotlb_global()});
    sleep(10_us);
    EXPECT_EQ(get(error_code) & 0xf, 2u);
    EXPECT_EQ(get(head), 0u);
  });
}

TEST_F(Queue, ErrorIsAnEvent) {
  run([&] {
    enable_default();
    set(0x38, 0, 4);
    submit({{0, 0}});
    sleep(10_us);
    EXPECT_EQ(interrupts.seen.size(), 1u);
  });
}

TEST_F(Queue, NarrowDescriptors) {
  run([&] {
    tables.build();
    set(0x90, queue_base);  // 128 bits
    set(0x18, 1u << 26, 4);
    memory.put(queue_base, vtd::iotlb_global().low);
    memory.put(queue_base + 16, vtd::wait_status(status_address, 9).low);
    memory.put(queue_base + 24, status_address);
    set(tail, 32);
    sleep(10_us);
    EXPECT_EQ(memory.get(status_address), 9u);
    EXPECT_EQ(get(head), 32u);
    // A PASID descriptor is 256 bits wide.
    memory.put(queue_base + 32, vtd::pasid_cache_global().low);
    set(tail, 48);
    sleep(10_us);
    EXPECT_EQ(get(error_code) & 0xf, 3u);
  });
}

// ---- invariant 79: the ring ----

TEST_F(Queue, FullRingCompletesAndWraps) {
  run([&] {
    enable_default();
    std::uint32_t waits = 0;
    for (unsigned round = 0; round < 3; ++round) {
      std::vector<vtd::Descriptor> all(126, vtd::iotlb_global());
      all.push_back(vtd::wait_status(status_address, ++waits));
      submit(all);  // 127 of 128 slots
      sleep(100_us);
      EXPECT_EQ(memory.get(status_address), waits);
      EXPECT_EQ(get(head), offset_of_next());
    }
  });
  EXPECT_EQ(unit.queue_stats().descriptors.n, 3u * 127);
}

TEST_F(Queue, EmptyQueueDoesNothing) {
  run([&] {
    enable_default();
    set(tail, 0);
    sleep(10_us);
    EXPECT_TRUE(memory.seen.empty());
  });
}

TEST_F(Queue, TailMovedDuringWorkIsSeen) {
  run([&] {
    enable_default();
    submit({vtd::iotlb_global()});
    sleep(fetch / 2);
    submit({vtd::wait_status(status_address, 1)});
    sleep(10_us);
    EXPECT_EQ(status_written_at(), 2 * fetch + 40_ns);
  });
}

// Invariant 80.
TEST_F(Queue, DisablingResetsTheHead) {
  run([&] {
    enable_default();
    invalidate({vtd::iotlb_global()});
    EXPECT_EQ(get(head), 64u);
    set(0x18, 1u << 31, 4);
    EXPECT_EQ(get(head), 0u);
    EXPECT_EQ(get(0x1c, 4) & 1u << 26, 0u);
  });
}

// ---- invariant 68: the drain ----

TEST_F(Queue, DrainWaitsForAWriteThatTheMemoryHasNotAccepted) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    read(iova);
    sleep_until(100_us);
    memory.latency = 30_us;
    const Request& write = device.write(iova, filled(64, 7));
    sleep(lookup);
    memory.latency = memory_latency;
    submit({vtd::iotlb_page(1, iova), vtd::wait_status(status_address, 1)});
    sleep_until(120_us);
    EXPECT_EQ(memory.get(status_address), 0u);
    sleep_until(200_us);
    EXPECT_EQ(write.done_at, 130_us + lookup);
    EXPECT_EQ(status_written_at(), write.done_at + fetch + 40_ns);
  });
}

TEST_F(Queue, DrainWaitsForAWalkAndWhatFollows) {
  run([&] {
    enable_default();
    tables.map(iova, page);
    const Request& write = device.write(iova, filled(64, 7));
    sleep(lookup + 1_ps);
    submit({vtd::iotlb_page(1, iova), vtd::wait_status(status_address, 1)});
    sleep(50_us);
    EXPECT_EQ(write.done_at, lookup + cold_steps * step + memory_latency);
    EXPECT_EQ(status_written_at(), write.done_at + fetch + 40_ns);
  });
}

// Under traffic, at all sorts of moments: once the wait's status is there, nothing reaches the old
// page any more.
TEST_F(Queue, NoWriteReachesTheOldPageAfterTheWait) {
  constexpr unsigned writes = 8000;
  constexpr std::uint32_t rounds = 60;
  run([&] {
    enable_default();
    tables.map(iova, page);
    tables.map(iova + 0x1000, page - 0x10'0000);
    device1.tlp.requester = device.tlp.requester;
    for (unsigned n = 0; n < writes; ++n) {
      device.write(iova + n % 2 * 0x1000, filled(64, n), Picoseconds{n * 10'000});
      device1.write(iova, filled(64, n), Picoseconds{n * 10'000 + 3'000});
    }
    // Pages by round, and how many accesses there were when its invalidation was complete.
    std::vector<std::size_t> complete{0};
    for (std::uint32_t round = 1; round <= rounds; ++round) {
      sleep(Picoseconds{500'000 + round * 11'000});
      tables.map(iova, page + round * 0x1000);
      submit({vtd::iotlb_page(1, iova), vtd::wait_status(status_address, round)});
      while (memory.get(status_address) != round) sleep(1_ns);
      complete.push_back(memory.seen.size());
    }
    for (std::size_t n = 0; n < memory.seen.size(); ++n) {
      const auto& entry = memory.seen[n];
      if (entry.port != 0 || entry.address < page) continue;
      const auto round = (entry.address - page) / 0x1000;
      ASSERT_TRUE(round == rounds || n <= complete[round + 1]) << round;
    }
  });
  EXPECT_EQ(device.completed().size(), writes);
}

}  // namespace
}  // namespace ioasim::iommu
