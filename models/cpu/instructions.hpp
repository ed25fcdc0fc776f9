// What software that runs on a core can do to the machine; nothing else is open to it. The
// kernel, and a guest, reach all hardware through this.
//
// Every call takes simulated time and returns when the instruction has completed. Calls come from
// the software thread that runs on the core, one at a time.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/address.hpp"
#include "base/time.hpp"

namespace ioasim::cpu {

class Instructions {
 public:
  virtual ~Instructions() = default;

  // Number of the core, from 0; also its local APIC id.
  virtual unsigned number() const = 0;
  virtual Picoseconds now() const = 0;

  // Cached (write-back) accesses of any length and alignment. A load returns what the core's
  // caches and memory hold; a store takes ownership of each line it touches.
  virtual void load(Hpa address, std::span<std::byte> into) = 0;
  virtual void store(Hpa address, std::span<const std::byte> from) = 0;

  // SDM vol. 2: writes back, if modified, and invalidates one line in the whole coherence domain.
  virtual void clflush(Hpa address) = 0;
  // SDM vol. 2: writes back and invalidates the executing core's caches and the shared level.
  virtual void wbinvd() = 0;
  // SDM vol. 2: all earlier stores and flushes of this core are globally visible on return.
  virtual void mfence() = 0;

  // Uncached access to MMIO, naturally aligned, of 1, 2, 4 or 8 bytes. A read that nothing
  // answers returns all ones; a write is posted.
  virtual std::uint64_t read_uncached(Hpa address, unsigned bytes) = 0;
  virtual void write_uncached(Hpa address, std::uint64_t value, unsigned bytes) = 0;

  // Instructions that touch no memory of interest, for that long.
  virtual void execute(Picoseconds duration) = 0;
  // Halts until an interrupt with this vector is pending, and takes it.
  // Returns false if `timeout` passed first.
  virtual bool wait_for_interrupt(std::uint8_t vector, Picoseconds timeout = forever) = 0;

  template <std::unsigned_integral Value>
  Value load(Hpa address) {
    Value value{};
    load(address, std::as_writable_bytes(std::span{&value, 1}));
    return value;
  }
  template <std::unsigned_integral Value>
  void store(Hpa address, Value value) {
    store(address, std::as_bytes(std::span{&value, 1}));
  }
};

}  // namespace ioasim::cpu
