// A random program of two cores and a copy engine on a few lines, beside a flat array that holds
// what coherent memory would (invariant 25). The engine asks for No Snoop at random; every page
// may be forced to be snooped.
//
// While the engine copies, the cores work on other bytes of the same lines. What a core has stored
// is made visible before another looks at it: nothing here depends on the order of its stores.
#pragma once

#include <fmt/format.h>

#include <string>

#include "base/check.hpp"
#include "base/prng.hpp"
#include "support/data.hpp"
#include "support/forked.hpp"
#include "support/machine_bench.hpp"

namespace ioasim::test {

class CoherentProgram {
 public:
  // Runs one in a process of its own. Returns the first differences; empty: coherent. A program
  // that does not end, or an engine that halts, is not one of them: the test fails.
  static std::string forked(std::uint64_t seed, bool enforced) {
    const auto result = in_fork([=] { return run(seed, enforced); });
    EXPECT_TRUE(result.ok()) << result.why();
    return result.text;
  }

 private:
  static std::string run(std::uint64_t seed, bool enforced) {
    const auto description = machine_of(seed);
    Machine host{description};
    CoherentProgram program{host, seed};
    Script script{"software", host.machine.clock(), [&] { program.all(enforced); }};
    sc_core::sc_start();
    CHECK(script.finished());
    return program.differences_;
  }

  // Two neighbours, and two more lines of the set of the first in each cache.
  static constexpr std::uint64_t base = 0x100'0000;
  static constexpr std::uint64_t stride = 0x2000;
  static constexpr std::uint64_t areas = 3;
  static constexpr std::uint64_t area_bytes = 2 * line_bytes;
  static constexpr std::uint64_t mailbox = 0x200'0040;
  static constexpr unsigned steps = 250;

  // Bytes of one area.
  struct Span {
    std::uint64_t area;
    std::uint64_t first;
    std::uint64_t bytes;

    std::uint64_t address() const { return base + area * stride + first; }
    bool overlaps(const Span& other) const {
      return area == other.area && first < other.first + other.bytes && other.first < first + bytes;
    }
  };

  static machine::Description machine_of(std::uint64_t seed) {
    using cache::Protocol;
    auto description = Machine::plain();
    auto& caches = description.cache;
    caches.protocol = std::array{Protocol::mesif, Protocol::moesi, Protocol::mesi}[seed % 3];
    caches.l1d = {.capacity = 512_B, .ways = 2};
    caches.l2 = {.capacity = 1_KiB, .ways = 2};
    caches.llc.capacity = 64_KiB;
    caches.llc.ways = 4;
    caches.llc.slices = 2;
    caches.llc.inclusive = seed % 2 == 0;
    caches.llc.ddio = seed % 4 != 3;
    caches.filter = {.covers = 4_KiB, .ways = 2};
    return description;
  }

  CoherentProgram(Machine& host, std::uint64_t seed)
      : host_{host}, random_{seed, "program"}, flat_(areas, Data(area_bytes)) {}

  void all(bool enforced) {
    host_.enable_engine();
    const auto flags = vtd::read | vtd::write | (enforced ? vtd::snoop : 0);
    for (const auto page : {Machine::descriptors, mailbox & ~(page_bytes - 1)}) {
      host_.tables.map(page, page);
    }
    for (std::uint64_t area = 0; area < areas; ++area) {
      host_.tables.map(base + area * stride, base + area * stride, flags);
    }
    host_.enable_translation();
    for (unsigned step = 0; step < steps && found_ < 3; ++step) one_step(step);
    for (std::uint64_t area = 0; area < areas; ++area) {
      const Span whole{area, 0, area_bytes};
      dma_read(steps, whole, true);
      for (const unsigned core : {0u, 1u}) check_load(steps, core, whole);
    }
  }

  void one_step(unsigned step) {
    const auto core = any_core();
    switch (random_.between(0, 7)) {
      case 0:
      case 1:
        return store(core, any_span());
      case 2:
        return check_load(step, core, any_span());
      case 3:
        return flush(core);
      case 4:
      case 5:
        return dma_read(step, any_span(), !random_.one_in(4));
      default:
        return dma_write(step, any_span(), !random_.one_in(4));
    }
  }

