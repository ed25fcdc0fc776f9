// What software that runs on a core can do to the machine; nothing else is open to it. The
// kernel, and a guest, reach all hardware through this.
//
// Every call takes simulated time and returns when the next instruction may begin: a load with its
// value, a store when it has entered the store buffer, a fence when all that it orders is visible.
// Calls come from the software thread that runs on the core, one at a time. An instruction that
// faults throws Fault and has changed nothing.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/address.hpp"
#include "base/time.hpp"
#include "cpu/fault.hpp"
#include "cpu/memory_types.hpp"

namespace ioasim::cpu {

// Current privilege level 0, or 3.
enum class Privilege : std::uint8_t { supervisor, user };

// 64 bytes that move as one.
using Command = std::span<const std::byte, line_bytes>;

class Instructions {
 public:
  virtual ~Instructions() = default;

  // Number of the core, from 0; also its local APIC id.
  virtual unsigned number() const = 0;
  virtual Picoseconds now() const = 0;

  virtual Privilege privilege() const = 0;
  // System call, or the return from one.
  virtual void set_privilege(Privilege level) = 0;

  // Accesses of any length and alignment, through a mapping that selects `pat`. What they do
  // follows from the effective memory type of the address. A load sees the core's own earlier
  // stores. Stores of one core become visible in order (TSO), weakly ordered ones apart.
  virtual void load(Hpa address, std::span<std::byte> into, PatIndex pat = {}) = 0;
  virtual void store(Hpa address, std::span<const std::byte> from, PatIndex pat = {}) = 0;
  // MOVNTI, MOVNTDQ: weakly ordered, past the caches, by way of write-combining buffers; a line
  // that is cached is written back and dropped.
  virtual void store_nt(Hpa address, std::span<const std::byte> from, PatIndex pat = {}) = 0;

  // Locked read-modify-write of 1, 2, 4 or 8 bytes; the former value. Drains the store buffer.
  // A value that crosses a line takes a bus lock.
  virtual std::uint64_t lock_add(Hpa address, std::uint64_t value, unsigned bytes) = 0;
  virtual std::uint64_t lock_exchange(Hpa address, std::uint64_t value, unsigned bytes) = 0;
  // Stores `desired` if the value is `expected`.
  virtual std::uint64_t lock_compare_exchange(Hpa address, std::uint64_t expected,
                                              std::uint64_t desired, unsigned bytes) = 0;

  // A hint: begins to bring the line in, for reading or for writing.
  virtual void prefetch(Hpa address, bool write = false) = 0;

  // SDM vol. 2: write back, if modified, and invalidate (CLWB: keep) one line in the whole
  // coherence domain. CLFLUSH is ordered with stores; the others only with older stores to their
  // line, and with fences.
  virtual void clflush(Hpa address) = 0;
  virtual void clflushopt(Hpa address) = 0;
  virtual void clwb(Hpa address) = 0;

  // SDM vol. 2: write back and invalidate (WBNOINVD: keep) the executing core's caches and the
  // shared level. INVD drops them, with what memory does not have. CPL 0.
  virtual void wbinvd() = 0;
  virtual void wbnoinvd() = 0;
  virtual void invd() = 0;

  // All earlier stores and flushes of this core are globally visible on return. SFENCE does not
  // order loads, which makes no difference to a core that ends one instruction before the next.
  // LFENCE: all earlier loads have their values.
  virtual void mfence() = 0;
  virtual void sfence() = 0;
  virtual void lfence() = 0;

  // Software may keep things outside of simulated memory: a lock, a list of pages. Before it lets
  // other cores see them it calls this, which waits as long as the store that would publish them
  // would wait to be visible, behind all earlier ones (TSO); no time if there are none.
  virtual void release() = 0;

  // Uncached access to MMIO, naturally aligned, of 1, 2, 4 or 8 bytes. A read that nothing
  // answers returns all ones; a write is posted.
  virtual std::uint64_t read_uncached(Hpa address, unsigned bytes) = 0;
  virtual void write_uncached(Hpa address, std::uint64_t value, unsigned bytes) = 0;

  // One 64-byte write, weakly ordered. #GP(0) unless the address is a multiple of 64.
  virtual void movdir64b(Hpa address, Command command) = 0;
  // One 64-byte non-posted write to a device, with the PASID of IA32_PASID (ENQCMD), or that of
  // the command itself (ENQCMDS, CPL 0). False (ZF = 1): retry. #GP(0) as movdir64b, and if
  // IA32_PASID is not valid.
  virtual bool enqcmd(Hpa address, Command command) = 0;
  virtual bool enqcmds(Hpa address, Command command) = 0;

  // CPL 0. A register that does not exist, or a value that it cannot take: #GP(0).
  virtual std::uint64_t rdmsr(std::uint32_t index) = 0;
  virtual void wrmsr(std::uint32_t index, std::uint64_t value) = 0;
  // CR0.CD: while it is set nothing is brought into the caches; what they hold stays. CPL 0.
  virtual void disable_caches(bool disabled) = 0;

  // Instructions that touch no memory of interest, for that long.
  virtual void execute(Picoseconds duration) = 0;
  // Halts until an interrupt with this vector is pending, and takes it.
  // Returns false if `timeout` passed first.
  virtual bool wait_for_interrupt(std::uint8_t vector, Picoseconds timeout = forever) = 0;

  template <std::unsigned_integral Value>
  Value load(Hpa address, PatIndex pat = {}) {
    Value value{};
    load(address, std::as_writable_bytes(std::span{&value, 1}), pat);
    return value;
  }
  template <std::unsigned_integral Value>
  void store(Hpa address, Value value, PatIndex pat = {}) {
    store(address, std::as_bytes(std::span{&value, 1}), pat);
  }
};

}  // namespace ioasim::cpu
