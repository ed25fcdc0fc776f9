// A remapping unit's registers, reached by uncached accesses.
#pragma once

#include "cpu/instructions.hpp"

namespace ioasim::kernel::vtd {

class Registers {
 public:
  explicit Registers(Hpa base) : base_{base} {}

  std::uint32_t read32(cpu::Instructions& cpu, unsigned offset) const {
    return static_cast<std::uint32_t>(cpu.read_uncached(base_ + offset, 4));
  }
  std::uint64_t read64(cpu::Instructions& cpu, unsigned offset) const {
    return cpu.read_uncached(base_ + offset, 8);
  }
  void write32(cpu::Instructions& cpu, unsigned offset, std::uint32_t value) const {
    cpu.write_uncached(base_ + offset, value, 4);
  }
  void write64(cpu::Instructions& cpu, unsigned offset, std::uint64_t value) const {
    cpu.write_uncached(base_ + offset, value, 8);
  }

  Hpa base() const { return base_; }

 private:
  Hpa base_;
};

}  // namespace ioasim::kernel::vtd
