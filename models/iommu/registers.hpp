// The register file of a VT-d unit: offsets and fields (VT-d 11.4).
#pragma once

#include <cstdint>

#include "base/bits.hpp"

namespace ioasim::iommu::reg {

inline constexpr std::uint64_t version = 0x00;
inline constexpr std::uint64_t capability = 0x08;
inline constexpr std::uint64_t extended_capability = 0x10;
inline constexpr std::uint64_t global_command = 0x18;
inline constexpr std::uint64_t global_status = 0x1c;
inline constexpr std::uint64_t root_table = 0x20;
inline constexpr std::uint64_t context_command = 0x28;
inline constexpr std::uint64_t fault_status = 0x34;
inline constexpr std::uint64_t fault_control = 0x38;
inline constexpr std::uint64_t fault_data = 0x3c;
inline constexpr std::uint64_t fault_address = 0x40;
inline constexpr std::uint64_t fault_upper_address = 0x44;
inline constexpr std::uint64_t queue_head = 0x80;
inline constexpr std::uint64_t queue_tail = 0x88;
inline constexpr std::uint64_t queue_address = 0x90;
inline constexpr std::uint64_t completion_status = 0x9c;
inline constexpr std::uint64_t completion_control = 0xa0;
inline constexpr std::uint64_t completion_data = 0xa4;
inline constexpr std::uint64_t completion_address = 0xa8;
inline constexpr std::uint64_t completion_upper_address = 0xac;
inline constexpr std::uint64_t queue_error = 0xb0;

// Where CAP.FRO and ECAP.IRO say that these are: a choice of this unit.
inline constexpr std::uint64_t iotlb = 0x208;  // IVA at 0x200
inline constexpr std::uint64_t fault_records = 0x400;
inline constexpr std::uint64_t fault_record_bytes = 16;

struct Capability {
  using domains = Bits<2, 0>;             // 2^(4 + 2 x ND)
  using widths = Bits<12, 8>;             // SAGAW: bit 1 39-bit, bit 2 48-bit, bit 3 57-bit
  using address_width = Bits<21, 16>;     // MGAW: width - 1
  using fault_offset = Bits<33, 24>;      // FRO, in 16 bytes
  using large_pages = Bits<37, 34>;       // SSLPS: 2 MiB, 1 GiB
  using page_selective = Bits<39>;        // PSI
  using fault_count = Bits<47, 40>;       // NFR: records - 1
  using address_mask_max = Bits<53, 48>;  // MAMV
  using write_drain = Bits<54>;
  using read_drain = Bits<55>;
};

struct ExtendedCapability {
  using coherent = Bits<0>;
  using queued = Bits<1>;
  using pass_through = Bits<6>;
  using snoop_control = Bits<7>;
  using iotlb_offset = Bits<17, 8>;  // IRO, in 16 bytes
  using pasid_bits = Bits<39, 35>;   // PSS: width - 1
  using pasid = Bits<40>;
  using scalable = Bits<43>;       // SMTS
  using second_stage = Bits<46>;   // SSTS
  using walk_coherent = Bits<48>;  // SMPWCS
  using rid_pasid = Bits<49>;      // RPS
};

struct GlobalCommand {
  using translation = Bits<31>;   // TE, TES
  using set_root = Bits<30>;      // SRTP, RTPS
  using flush_buffer = Bits<27>;  // WBF, WBFS
  using queued = Bits<26>;        // QIE, QIES
};

struct RootTable {
  using address = Bits<63, 12>;
  using mode = Bits<11, 10>;  // TTM
  static constexpr std::uint64_t scalable = 1;
};

struct FaultStatus {
  using overflow = Bits<0>;          // PFO
  using pending = Bits<1>;           // PPF
  using queue_error = Bits<4>;       // IQE
  using record_index = Bits<15, 8>;  // FRI
};

// FECTL and IECTL.
struct EventControl {
  using mask = Bits<31>;
  using pending = Bits<30>;
};

struct QueueAddress {
  using base = Bits<63, 12>;
  using wide = Bits<11>;    // DW: 256-bit descriptors
  using size = Bits<2, 0>;  // QS: 4 KiB << QS
};

// IQERCD.
enum class QueueError : std::uint8_t {
  none = 0,
  bad_tail = 1,
  fetch = 2,
  bad_type = 3,
  reserved_field = 4,
};

// CCMD and IOTLB_REG: invalidation through registers.
struct ContextCommand {
  using invalidate = Bits<63>;
  using request = Bits<62, 61>;
  using actual = Bits<60, 59>;
};
struct IotlbCommand {
  using invalidate = Bits<63>;
  using request = Bits<61, 60>;
  using actual = Bits<58, 57>;
};
inline constexpr std::uint64_t granularity_global = 1;

// FRCD, second qword.
struct FaultRecord {
  using source = Bits<15, 0>;
  using pasid_present = Bits<31>;
  using reason = Bits<39, 32>;
  using pasid = Bits<59, 40>;
  using read = Bits<62>;   // T
  using fault = Bits<63>;  // F
};

}  // namespace ioasim::iommu::reg
