// Model-specific registers, by number.
#pragma once

#include <cstdint>

namespace ioasim::cpu::msr {

inline constexpr std::uint32_t mtrr_cap = 0xfe;  // read-only: VCNT in bits 7:0, WC in bit 10
inline constexpr std::uint32_t mtrr_phys_base0 = 0x200;  // and every second one after it
inline constexpr std::uint32_t mtrr_phys_mask0 = 0x201;
inline constexpr std::uint32_t mtrr_def_type = 0x2ff;
inline constexpr std::uint32_t pat = 0x277;
inline constexpr std::uint32_t pasid = 0xd93;         // IA32_PASID: 19:0 PASID, 31 valid
inline constexpr std::uint32_t iio_llc_ways = 0xc8b;  // of the core's socket: ways for DDIO

inline constexpr std::uint64_t pasid_valid = 1ull << 31;

}  // namespace ioasim::cpu::msr
