// Memory types: what MTRRs say of a physical address, what PAT says of the mapping by which it is
// reached, and what follows from both (SDM vol. 3, 12.5, 12.11, 12.12).
//
// Models: variable MTRRs over a default type, with the precedence rules where they overlap; PAT;
// the effective type. CR0.CD, under which nothing is brought into caches, is the core's.
// Does not model: fixed-range MTRRs, SMRRs, physical addresses of fewer than 52 bits.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/address.hpp"
#include "base/bits.hpp"

namespace ioasim::cpu {

// The codes of MTRRs, PAT and EPT.
enum class MemoryType : std::uint8_t {
  uncached = 0,         // UC
  write_combining = 1,  // WC
  write_through = 4,    // WT
  write_protected = 5,  // WP
  write_back = 6,       // WB
  uncached_minus = 7,   // UC-, of PAT alone: UC unless the MTRR says WC
};

// "UC", "WC", "WT", "WP", "WB", "UC-".
std::string_view to_text(MemoryType type);

// A code is one of the types, or reserved (2, 3; 7 in an MTRR).
std::optional<MemoryType> pat_type(std::uint64_t code);
std::optional<MemoryType> mtrr_type(std::uint64_t code);

// The type that an access has (SDM vol. 3, table 12-7). Neither `mtrr` nor the result is UC-.
MemoryType effective(MemoryType mtrr, MemoryType pat);

// Which entry of the PAT a mapping selects: PAT << 2 | PCD << 1 | PWT of its page table entry.
// 0 is write-back after reset.
struct PatIndex {
  std::uint8_t value = 0;
  bool operator==(const PatIndex&) const = default;
};

// IA32_PAT.
class Pat {
 public:
  static constexpr std::uint64_t reset = 0x0007'0406'0007'0406;  // WB WT UC- UC, twice

  // False, with nothing changed, if an entry is reserved: the write faults.
  bool write(std::uint64_t value);
  std::uint64_t read() const { return value_; }
  MemoryType operator[](PatIndex index) const {
    return static_cast<MemoryType>(Entry::get(value_ >> 8 * (index.value % entries)));
  }

 private:
  static constexpr unsigned entries = 8;
  using Entry = Bits<7, 0>;  // of the value, shifted right by 8 for each entry before it

  std::uint64_t value_ = reset;  // of no reserved entry
};

// IA32_MTRR_DEF_TYPE, IA32_MTRR_PHYSBASEn and PHYSMASKn.
class Mtrrs {
 public:
  static constexpr unsigned ranges = 10;

  struct DefaultType {
    using type = Bits<7, 0>;
    using fixed_enable = Bits<10>;  // keeps what is written; there are no fixed ranges to enable
    using enable = Bits<11>;        // off: every address is UC
  };
  struct PhysBase {
    using type = Bits<7, 0>;
    using base = Bits<51, 12>;
  };
  struct PhysMask {
    using valid = Bits<11>;
    using mask = Bits<51, 12>;
  };

  // False, with nothing changed, if a field is reserved: the write faults.
  bool write_default(std::uint64_t value);
  bool write_base(unsigned range, std::uint64_t value);
  bool write_mask(unsigned range, std::uint64_t value);
  std::uint64_t read_default() const { return default_; }
  std::uint64_t read_base(unsigned range) const { return base_.at(range); }
  std::uint64_t read_mask(unsigned range) const { return mask_.at(range); }

  // Where ranges overlap, UC wins, then WT over WB; other overlaps are undefined, and are UC here.
  MemoryType type(Hpa address) const;
  // The type of all of `range`, if it is one; that of its base if it is empty. Exact for all masks;
  // masks with zeros between their ones may cost time, ten contrived ones some 5^10 steps.
  std::optional<MemoryType> type(Range<Hpa> range) const;

 private:
  // The type of all of the 2^bits addresses from `base`, a multiple of that, if it is one.
  std::optional<MemoryType> block_type(std::uint64_t base, unsigned bits) const;

  // As firmware leaves it: enabled, WB.
  std::uint64_t default_ =
      DefaultType::enable::mask | static_cast<std::uint64_t>(MemoryType::write_back);
  std::array<std::uint64_t, ranges> base_{};
  std::array<std::uint64_t, ranges> mask_{};
};

}  // namespace ioasim::cpu
