// Does the table of first-dma agree with arithmetic? Every hop from the parameters alone, by the
// formulas of tests/golden/README.md, and to the picosecond.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string_view>

#include "support/run_scenario.hpp"

namespace ioasim::test {
namespace {

using scenarios::Cell;
using scenarios::Configuration;
using scenarios::Report;

// A TLP of that many bytes on the lanes, rounded up, and the way through both PHYs.
Picoseconds over(const pcie::LinkParams& link, std::uint64_t bytes) {
  const bool old_encoding = link.rate.hundred_mega <= 50;
  const std::uint64_t bits = bytes * 8 * (old_encoding ? 10 : 130);
  const std::uint64_t of = old_encoding ? 8 : 128;
  // Transfers of a picosecond, times 10^4, on all lanes.
  const auto per_time = link.rate.hundred_mega * link.width;
  const auto time = (bits * 10'000 + of * per_time - 1) / (of * per_time);
  return Picoseconds{static_cast<std::int64_t>(time)} + link.propagation;
}

constexpr std::uint64_t framing = 8;
constexpr std::uint64_t request_header = 16;  // 4 DW: I/O virtual addresses are above 4 GiB
constexpr std::uint64_t completion_header = 12;
constexpr std::uint64_t descriptor_bytes = 32;
constexpr std::uint64_t data_bytes = 64;

// What differs from these formulas, a line each.
std::string compare(const Report& report, const Configuration& configuration) {
  const auto& machine = configuration.machine;
  const auto& port = machine.root_ports.front();
  const auto& iommu = machine.iommus.front().params;
  const auto& llc = machine.cache.llc;

  const auto line_of_a_core = llc.lookup + llc.snoop;
  const auto structure_read = iommu.walk_step + iommu.fabric + line_of_a_core + iommu.fabric;
  const unsigned levels = (iommu.address_bits - 12) / 9;
  const unsigned above = 4;  // root, context, PASID directory, PASID table

  std::string wrong;
  const auto expect = [&](std::string_view row, Picoseconds time) {
    const auto& cell = report.at(row, "time");
    if (cell == Cell{time}) return;
    wrong += fmt::format("{}: {} ns, but {} by arithmetic\n", row, to_text(cell),
                         to_text(scenarios::nanoseconds(time)));
  };
  const auto up = over(port.link, framing + request_header);
  expect("descriptor: link up", up);
  expect("read: link up", up);
  expect("write: link up", over(port.link, framing + request_header + data_bytes));
  for (const std::string request : {"descriptor", "read", "write"}) {
    expect(request + ": wait for the link", {});
    expect(request + ": root port, lookup", port.params.latency + iommu.lookup);
    expect(request + ": walk", structure_read * (request == "descriptor" ? above + levels : 1));
    expect(request + ": order behind writes", {});
    expect(request + ": caches and memory", line_of_a_core);
  }
  expect("descriptor: root port, return", port.params.latency);
  expect("descriptor: link down", over(port.link, framing + completion_header + descriptor_bytes));
  expect("read: root port, return", port.params.latency);
  expect("read: link down", over(port.link, framing + completion_header + data_bytes));
  return wrong;
}

void expect_agreement(const std::vector<std::string>& settings) {
  const auto& scenario = find_scenario(scenarios::scenarios(), "first-dma");
  EXPECT_EQ(run_scenario(scenario, settings, compare), "");
}

TEST(FirstDmaLaw, HopsOfTheServer) { expect_agreement({}); }

// The engine begins late enough for the Ack of the doorbell to have left the lane, which takes 64
// ns.
TEST(FirstDmaLaw, SlowLinkWithTheOldEncoding) {
  expect_agreement({"port0.link.rate=2.5GT/s", "port0.link.width=1", "dma0.setup=2us"});
}

TEST(FirstDmaLaw, FastLink) {
  expect_agreement(
      {"port0.link.rate=32GT/s", "port0.link.width=16", "port0.link.propagation=40ns"});
}

TEST(FirstDmaLaw, EveryLatencyOfTheWay) {
  expect_agreement({"port0.latency=10ns", "iommu0.lookup=7ns", "iommu0.walk_step=101ns",
                    "iommu0.fabric=13ns", "cache.llc.lookup=9ns", "cache.llc.snoop=31ns"});
}

TEST(FirstDmaLaw, LevelsOfTheTable) {
  expect_agreement({"iommu0.address_bits=39"});
  expect_agreement({"iommu0.address_bits=57"});
}

}  // namespace
}  // namespace ioasim::test
