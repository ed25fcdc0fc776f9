// Caches and memory of a server, at their real size, against arithmetic: flushes of
// lines and of whole caches, and the window that a device finds what it wrote in.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "cache/defects.hpp"
#include "cpu/core.hpp"
#include "memory/dram.hpp"
#include "support/bench.hpp"
#include "support/data.hpp"
#include "support/responder.hpp"
#include "support/run_scenario.hpp"

namespace ioasim {
namespace {

// One core of the server, its caches, its memory.
class CachesLaw : public test::Bench {
 protected:
  void build(Bytes capacity, unsigned ways) {
    caches.llc.capacity = capacity;
    caches.llc.ways = ways;
    dram = std::make_unique<memory::Dram>("dram", clock, memory);
    home = std::make_unique<cache::HomeAgent>(
        "home", clock, bus, caches, cache::Topology{}, std::vector<unsigned>{},
        std::vector<Range<Hpa>>{{Hpa{0}, memory.capacity.count}});
    core = std::make_unique<cpu::Core>("core", clock, bus, *home, cpu::Params{}, caches, 0);
    registers = std::make_unique<test::Responder>("registers", clock, 1);
    home->memory.bind(dram->home);
    core->mmio.bind(registers->port(0));
  }

  static test::Data page_of(std::uint64_t at) {
    return test::pattern(page_bytes, static_cast<unsigned>(at / page_bytes));
  }
  void store_pages(std::uint64_t from, std::uint64_t bytes) {
    for (auto at = from; at < from + bytes; at += page_bytes) core->store(Hpa{at}, page_of(at));
    core->mfence();
  }
  bool in_memory(std::uint64_t at) const {
    test::Data data(page_bytes);
    dram->contents().read(Hpa{at}, data);
    return data == page_of(at);
  }

  template <class Instruction>
  Picoseconds time_of(Instruction instruction) {
    const auto begin = now();
    instruction();
    return now() - begin;
  }
  // All channels of a socket busy.
  Picoseconds writing(std::uint64_t lines) const {
    return transfer_time(line_bytes, memory.channel_bandwidth) *
           static_cast<std::int64_t>(lines / memory.channels);
  }
  // The slices are scanned side by side, after the core's level 2.
  Picoseconds scan() const {
    const auto own = caches.l2.capacity.count / line_bytes;
    const auto slice = caches.llc.capacity.count / line_bytes / caches.llc.slices;
    return caches.flush.tag_scan * static_cast<std::int64_t>(own + slice);
  }

