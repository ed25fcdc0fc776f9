// A machine for the kernel's tests, without time of its own: flat memory with write-back caches
// in front, PCI configuration space, and remapping units that answer their registers and execute
// their queue at once.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/check.hpp"
#include "cpu/firmware.hpp"
#include "cpu/instructions.hpp"

namespace ioasim::kernel::test {

// Bytes by address; what was never written reads 0.
class Bytestore {
 public:
  void read(Hpa address, std::span<std::byte> into) const;
  void write(Hpa address, std::span<const std::byte> from);
  std::uint64_t word(Hpa address) const;

 private:
  std::unordered_map<std::uint64_t, std::array<std::byte, page_bytes>> pages_;
};

struct FakeUnit {
  Hpa base;
  std::uint64_t cap = 0;
  std::uint64_t ecap = 0;
  std::uint32_t status = 0;            // GSTS
  std::uint32_t faults = 0;            // FSTS
  std::uint32_t refused_commands = 0;  // bits of GCMD that never show in GSTS
  std::uint64_t root = 0;
  std::uint64_t queue = 0;
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  std::map<unsigned, std::uint64_t> other;                // by offset: FECTL, FRCD and so on
  std::vector<std::uint32_t> commands;                    // values written to GCMD
  std::vector<std::array<std::uint64_t, 4>> descriptors;  // executed, without waits
  std::function<void(const std::array<std::uint64_t, 4>&)> on_descriptor;
  std::function<bool(const std::array<std::uint64_t, 4>&)> refuses;  // queue error
  bool stalled = false;                                              // fetches nothing
};

struct FakeFunction {
  std::array<std::byte, 4096> config{};
  std::uint32_t bar_bytes = 0;
  std::uint32_t hardwired_zero_control = 0;  // bits of Device Control
};

class FakeMachine final : public cpu::Instructions {
 public:
  // Memory of 64 MiB, ECAM for 16 buses.
  FakeMachine();

