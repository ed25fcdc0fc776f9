// Registers and structures of VT-d as this driver knows them (VT-d 9 to 11). The hardware model
// has definitions of its own; that both agree is what running one on the other shows.
#pragma once

#include "base/bits.hpp"

namespace ioasim::kernel::vtd {

// Register offsets (VT-d 11.4).
namespace reg {
inline constexpr unsigned version = 0x00;
inline constexpr unsigned capability = 0x08;
inline constexpr unsigned extended_capability = 0x10;
inline constexpr unsigned global_command = 0x18;
inline constexpr unsigned global_status = 0x1c;
inline constexpr unsigned root_table = 0x20;
inline constexpr unsigned fault_status = 0x34;
inline constexpr unsigned fault_control = 0x38;
inline constexpr unsigned fault_data = 0x3c;
inline constexpr unsigned fault_address = 0x40;
inline constexpr unsigned fault_upper_address = 0x44;
inline constexpr unsigned queue_head = 0x80;
inline constexpr unsigned queue_tail = 0x88;
inline constexpr unsigned queue_address = 0x90;
}  // namespace reg

// CAP, VT-d 11.4.2.
namespace cap {
using DomainIds = Bits<2, 0>;  // 2^(4 + 2n)
using WriteBufferFlush = Bits<4>;
using CachingMode = Bits<7>;
using AddressWidths = Bits<12, 8>;  // bit n: 2 + n levels
using GuestAddressWidth = Bits<21, 16>;
using FaultOffset = Bits<33, 24>;  // x 16
using LargePages = Bits<37, 34>;   // 0: 2 MiB, 1: 1 GiB
using PageSelective = Bits<39>;
using FaultRecords = Bits<47, 40>;  // less one
using AddressMaskMax = Bits<53, 48>;
using DrainWrites = Bits<54>;
using DrainReads = Bits<55>;
using RootSetInvalidates = Bits<63>;
}  // namespace cap

// ECAP, VT-d 11.4.3.
namespace ecap {
using Coherent = Bits<0>;
using QueuedInvalidation = Bits<1>;
using SnoopControl = Bits<7>;
using ScalableMode = Bits<43>;
using SecondStage = Bits<46>;
using WalkCoherent = Bits<48>;
}  // namespace ecap

// GCMD and GSTS share their bits, VT-d 11.4.4.
namespace command {
inline constexpr std::uint32_t translation_enable = 1u << 31;
inline constexpr std::uint32_t set_root_table = 1u << 30;
inline constexpr std::uint32_t write_buffer_flush = 1u << 27;
inline constexpr std::uint32_t queue_enable = 1u << 26;
// What a write of one command keeps of GSTS: everything but the one-shot bits.
inline constexpr std::uint32_t keep = 0x96ff'ffff;
}  // namespace command

// RTADDR, VT-d 11.4.5: bits 11:10 say what kind of root table it is.
inline constexpr std::uint64_t root_table_scalable = 1u << 10;

// FSTS, VT-d 11.4.9.
namespace fault_status {
inline constexpr std::uint32_t overflow = 1u << 0;
inline constexpr std::uint32_t pending = 1u << 1;
inline constexpr std::uint32_t queue_error = 1u << 4;
inline constexpr std::uint32_t completion_error = 1u << 5;
inline constexpr std::uint32_t timeout_error = 1u << 6;
using FirstRecord = Bits<15, 8>;
}  // namespace fault_status

// Fault recording register, VT-d 11.4.14; two quadwords.
namespace fault_record {
inline constexpr unsigned bytes = 16;
using Page = Bits<63, 12>;
namespace high {
using Source = Bits<15, 0>;
using PasidPresent = Bits<31>;
using Reason = Bits<39, 32>;
using ProcessId = Bits<59, 40>;
using Read = Bits<62>;
using Fault = Bits<63>;
}  // namespace high
}  // namespace fault_record

// IQA, VT-d 11.4.10.
namespace queue_address {
inline constexpr std::uint64_t wide = 1u << 11;  // descriptors of 256 bits
using Size = Bits<2, 0>;
}  // namespace queue_address

// Scalable-mode root, context and PASID structures, VT-d 9.2, 9.4 to 9.6.
namespace entry {
inline constexpr std::uint64_t present = 1;
inline constexpr std::uint64_t address = Bits<63, 12>::mask;
inline constexpr unsigned context_bytes = 32;
inline constexpr unsigned context_per_table = 128;
inline constexpr unsigned pasid_bytes = 64;

using PasidWidth = Bits<4, 2>;  // levels less two
using PasidType = Bits<8, 6>;
inline constexpr std::uint64_t type_second_stage = 2;
// Second quadword.
using PasidDomain = Bits<15, 0>;
using PasidWalkSnoop = Bits<23>;
}  // namespace entry

// Second-stage paging entries, VT-d 9.8.
namespace paging {
inline constexpr std::uint64_t read = 1u << 0;
inline constexpr std::uint64_t write = 1u << 1;
inline constexpr std::uint64_t large = 1u << 7;
inline constexpr std::uint64_t snoop = 1u << 11;
inline constexpr std::uint64_t address = Bits<51, 12>::mask;
inline constexpr unsigned index_bits = 9;
inline constexpr unsigned entries = 1u << index_bits;

constexpr bool is_present(std::uint64_t word) { return (word & (read | write)) != 0; }
// Bytes that one entry of a level (1: pages) covers.
constexpr std::uint64_t span(unsigned level) { return 1ull << (12 + index_bits * (level - 1)); }
}  // namespace paging

}  // namespace ioasim::kernel::vtd
