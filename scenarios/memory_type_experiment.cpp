#include "scenarios/memory_type_experiment.hpp"

#include "cpu/msr.hpp"
#include "scenarios/dma_way.hpp"

namespace ioasim::scenarios {
namespace {

using cpu::MemoryType;
using cpu::PatIndex;
using Flags = devices::DmaDescriptor;
namespace msr = cpu::msr;

constexpr Picoseconds poll_interval = 200_ns;
constexpr int polls_max = 1000;

// The entries that a mapping selects below: the first four as after reset, then WC and WP.
constexpr std::uint64_t pat_value = 0x0007'0501'0007'0406;

PatIndex entry_of(MemoryType type) {
  for (std::uint8_t n = 0; n < 8; ++n) {
    if ((pat_value >> 8 * n & 0xff) == static_cast<std::uint64_t>(type)) return {n};
  }
  UNREACHABLE();
}

template <class Body>
void with_empty_caches(cpu::Instructions& cpu, Body body) {
  cpu.disable_caches(true);
  cpu.wbinvd();
  body();
  cpu.wbinvd();
  cpu.disable_caches(false);
}

}  // namespace

MemoryTypeExperiment::MemoryTypeExperiment(World& world, DmaDriver& driver)
    : world_{world},
      user_{world.user()},
      driver_{driver},
      page_{driver.map(page_bytes)},
      other_{driver.map(page_bytes)} {
  user_.store(page_.address, std::uint64_t{0});
  user_.store(other_.address, std::uint64_t{0});
  line_ = *user_.physical(page_.address);
}

void MemoryTypeExperiment::set_mtrr(MemoryType type) {
  using Base = cpu::Mtrrs::PhysBase;
  using Mask = cpu::Mtrrs::PhysMask;
  user_.call_driver([&](cpu::Instructions& cpu) {
    with_empty_caches(cpu, [&] {
      cpu.wrmsr(msr::pat, pat_value);
      cpu.wrmsr(msr::mtrr_phys_base0,
                line_.page_base().value | Base::type::of(static_cast<std::uint64_t>(type)));
      cpu.wrmsr(msr::mtrr_phys_mask0, Mask::mask::mask | Mask::valid::mask);
    });
  });
}

// The line has a new value, in memory alone.
void MemoryTypeExperiment::reset(cpu::Instructions& cpu, PatIndex pat) {
  store(cpu, pat, false, ++last_);
  cpu.mfence();
  cpu.clflush(line_);
  cpu.mfence();
}

void MemoryTypeExperiment::store(cpu::Instructions& cpu, PatIndex pat, bool non_temporal,
                                 std::uint64_t value) {
  if (!non_temporal) return cpu.store(line_, value, pat);
  cpu.store_nt(line_, std::as_bytes(std::span{&value, 1}), pat);
}

// A load of the line hits in the core's own caches.
bool MemoryTypeExperiment::cached(cpu::Instructions& cpu, PatIndex pat) {
  const auto& caches = world_.machine().core(cpu.number()).cache_stats();
  const auto hits = caches.l1_hits.n + caches.l2_hits.n;
  cpu.load<std::uint64_t>(line_, pat);
  return caches.l1_hits.n + caches.l2_hits.n > hits;
}

MemoryTypeResult MemoryTypeExperiment::try_type(MemoryType type, bool non_temporal) {
  const auto pat = entry_of(type);
  MemoryTypeResult result;
  user_.call_driver([&](cpu::Instructions& cpu) {
    reset(cpu, pat);
    auto begin = cpu.now();
    cpu.load<std::uint64_t>(line_, pat);
    result.load = cpu.now() - begin;
    result.page.allocates = cached(cpu, pat);
    begin = cpu.now();
    store(cpu, pat, non_temporal, ++last_);
    result.store = cpu.now() - begin;
    cpu.mfence();
    result.page.keeps = cached(cpu, pat);
  });
  result.page.seen_at_once = seen_while_streaming(pat, non_temporal);
  result.page.seen_after_fence = seen_after_fence(pat, non_temporal);
  result.page.dma_seen = sees_dma(pat);
  return result;
}

// A doorbell would empty the write-combining buffers, so the device is running already: it copies
// the line over and over.
bool MemoryTypeExperiment::seen_while_streaming(PatIndex pat, bool non_temporal) {
  user_.call_driver([&](cpu::Instructions& cpu) { reset(cpu, pat); });
  driver_.start(page_.iova, other_.iova, bytes, Flags::source_no_snoop, true);
  const auto wait_until = [&](auto ready) {
    for (int n = 0; !ready() && n < polls_max; ++n) user_.cpu().execute(poll_interval);
  };
  const auto arrived = [&] { return user_.load<std::uint64_t>(other_.address) == last_; };
  wait_until(arrived);
  user_.call_driver([&](cpu::Instructions& cpu) { store(cpu, pat, non_temporal, ++last_); });
  const auto& copied = driver_.engine().stats().bytes;
  // A copy takes a request at least: later ones have seen what is in memory.
  const auto& engine = dma_way(world_.machine().description(), "dma0").device.params;
  const auto enough = copied.n + 4 * engine.requests_max * bytes;
  wait_until([&] { return copied.n >= enough; });
  const bool seen = arrived();
  driver_.stop();
  driver_.finish();
  return seen;
}

bool MemoryTypeExperiment::seen_after_fence(PatIndex pat, bool non_temporal) {
  user_.call_driver([&](cpu::Instructions& cpu) {
    reset(cpu, pat);
    store(cpu, pat, non_temporal, ++last_);
    cpu.sfence();
  });
  driver_.copy(page_.iova, other_.iova, bytes, Flags::source_no_snoop);
  return user_.load<std::uint64_t>(other_.address) == last_;
}

// The CPU has read the line before.
bool MemoryTypeExperiment::sees_dma(PatIndex pat) {
  user_.call_driver([&](cpu::Instructions& cpu) {
    reset(cpu, pat);
    cpu.load<std::uint64_t>(line_, pat);
  });
  user_.store(other_.address, ++last_);
  driver_.copy(other_.iova, page_.iova, bytes, Flags::target_no_snoop);
  std::uint64_t got = 0;
  user_.call_driver([&](cpu::Instructions& cpu) { got = cpu.load<std::uint64_t>(line_, pat); });
  return got == last_;
}

MemoryTypeExperiment::Alias MemoryTypeExperiment::try_alias() {
  std::uint64_t got = 0;
  const auto reported = world_.stale_reads();
  set_mtrr(MemoryType::write_back);
  user_.call_driver([&](cpu::Instructions& cpu) {
    const auto write_back = entry_of(MemoryType::write_back);
    reset(cpu, write_back);
    cpu.store(line_, ++last_, write_back);
    cpu.mfence();
    got = cpu.load<std::uint64_t>(line_, entry_of(MemoryType::uncached));
    cpu.clflush(line_);
  });
  if (world_.stale_reads() == reported) return {got == last_, got == last_};
  const auto missing = world_.oracle().stale_reads().back().missing;
  return {got == last_, got != last_ && missing == cache::Missing::one_memory_type};
}

}  // namespace ioasim::scenarios
