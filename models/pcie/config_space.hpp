// The configuration space of a function: 4 KiB of registers with a mask of what software may
// write, and the capabilities in it. Plain C++.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/address.hpp"
#include "base/bits.hpp"

namespace ioasim::pcie {

// Registers of the common header and of a type 0 or 1 header (PCIe 7.5.1).
namespace config {
inline constexpr unsigned vendor_id = 0x00;
inline constexpr unsigned device_id = 0x02;
inline constexpr unsigned command = 0x04;
inline constexpr unsigned status = 0x06;
inline constexpr unsigned class_code = 0x08;
inline constexpr unsigned header_type = 0x0e;
inline constexpr unsigned bar0 = 0x10;
inline constexpr unsigned primary_bus = 0x18;
inline constexpr unsigned secondary_bus = 0x19;
inline constexpr unsigned subordinate_bus = 0x1a;
inline constexpr unsigned capabilities = 0x34;

using memory_space = Bits<1>;       // of command
using bus_master = Bits<2>;         // of command
using capabilities_list = Bits<4>;  // of status
}  // namespace config

// PCI Express capability, offsets from its start (PCIe 7.5.3).
namespace express {
inline constexpr std::uint8_t id = 0x10;
inline constexpr unsigned device_capabilities = 0x04;
inline constexpr unsigned device_control = 0x08;
inline constexpr unsigned link_capabilities = 0x0c;
inline constexpr unsigned link_status = 0x12;

using max_payload_supported = Bits<2, 0>;  // of device capabilities
using extended_tag_supported = Bits<5>;
using enable_relaxed_ordering = Bits<4>;  // of device control
using max_payload = Bits<7, 5>;
using extended_tag = Bits<8>;
using enable_no_snoop = Bits<11>;
using max_read_request = Bits<14, 12>;
}  // namespace express

// MSI capability with a 64-bit address and one vector (PCIe 7.7.1).
namespace msi {
inline constexpr std::uint8_t id = 0x05;
inline constexpr unsigned control = 0x02;
inline constexpr unsigned address_low = 0x04;
inline constexpr unsigned address_high = 0x08;
inline constexpr unsigned data = 0x0c;

using enable = Bits<0>;  // of control
using address_64 = Bits<7>;
}  // namespace msi

class ConfigSpace {
 public:
  // Little-endian read of 1, 2 or 4 bytes, naturally aligned or not; all ones beyond the space.
  std::uint32_t read(unsigned offset, unsigned bytes) const;
  // Changes the bits that are writable.
  void write(unsigned offset, unsigned bytes, std::uint32_t value);

  // Serves a request to read into `data`, or to write it, of 1 to 4 bytes within one dword (PCIe
  // 2.2.7). False, and nothing is done, if it is any other.
  bool serve(unsigned offset, std::span<std::byte> data, bool is_write);

  // For whoever builds the function: sets the value, and which bits software may change.
  void define(unsigned offset, unsigned bytes, std::uint32_t value, std::uint32_t writable = 0);
  // Appends a capability of that many bytes to the list; returns its offset.
  unsigned add_capability(std::uint8_t id, unsigned bytes);

 private:
  static constexpr unsigned size = 4096;

  std::array<std::uint8_t, size> value_{};
  std::array<std::uint8_t, size> writable_{};
  unsigned next_capability_ = 0x40;
  unsigned last_link_ = config::capabilities;
};

}  // namespace ioasim::pcie
