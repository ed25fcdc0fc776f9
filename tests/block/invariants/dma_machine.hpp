// A whole machine in which the cores and a copy engine share one line, L: what the invariants of
// snooping and of caches are shown on, with data. The engine's requests carry No Snoop (NS) as its
// descriptor says, and go through link, root port, remapping unit and caches.
#pragma once

#include <algorithm>

#include "support/data.hpp"
#include "support/machine_bench.hpp"

namespace ioasim::test {

class DmaMachine : public MachineBench {
 protected:
  explicit DmaMachine(const machine::Description& description = Machine::plain())
      : MachineBench{description} {
    host.machine.bus().add(accesses);
  }
  ~DmaMachine() override { host.machine.bus().remove(accesses); }

  using Descriptor = devices::DmaDescriptor;
  static constexpr auto rw = vtd::read | vtd::write;

  // L, at the same address for devices. Through the other page it is never forced to be snooped.
  static constexpr std::uint64_t page = 0x100'0000;
  static constexpr std::uint64_t unforced_page = 0x300'0000;
  static constexpr std::uint64_t offset = 0x440;
  static constexpr Hpa line{page + offset};
  // Where the engine puts what it has read of L, and finds what it is to write there.
  static constexpr std::uint64_t mailbox = 0x200'0000;

  // dirty(L)=v: a cache holds v, memory holds m. d is the device's.
  static Data m() { return pattern(64, 0x10); }
  static Data v() { return pattern(64, 0x55); }
  static Data d() { return pattern(64, 0x9b); }
  // `base`, with bytes of `over` from `first` on.
  static Data merged(Data base, const Data& over, std::size_t first, std::size_t bytes) {
    std::copy_n(over.begin() + static_cast<std::ptrdiff_t>(first), bytes,
                base.begin() + static_cast<std::ptrdiff_t>(first));
    return base;
  }

  // ---- the machine ----

  void start(std::uint64_t leaf_flags = rw, vtd::PasidEntry pasid = {}) {
    host.enable_engine();
    host.tables.map(Machine::descriptors, Machine::descriptors);
    host.tables.map(mailbox, mailbox);
    host.tables.map(page, page, leaf_flags);
    host.tables.map(unforced_page, page);
    host.enable_translation(pasid);
  }
  bool extended_capability(unsigned bit) { return (host.unit(0x10) >> bit & 1) != 0; }
  // Reason of the first pending fault, whose record is cleared; 0: none is pending.
  unsigned fault() {
    const auto status = host.unit(0x34, 4);
    if ((status & 1u << 1) == 0) return 0;  // PPF
    const auto record = ((host.unit(0x08) >> 24 & 0x3ff) + (status >> 8 & 0xff)) * 16;
    const auto high = host.unit(record + 8);
    host.set_unit(record + 8, 1ull << 63);
    return static_cast<unsigned>(high >> 32 & 0xff);
  }

