// Two cores on small caches, and a device: what the invariants of caches say of states is shown on
// it. One set of the last level can be filled, and what was pushed out of it counted.
#pragma once

#include <algorithm>
#include <array>

#include "base/prng.hpp"
#include "support/bench.hpp"
#include "support/core_pair.hpp"

namespace ioasim::test {

class TwoCores : public Bench {
 protected:
  explicit TwoCores(const cache::Params& caches = MemorySystem::small_caches())
      : pair{clock, bus, caches}, system{pair.system}, device{system.device} {}

  static constexpr Hpa address{0x4000};
  static constexpr std::uint64_t set_stride = 0x2000;  // 128 sets in the last level, of 8 ways
  static constexpr unsigned m = 0x11;
  static constexpr unsigned v = 0x22;
  static constexpr unsigned d = 0x33;

  cpu::Core& core(unsigned n) { return n == 0 ? pair.core0 : pair.core1; }
  cache::State state(unsigned n, Hpa at = address) {
    return system.home.caches(n).state(at.line());
  }
  Data memory(std::uint64_t at = address.value) const { return system.in_memory(at, 64); }

  // L holds m in memory and is in no cache.
  void start_absent() {
    core(0).clflush(address);
    core(0).mfence();
    device_write(false, m);
  }
  Data load(unsigned n, Hpa at = address) {
    Data data(64);
    core(n).load(at, data);
    return data;
  }
  void store(unsigned n, unsigned value, Hpa at = address) {
    core(n).store(at, filled(64, value));
    core(n).mfence();
  }
  void device_write(bool snooped, unsigned value, std::uint64_t at = address.value) {
    device.origin.snoop = snooped;
    EXPECT_TRUE(waited(device.write(at, filled(64, value))).ok());
  }
  Data device_read(bool snooped, std::uint64_t at = address.value) {
    device.origin.snoop = snooped;
    return waited(device.read(at, 64)).data;
  }
  const Request& waited(const Request& request) {
    while (!request.done || request.done_at > now()) sleep(10_ns);
    return request;
  }

  // ---- one set of the last level ----

  static std::uint64_t in_set(unsigned set, unsigned n) {
    return 0x10'0000 + set * line_bytes + n * set_stride;
  }
  // Eight modified lines of cores, which hold v.
  void fill_set(unsigned set) {
    for (unsigned n = 0; n < 8; ++n) store(n % 2, v, Hpa{in_set(set, n)});
    EXPECT_EQ(in_memory(set, 0, 8, v), 0u);
  }
  // How many lines of the set, counted from `first`, hold `value` in memory.
  unsigned in_memory(unsigned set, unsigned first, unsigned lines, unsigned value) const {
    unsigned there = 0;
    for (auto n = first; n < first + lines; ++n) {
      there += memory(in_set(set, n)) == filled(64, value);
    }
    return there;
  }

  // ---- invariant 36 ----

  void one_access(Prng& random, std::uint64_t line) {
    const auto n = static_cast<unsigned>(random.between(0, 1));
    const auto offset = random.between(0, 7) * 8;
    const auto bytes = random.one_in(2) ? 64 - offset : 8;
    const auto value = static_cast<unsigned>(random.between(0, 255));
    const Hpa at{line + offset};
    switch (random.between(0, 9)) {
      case 0:
      case 1:
        core(n).store(at, filled(bytes, value));
        return;
      case 2:
        core(n).lock_add(at, value, 8);
        return;
      case 3:
        core(n).prefetch(at, random.one_in(2));
        return;
      case 4:
        random.one_in(2) ? core(n).clwb(at) : core(n).clflushopt(at);
        return;
      case 5:
        device.origin.snoop = true;
        device.write(at.value, filled(bytes, value));  // goes on beside the cores
        return;
      case 6:
        device.origin.snoop = true;
        device.read(at.value, bytes);
        return;
      default:
        load(n, Hpa{line});
    }
  }
  // At this instant: one writer and no other copy, or readers that agree.
  void expect_safe(std::uint64_t at) {
    const auto line = Hpa{at}.line();
    EXPECT_EQ(system.home.breach(line), "");
    std::array<cache::LineBuffer, 2> data{};
    std::array<cache::State, 2> states{};
    for (const unsigned n : {0u, 1u}) {
      states[n] = system.home.caches(n).state(line);
      system.home.caches(n).peek(line, data[n]);
    }
    if (cache::writable(states[0]) || cache::writable(states[1])) {
      ++writers;
      EXPECT_EQ(std::min(states[0], states[1]), cache::State::invalid);
    } else if (states[0] != cache::State::invalid && states[1] != cache::State::invalid) {
      ++shared;
      EXPECT_EQ(data[0], data[1]);
    }
  }

  unsigned writers = 0;  // lines that were found with a writer
  unsigned shared = 0;   // ... with two readers

  CorePair pair;
  MemorySystem& system;
  Requester& device;
};

}  // namespace ioasim::test