  unsigned number() const override { return core; }
  Picoseconds now() const override { return now_; }
  cpu::Privilege privilege() const override { return privilege_; }
  void set_privilege(cpu::Privilege level) override { privilege_ = level; }
  void load(Hpa address, std::span<std::byte> into, cpu::PatIndex = {}) override;
  void store(Hpa address, std::span<const std::byte> from, cpu::PatIndex = {}) override;
  void clflush(Hpa address) override;
  void mfence() override { now_ += Picoseconds{1'000}; }
  void release() override {}
  std::uint64_t read_uncached(Hpa address, unsigned bytes) override;
  void write_uncached(Hpa address, std::uint64_t value, unsigned bytes) override;
  void execute(Picoseconds duration) override;
  bool wait_for_interrupt(std::uint8_t vector, Picoseconds timeout) override;

  // The kernel has no use for these.
  void store_nt(Hpa, std::span<const std::byte>, cpu::PatIndex) override { UNREACHABLE(); }
  std::uint64_t lock_add(Hpa, std::uint64_t, unsigned) override { UNREACHABLE(); }
  std::uint64_t lock_exchange(Hpa, std::uint64_t, unsigned) override { UNREACHABLE(); }
  std::uint64_t lock_compare_exchange(Hpa, std::uint64_t, std::uint64_t, unsigned) override {
    UNREACHABLE();
  }
  void prefetch(Hpa, bool) override { UNREACHABLE(); }
  void clflushopt(Hpa) override { UNREACHABLE(); }
  void clwb(Hpa) override { UNREACHABLE(); }
  void wbinvd() override { UNREACHABLE(); }
  void wbnoinvd() override { UNREACHABLE(); }
  void invd() override { UNREACHABLE(); }
  void sfence() override { UNREACHABLE(); }
  void lfence() override { UNREACHABLE(); }
  void movdir64b(Hpa, cpu::Command) override { UNREACHABLE(); }
  bool enqcmd(Hpa, cpu::Command) override { UNREACHABLE(); }
  bool enqcmds(Hpa, cpu::Command) override { UNREACHABLE(); }
  std::uint64_t rdmsr(std::uint32_t) override { UNREACHABLE(); }
  void wrmsr(std::uint32_t, std::uint64_t) override { UNREACHABLE(); }
  void disable_caches(bool) override { UNREACHABLE(); }

  using cpu::Instructions::load;
  using cpu::Instructions::store;

  // One unit that serves these root ports.
  FakeUnit& add_unit(std::vector<RequesterId> scope, std::uint64_t cap, std::uint64_t ecap);
  // A root port on bus 0 with an endpoint behind it.
  RequesterId add_endpoint(unsigned device, unsigned bus);
  FakeFunction& function(RequesterId id) { return functions_.at(id); }
  void add_function(RequesterId id, std::uint16_t vendor, bool bridge);
  void set_config(RequesterId id, unsigned offset, std::uint64_t value, unsigned bytes);
  std::uint64_t config(RequesterId id, unsigned offset, unsigned bytes);

  // What a unit finds, walking its structures as ECAP.C and PWSNP let it see memory.
  struct Translation {
    unsigned fault = 0;
    Hpa address;
    bool write = false;
    bool read = false;
    bool snoop = false;
    std::uint64_t page_bytes = 0;
    unsigned levels = 0;
    std::uint16_t domain = 0;
  };
  Translation translate(const FakeUnit& unit, RequesterId device, Iova iova) const;

  void run_queue(FakeUnit& unit);
  Hpa pasid_entry(const FakeUnit& unit, RequesterId device) const;

  unsigned core = 0;
  cpu::Firmware firmware;
  std::deque<FakeUnit> units;
  Bytestore caches;               // what the cores and snooped reads see
  Bytestore memory;               // what reads that are not snooped see
  std::set<std::uint64_t> dirty;  // lines
  std::vector<Hpa> flushed;       // lines, in order
  std::vector<std::pair<Hpa, std::uint64_t>> bar_writes;
  std::set<std::uint8_t> pending;  // interrupts
  std::function<void()> on_execute;

 private:
  std::uint64_t read_unit(FakeUnit& unit, unsigned offset, unsigned bytes);
  void write_unit(FakeUnit& unit, unsigned offset, std::uint64_t value);
  void write_config(Hpa address, std::uint64_t value, unsigned bytes);
  std::uint64_t seen(Hpa address, bool snooped) const {
    return snooped ? caches.word(address) : memory.word(address);
  }
  void device_write(Hpa address, std::uint32_t value);

  Picoseconds now_{0};
  cpu::Privilege privilege_ = cpu::Privilege::user;
  std::map<RequesterId, FakeFunction> functions_;
};

// Capability words, from VT-d 11.4.2 and 11.4.3.
inline constexpr std::uint64_t cap_48_bits = 1ull << 10 | 47ull << 16;  // SAGAW 4-level, MGAW
inline constexpr std::uint64_t cap_39_bits = 1ull << 9 | 38ull << 16;
inline constexpr std::uint64_t cap_57_bits = 1ull << 11 | 56ull << 16;
inline constexpr std::uint64_t cap_usual = cap_48_bits | 6                // 65536 domains
                                           | 1ull << 39 | 18ull << 48     // PSI, MAMV 18
                                           | 3ull << 54                   // DWD, DRD
                                           | 0x40ull << 24 | 3ull << 40;  // FRO 0x400, 4 records
inline constexpr std::uint64_t cap_large_pages = 3ull << 34;
inline constexpr std::uint64_t cap_caching_mode = 1ull << 7;
inline constexpr std::uint64_t ecap_least = 1ull << 1 | 1ull << 43 | 1ull << 46;  // QI SMTS SSTS
inline constexpr std::uint64_t ecap_coherent = 1ull << 0;
inline constexpr std::uint64_t ecap_snoop_control = 1ull << 7;
inline constexpr std::uint64_t ecap_walk_coherent = 1ull << 48;
inline constexpr std::uint64_t ecap_usual =
    ecap_least | ecap_coherent | ecap_snoop_control | ecap_walk_coherent;

}  // namespace ioasim::kernel::test