  cache::Params caches{};
  memory::Params memory{};
  std::unique_ptr<memory::Dram> dram;
  std::unique_ptr<cache::HomeAgent> home;
  std::unique_ptr<cpu::Core> core;
  std::unique_ptr<test::Responder> registers;
};

// 32 MiB at 68 GB/s, K-03 and K-04: not above 5 ms.
TEST_F(CachesLaw, WbinvdOfAFullyDirtyLastLevelTakesItsBound) {
  constexpr std::uint64_t bytes = 32u << 20;
  build({bytes}, 16);
  run([&] {
    store_pages(0, bytes);
    const auto before = home->coherence_stats().writebacks.n;
    EXPECT_EQ(before, 0u);
    const auto time = time_of([&] { core->wbinvd(); });
    const auto bound = writing(bytes / line_bytes);
    EXPECT_GE(time, bound);
    EXPECT_LE(time, bound * 11 / 10);
    EXPECT_LE(time, 5'000_us);
    EXPECT_EQ(home->coherence_stats().writebacks.n, bytes / line_bytes);
    unsigned missing = 0;
    for (std::uint64_t at = 0; at < bytes; at += page_bytes) missing += in_memory(at) ? 0u : 1u;
    EXPECT_EQ(missing, 0u);
  });
}

TEST_F(CachesLaw, WbinvdOfCleanCachesIsTheScan) {
  build(32_MiB, 16);
  run([&] {
    EXPECT_EQ(time_of([&] { core->wbinvd(); }), scan());
    std::vector<std::byte> into(page_bytes);
    for (std::uint64_t at = 0; at < (8u << 20); at += page_bytes) core->load(Hpa{at}, into);
    EXPECT_EQ(time_of([&] { core->wbnoinvd(); }), scan());
    EXPECT_EQ(time_of([&] { core->wbinvd(); }), scan());
    EXPECT_EQ(home->coherence_stats().writebacks.n, 0u);
  });
}

// VAL-24, K-01: linear, no plateau at the 20 MiB of the last level, 50 to 60 ns a line.
TEST_F(CachesLaw, ClflushIsLinearPastTheLastLevel) {
  build(20_MiB, 20);
  run([&] {
    std::vector<std::byte> into(page_bytes);
    for (const std::uint64_t megabytes : {5u, 9u, 15u, 17u, 19u, 21u}) {
      const auto bytes = megabytes * 1'000'000 / page_bytes * page_bytes;
      for (std::uint64_t at = 0; at < bytes; at += page_bytes) core->load(Hpa{at}, into);
      const auto time = time_of([&] {
        for (std::uint64_t at = 0; at < bytes; at += line_bytes) core->clflush(Hpa{at});
      });
      const auto line = time / static_cast<std::int64_t>(bytes / line_bytes);
      EXPECT_GE(line, 50_ns) << megabytes << " MB";
      EXPECT_LE(line, 60_ns) << megabytes << " MB";
    }
  });
}

// ---- scenarios, each in a process of its own ----

using test::not_held;

// What `of` says about the report; and what went wrong.
template <class Of>
std::string run_scenario(const char* name, const std::vector<std::string>& settings, Of of) {
  const auto known = scenarios::scenarios();
  return test::run_scenario(
      find_scenario(known, name), settings,
      [&](const scenarios::Report& report, const auto&) { return of(report); });
}

double number(const scenarios::Cell& cell) { return std::stod(to_text(cell)); }

// VAL-10 at sizes that it was not measured at: a write hits with min(1, D / W), D being
// ways_ddio / ways of the last level; and the latency is that of a hit and of a miss in this share,
// to a twentieth of their difference.
TEST(DdioWindowLaw, HoldsForEverySizeOfTheLastLevel) {
  // Windows from 64 KiB to 8 times the 2 ways that device writes may enter.
  for (const auto& [megabytes, windows] : {std::pair{5, 7u}, {10, 8u}, {20, 9u}}) {
    const double way = megabytes * double{1 << 20} / 20;
    const auto wrong = [&](const scenarios::Report& report) {
      auto text = not_held(report);
      const auto& rows = report.rows();
      if (rows.size() != windows + 6) return text + fmt::format("{} rows\n", rows.size());
      const auto value = [&](const scenarios::Row& row, const char* column) {
        return number(report.at(row.name, column));
      };
      const auto resident = [&](const scenarios::Row& row) {
        return std::min(1.0, value(row, "ways") * way / value(row, "window"));
      };
      const auto hit = value(rows[0], "latency");
      const auto rise =
          (value(rows[windows - 1], "latency") - hit) / (1 - resident(rows[windows - 1]));
      for (const auto& row : rows) {
        const auto missing = 1 - resident(row);
        const bool agrees = std::abs(value(row, "hit_rate") + missing - 1) <= 0.03 &&
                            std::abs(value(row, "latency") - hit - missing * rise) <= 0.05 * rise;
        if (!agrees) text += row.name + "\n";
      }
      return text;
    };
    const auto capacity = fmt::format("cache.llc.capacity={}MiB", megabytes);
    EXPECT_EQ(run_scenario("ddio-window", {capacity}, wrong), "") << capacity;
  }
}

// wbinvd looks at all tags, and then writes what is left: the lines of the buffer and those beside
// it. A clflush of a line takes 55 ns, and 20 ns more if the core has it. So wbinvd is the longer
// the more is dirty, and each crossover is where arithmetic has it.
TEST(FlushCrossoverLaw, IsWhereArithmeticHasIt) {
  constexpr double llc = 20u << 20;
  constexpr double line = line_bytes;
  for (const unsigned background : {0u, 25u}) {
    const auto wrong = [&](const scenarios::Report& report) {
      auto text = not_held(report);
      double crossover = 0;
      for (const auto& row : report.rows()) {
        const auto bytes = number(report.at(row.name, "size"));
        const auto clflush = number(report.at(row.name, "clflush"));
        const auto wbinvd = number(report.at(row.name, "wbinvd"));
        const auto of_core = std::min(bytes, 256.0 * 1024);
        const auto loop = (55 * bytes + 20 * of_core) / line;
        const auto scan = llc / line / 8 + 256 * 1024 / line;
        const auto writing = (llc * background / 100 + bytes) / 68.264;  // bytes/ns, 4 channels
        const auto flush = std::max(scan, writing + 256 * 1024 / line);
        if (std::abs(clflush - loop) > 0.02 * loop) text += row.name + ": clflush\n";
        if (std::abs(wbinvd - flush) > 0.10 * flush) text += row.name + ": wbinvd\n";
        if (crossover == 0 && flush < loop) crossover = bytes;
      }
      for (const auto& metric : report.metrics()) {
        if (metric.name == "crossover_clflush" && number(metric.value) != crossover) {
          text += fmt::format("crossover at {}\n", crossover);
        }
      }
      return text;
    };
    EXPECT_EQ(
        run_scenario("flush-crossover",
                     {"scenario.largest=512KiB", fmt::format("scenario.background={}", background)},
                     wrong),
        "")
        << background;
  }
}

// A wbnoinvd that writes more takes a neighbour no less time a load: the neighbour does not keep
// step with it.
TEST(WbinvdCostLaw, NeighbourDoesNotKeepStep) {
  EXPECT_EQ(run_scenario("wbinvd-cost", {},
                         [](const scenarios::Report& report) {
                           std::string text = not_held(report);
                           const auto none = "wbnoinvd, 0KiB stored, one core, same socket";
                           const auto most = "wbnoinvd, 3MiB stored, one core, same socket";
                           const auto clean = number(report.at(none, "load_during"));
                           const auto dirty = number(report.at(most, "load_during"));
                           if (dirty < 0.95 * clean) text += fmt::format("{} {}", clean, dirty);
                           return text;
                         }),
            "");
}

// K-01 in the scenario too: a last level that the largest buffer is larger than.
TEST(FlushCrossoverLaw, LinearPastTheLastLevel) {
  EXPECT_EQ(run_scenario("flush-crossover", {"cache.llc.capacity=1280KiB"},
                         [](const scenarios::Report& report) {
                           std::string text = not_held(report);
                           for (const auto& row : report.rows()) {
                             const auto cost = number(report.at(row.name, "clflush_line"));
                             const auto size = number(report.at(row.name, "size"));
                             if (size > (2u << 20) && std::abs(cost - 56) > 0.5) text += row.name;
                           }
                           return text;
                         }),
            "");
}

#ifdef IOASIM_DEFECTS
// Data that a flush drops are as old for the CPU, which reads them from memory, as for the device.
TEST(FlushCrossoverLaw, AFlushThatDropsWhatItFlushesIsSeen) {
  cache::built_in = cache::Defect::flush_all_drops;
  EXPECT_THAT(run_scenario("flush-crossover", {"scenario.largest=4KiB"}, not_held),
              testing::HasSubstr("after every way of flushing"));
  cache::built_in = cache::Defect::none;
}
#endif

}  // namespace
}  // namespace ioasim
