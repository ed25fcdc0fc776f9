// Structures that software builds in memory for a VT-d unit in scalable mode, bit for bit
// (VT-d 9; scalable mode, second stage).
#pragma once

#include <array>
#include <cstdint>

#include "base/bits.hpp"

namespace ioasim::iommu {

using Qword = std::uint64_t;

// Reason codes of faults, scalable mode (VT-d 7.1.3).
enum class FaultReason : std::uint8_t {
  none = 0,
  root_table_address = 0x30,
  root_entry_access = 0x38,
  root_entry_not_present = 0x39,
  root_entry_reserved = 0x3a,
  context_entry_access = 0x40,
  context_entry_not_present = 0x41,
  context_entry_reserved = 0x42,
  pasid_disabled = 0x45,
  pasid_too_large = 0x46,
  rid_pasid = 0x48,
  pasid_directory_access = 0x50,
  pasid_directory_not_present = 0x51,
  pasid_directory_reserved = 0x52,
  pasid_entry_access = 0x58,
  pasid_entry_not_present = 0x59,
  pasid_entry_reserved = 0x5a,
  pasid_entry_invalid = 0x5b,
  second_stage_access = 0x78,
  second_stage_permission = 0x79,
  second_stage_reserved = 0x7a,
  second_stage_pointer = 0x7b,
  second_stage_width = 0x84,
  interrupt_range = 0x87,
};

// VT-d 9.1: two halves of a bus, 128 functions each.
struct RootEntry {
  static constexpr std::uint64_t bytes = 16;
  using present = Bits<0>;
  using reserved = Bits<11, 1>;
  using context_table = Bits<63, 12>;
};

// VT-d 9.4.
struct ContextEntry {
  static constexpr std::uint64_t bytes = 32;
  // First qword.
  using present = Bits<0>;
  using fault_disable = Bits<1>;
  using pasid_enable = Bits<3>;
  using reserved_low = Bits<8, 5>;
  using directory_size = Bits<11, 9>;  // PDTS: 2^(PDTS+7) directory entries
  using directory = Bits<63, 12>;
  // Second qword.
  using rid_pasid = Bits<19, 0>;
  using reserved_high = Bits<63, 21>;
};

// VT-d 9.5: indexed by PASID bits 19:6.
struct DirectoryEntry {
  static constexpr std::uint64_t bytes = 8;
  using present = Bits<0>;
  using fault_disable = Bits<1>;
  using reserved = Bits<11, 2>;
  using table = Bits<63, 12>;
};

// PGTT.
enum class TranslationType : std::uint8_t { second_stage = 2, pass_through = 4 };

// VT-d 9.6: indexed by PASID bits 5:0.
struct PasidEntry {
  static constexpr std::uint64_t bytes = 64;
  // First qword.
  using present = Bits<0>;
  using fault_disable = Bits<1>;
  using address_width = Bits<4, 2>;  // levels - 2
  using reserved_low = Bits<5>;
  using type = Bits<8, 6>;
  using dirty_enable = Bits<9>;
  using reserved_address = Bits<11, 10>;
  using second_stage = Bits<63, 12>;
  // Second qword.
  using domain = Bits<15, 0>;
  using reserved_middle = Bits<22, 16>;
  using walk_snoop = Bits<23>;       // PWSNP, entry bit 87
  using page_snoop = Bits<24>;       // PGSNP, entry bit 88
  using memory_type = Bits<63, 25>;  // CD, EMTE, EMT, PAT: reserved without ECAP.MTS
  // Third qword: first stage; the further ones are reserved.
  using reserved_first_stage = Bits<11, 8>;
};

// VT-d 9.8.
struct SecondStageEntry {
  static constexpr std::uint64_t bytes = 8;
  using read = Bits<0>;
  using write = Bits<1>;
  using memory_type = Bits<6, 3>;  // reserved without ECAP.MTS
  using page_size = Bits<7>;
  using snoop = Bits<11>;  // SNP: leaf only, and only with ECAP.SC
  using address = Bits<51, 12>;
  using transient = Bits<62>;  // reserved without ECAP.DT
};

// VT-d 6.5.2: the first two qwords of an invalidation descriptor; further ones are reserved.
struct Descriptor {
  using type_low = Bits<3, 0>;
  using type_high = Bits<11, 9>;
  using granularity = Bits<5, 4>;
  using domain = Bits<31, 16>;
  using source = Bits<47, 32>;         // context-cache
  using function_mask = Bits<49, 48>;  // context-cache
  using pasid = Bits<51, 32>;          // PASID-cache, PASID-IOTLB
  using interrupt_flag = Bits<4>;      // wait
  using status_write = Bits<5>;        // wait
  using fence = Bits<6>;               // wait
  using status_data = Bits<63, 32>;    // wait
  // Second qword.
  using address_mask = Bits<5, 0>;     // IOTLB
  using hint = Bits<6>;                // IOTLB: non-leaf entries were not changed
  using address = Bits<63, 12>;        // IOTLB
  using status_address = Bits<63, 2>;  // wait
};

enum class DescriptorType : std::uint8_t {
  context_cache = 1,
  iotlb = 2,
  wait = 5,
  pasid_iotlb = 6,
  pasid_cache = 7,
};

}  // namespace ioasim::iommu