  // Configuration space of the engine; the capability with that id.
  std::uint64_t get_config(unsigned at, unsigned bytes) {
    return core(0).read_uncached(host.config(at), bytes);
  }
  void set_config(unsigned at, std::uint64_t value, unsigned bytes) {
    core(0).write_uncached(host.config(at), value, bytes);
  }
  void enable_message(std::uint8_t vector) {
    const auto msi = capability(0x05);
    set_config(msi + 4, 0xfee0'0000, 4);  // to core 0
    set_config(msi + 12, vector, 2);
    set_config(msi + 2, get_config(msi + 2, 2) | 1, 2);
  }
  unsigned capability(unsigned id) {
    const auto byte = [&](unsigned at) { return static_cast<unsigned>(get_config(at, 1)); };
    for (unsigned at = byte(0x34); at != 0; at = byte(at + 1)) {
      if (byte(at) == id) return at;
    }
    ADD_FAILURE() << "no capability " << id;
    return 0;
  }

  // ---- cores ----

  cpu::Core& core(unsigned n) { return host.machine.core(n); }
  Data load(unsigned n = 0, std::size_t bytes = 64) {
    Data data(bytes);
    core(n).load(line, data);
    return data;
  }
  // Globally visible on return.
  void store(const Data& data, unsigned n = 0) {
    core(n).store(line, data);
    core(n).mfence();
  }
  void make_absent() {
    store(m());
    core(0).clflush(line);
  }
  void make_clean() {
    make_absent();
    EXPECT_EQ(load(), m());
  }
  void make_dirty(unsigned n = 0) {
    make_absent();
    store(v(), n);
  }

  // ---- the engine ----

  std::uint64_t copy(std::uint64_t source, std::uint64_t target, std::size_t bytes,
                     std::uint32_t flags) {
    accesses.entries.clear();
    return host.copy({.source = source,
                      .target = target,
                      .bytes = static_cast<std::uint32_t>(bytes),
                      .flags = flags});
  }
  // What the engine reads of L.
  Data dma_read(bool no_snoop, std::uint64_t from = page) {
    EXPECT_EQ(copy(from + offset, mailbox, 64, no_snoop ? Descriptor::source_no_snoop : 0), done);
    Data data(64);
    core(0).load(Hpa{mailbox}, data);
    return data;
  }
  // The engine writes bytes of `data` at the same place in L.
  void dma_write(bool no_snoop, const Data& data, std::size_t first = 0, std::size_t bytes = 64) {
    core(0).store(Hpa{mailbox}, data);
    EXPECT_EQ(copy(mailbox + first, page + offset + first, bytes,
                   no_snoop ? Descriptor::target_no_snoop : 0),
              done);
  }
  // A read of L faults, for that reason, and touches nothing.
  void expect_fault(unsigned reason, bool no_snoop = true) {
    EXPECT_EQ(copy(page + offset, mailbox, 64, no_snoop ? Descriptor::source_no_snoop : 0), halted);
    EXPECT_EQ(fault(), reason);
    EXPECT_TRUE(of_line(false).empty());
  }
  // What memory holds of L: what a device sees that looks at no cache (invariant 2).
  Data memory() { return dma_read(true, unforced_page); }
  // Of the last copy: its reads of L, or writes to L.
  std::vector<trace::DmaAccess> of_line(bool write) const {
    std::vector<trace::DmaAccess> some;
    for (const auto& [at, access] : accesses.entries) {
      if (access.write == write && access.address.line() == line.line()) some.push_back(access);
    }
    return some;
  }

  static constexpr std::uint64_t done = 2;
  static constexpr std::uint64_t halted = 3;

  Recorder<trace::DmaAccess> accesses;
};

// The machine as it comes: a unit with every capability that we have, a port that honours NS, an
// inclusive last level; or with one thing changed.
class Invariants : public DmaMachine {
 protected:
  explicit Invariants(const machine::Description& description = Machine::plain())
      : DmaMachine{description} {}
  template <class Change>
  static machine::Description but(Change change) {
    auto description = Machine::plain();
    change(description);
    return description;
  }
};

class InvariantsOfADeafPort : public Invariants {
 protected:
  InvariantsOfADeafPort()
      : Invariants{but([](auto& it) { it.root_ports[0].params.honor_no_snoop = false; })} {}
};

class InvariantsWithoutSnoopControl : public Invariants {
 protected:
  InvariantsWithoutSnoopControl()
      : Invariants{but([](auto& it) { it.iommus[0].params.snoop_control = false; })} {}
};

// Core 1 in a socket of its own; L and the engine are at core 0's.
class InvariantsOfTwoSockets : public Invariants {
 protected:
  InvariantsOfTwoSockets() : Invariants{but([](auto& it) { it.sockets = 2; })} {}
};

// A last level that does not include the private caches.
class InvariantsOfAnotherLastLevel : public Invariants {
 protected:
  InvariantsOfAnotherLastLevel()
      : Invariants{but([](auto& it) { it.cache.llc.inclusive = false; })} {}
};

// The way from a core to the last level is longer than the engine's to the line.
class InvariantsOfADistantCore : public Invariants {
 protected:
  InvariantsOfADistantCore()
      : Invariants{but([](auto& it) {
          it.cache.l1d.lookup = 1'000_ns;
          it.cache.l2.lookup = 1'000_ns;
          it.devices[0].params.setup = 0_ps;
        })} {}
};

// Caches so small that a line can be pushed out.
class InvariantsOfSmallCaches : public Invariants {
 protected:
  InvariantsOfSmallCaches()
      : Invariants{but([](auto& it) {
          it.cache = {.l1d = {.capacity = 512_B, .ways = 2},
                      .l2 = {.capacity = 1_KiB, .ways = 2},
                      .llc = {.capacity = 64_KiB, .ways = 8, .slices = 1}};
        })} {}

  // 128 sets of 8 ways in the last level: eight more lines of its set push L out of it.
  void evict() {
    for (unsigned way = 1; way <= 8; ++way) {
      core(0).load<std::uint64_t>(line + std::uint64_t{way} * 0x2000);
    }
  }
  // How a line leaves the caches.
  std::vector<std::function<void()>> ways_out() {
    return {[this] { core(0).clflush(line); }, [this] { core(0).wbinvd(); }, [this] { evict(); }};
  }
};

}  // namespace ioasim::test