  unsigned any_core() { return static_cast<unsigned>(random_.between(0, 1)); }
  Span any_span() {
    const auto first = random_.one_in(3) ? 0 : random_.between(0, area_bytes - 1);
    const auto bytes = random_.one_in(3) ? area_bytes - first : random_.between(1, 80);
    return {random_.between(0, areas - 1), first, std::min(bytes, area_bytes - first)};
  }
  Data any_data(std::uint64_t bytes) {
    Data data(bytes);
    for (auto& byte : data) byte = static_cast<std::byte>(random_.next());
    return data;
  }
  std::span<std::byte> flat(const Span& span) {
    return std::span{flat_[span.area]}.subspan(span.first, span.bytes);
  }
  cpu::Core& core(unsigned n) { return host_.machine.core(n); }

  // ---- cores ----

  void store(unsigned n, const Span& span) {
    const auto data = any_data(span.bytes);
    if (random_.one_in(4)) {
      core(n).store_nt(Hpa{span.address()}, data);
    } else {
      core(n).store(Hpa{span.address()}, data);
    }
    core(n).mfence();
    std::copy(data.begin(), data.end(), flat(span).begin());
  }
  void check_load(unsigned step, unsigned n, const Span& span) {
    Data data(span.bytes);
    core(n).load(Hpa{span.address()}, data);
    compare(step, fmt::format("core {}", n), span, data);
  }
  void flush(unsigned n) {
    const Hpa address{any_span().address()};
    switch (random_.between(0, 6)) {
      case 0:
        return core(n).wbinvd();
      case 1:
        return core(n).wbnoinvd();
      case 2:
      case 3:
        return core(n).clflush(address);
      case 4:
        return core(n).clwb(address);
      default:
        return core(n).clflushopt(address);
    }
  }

  // ---- the engine ----

  void dma_read(unsigned step, const Span& span, bool no_snoop) {
    start(span.address(), mailbox, span.bytes, no_snoop ? 1 : 0);
    work_beside(step, span);
    finish();
    Data data(span.bytes);
    core(0).load(Hpa{mailbox}, data);
    compare(step, no_snoop ? "no-snoop read" : "read", span, data);
  }
  void dma_write(unsigned step, const Span& span, bool no_snoop) {
    const auto data = any_data(span.bytes);
    core(0).store(Hpa{mailbox}, data);
    start(mailbox, span.address(), span.bytes, no_snoop ? 2 : 0);
    work_beside(step, span);
    finish();
    std::copy(data.begin(), data.end(), flat(span).begin());
  }
  // What the cores do meanwhile: to other bytes, often of the same lines; and flushes.
  void work_beside(unsigned step, const Span& busy) {
    for (auto left = random_.between(0, 12); left > 0; --left) {
      const auto n = any_core();
      auto span = any_span();
      if (random_.one_in(2)) span.area = busy.area;
      if (random_.one_in(4)) {
        flush(n);
      } else if (!span.overlaps(busy)) {
        random_.one_in(2) ? store(n, span) : check_load(step, n, span);
      }
      core(n).execute(Picoseconds{static_cast<std::int64_t>(random_.between(0, 200'000))});
    }
  }

  void start(std::uint64_t source, std::uint64_t target, std::uint64_t bytes, std::uint32_t flags) {
    host_.start({.source = source,
                 .target = target,
                 .bytes = static_cast<std::uint32_t>(bytes),
                 .flags = flags});
  }
  void finish() { CHECK(host_.finish(500_ns) == 2); }  // done, not halted

  // ---- findings ----

  void compare(unsigned step, std::string_view who, const Span& span, const Data& got) {
    const auto expected = flat(span);
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (got[i] == expected[i]) continue;
      return note(fmt::format("step {}: {} of {} bytes at {:#x}: byte {} is {:#x}, not {:#x}", step,
                              who, span.bytes, span.address(), i, std::to_integer<unsigned>(got[i]),
                              std::to_integer<unsigned>(expected[i])));
    }
  }
  void note(const std::string& difference) {
    ++found_;
    differences_ += difference + "\n";
  }

  Machine& host_;
  Prng random_;
  std::vector<Data> flat_;
  unsigned found_ = 0;
  std::string differences_;
};

}  // namespace ioasim::test
