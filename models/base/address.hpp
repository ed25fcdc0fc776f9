// Addresses and ids: one type per space, so that an I/O virtual address cannot reach memory
// untranslated and a requester id is never taken for a PASID.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace ioasim {

inline constexpr std::uint64_t line_bytes = 64;
inline constexpr std::uint64_t page_bytes = 4096;

// An address of one space. Addresses order, compare, and move by byte counts; nothing else.
template <class Space>
struct Address {
  std::uint64_t value = 0;

  auto operator<=>(const Address&) const = default;
  constexpr Address operator+(std::uint64_t bytes) const { return {value + bytes}; }
  constexpr Address operator-(std::uint64_t bytes) const { return {value - bytes}; }
  constexpr std::uint64_t operator-(Address other) const { return value - other.value; }
  constexpr Address& operator+=(std::uint64_t bytes) { return value += bytes, *this; }

  constexpr std::uint64_t line() const { return value / line_bytes; }
  constexpr std::uint64_t page() const { return value / page_bytes; }
  constexpr std::uint64_t page_offset() const { return value % page_bytes; }
  constexpr Address page_base() const { return {value & ~(page_bytes - 1)}; }
  constexpr Address line_base() const { return {value & ~(line_bytes - 1)}; }
};

using Iova = Address<struct IovaSpace>;  // what a device puts in a request
using Gpa = Address<struct GpaSpace>;    // what a guest calls physical
using Hpa = Address<struct HpaSpace>;    // what memory and MMIO answer to
using Hva = Address<struct HvaSpace>;    // what a host process uses

// PCIe requester id: bus 15:8, device 7:3, function 2:0 (PCIe 2.2.4.2).
struct RequesterId {
  std::uint16_t value = 0;

  auto operator<=>(const RequesterId&) const = default;
  constexpr unsigned bus() const { return value >> 8; }
  constexpr unsigned device() const { return (value >> 3) & 0x1f; }
  constexpr unsigned function() const { return value & 7u; }
  constexpr unsigned devfn() const { return value & 0xffu; }
  static constexpr RequesterId of(unsigned bus, unsigned device, unsigned function) {
    return {static_cast<std::uint16_t>(bus << 8 | device << 3 | function)};
  }
};

// Process address space id: 20 bits (PCIe 6.20).
struct Pasid {
  std::uint32_t value = 0;
  auto operator<=>(const Pasid&) const = default;
};

// VT-d domain id: 16 bits.
struct DomainId {
  std::uint16_t value = 0;
  auto operator<=>(const DomainId&) const = default;
};

// A half-open run of addresses, [base, base + bytes).
template <class Address>
struct Range {
  Address base;
  std::uint64_t bytes = 0;

  bool operator==(const Range&) const = default;
  constexpr Address end() const { return base + bytes; }
  constexpr bool contains(Address address) const {
    return address >= base && address - base < bytes;
  }
  constexpr bool contains(Range other) const {
    return contains(other.base) && other.bytes <= bytes - (other.base - base);
  }
  constexpr bool overlaps(Range other) const {
    return contains(other.base) || other.contains(base);
  }
};

}  // namespace ioasim

template <class Space>
struct std::hash<ioasim::Address<Space>> {
  std::size_t operator()(ioasim::Address<Space> address) const noexcept {
    return std::hash<std::uint64_t>{}(address.value);
  }
};
