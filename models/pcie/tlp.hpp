// What crosses a link: kinds of TLP, their attributes, their size on the wire, and the rules by
// which a transfer becomes TLPs. Plain C++; the TLM extension that carries it is
// pcie/tlp_extension.hpp.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/address.hpp"

namespace ioasim::pcie {

enum class TlpKind : std::uint8_t {
  memory_read,
  memory_write,
  deferrable_write,  // DMWr: a memory write that is answered (PCIe 6.32)
  config_read,
  config_write
};

// PCIe 2.2.9, Completion Status.
enum class CompletionStatus : std::uint8_t {
  successful = 0,
  unsupported_request = 1,
  completer_abort = 4,
};

// PCIe 2.4: the classes that ordering and flow control distinguish. Completions travel on the
// return path of their request.
enum class TlpClass : std::uint8_t { posted, non_posted, completion };

struct Tlp {
  TlpKind kind = TlpKind::memory_read;
  RequesterId requester{};
  std::uint16_t tag = 0;
  bool no_snoop = false;          // Attr[0]
  bool relaxed_ordering = false;  // Attr[1]
  bool has_pasid = false;         // PASID prefix present
  Pasid pasid{};
  CompletionStatus status = CompletionStatus::successful;
  std::uint16_t completion_payload = 64;  // largest completion the completer makes
  std::uint16_t completion_boundary = 64;
  std::uint32_t cache_ways = ~0u;  // of the root port, not on the wire: where writes may allocate
  std::uint64_t transaction = 0;   // number of the request, from 1; 0 if nobody numbers it

  constexpr TlpClass request_class() const {
    return kind == TlpKind::memory_write ? TlpClass::posted : TlpClass::non_posted;
  }
  constexpr bool carries_data() const {
    return kind == TlpKind::memory_write || kind == TlpKind::deferrable_write ||
           kind == TlpKind::config_write;
  }
  constexpr bool is_config() const {
    return kind == TlpKind::config_read || kind == TlpKind::config_write;
  }
};

// Bytes on the wire beside header and payload: 2.5 and 5 GT/s have STP, sequence number, LCRC and
// END; faster links an STP token with the sequence number, and LCRC. Eight bytes either way.
inline constexpr std::uint64_t framing_bytes = 8;
inline constexpr std::uint64_t pasid_prefix_bytes = 4;
inline constexpr std::uint64_t dllp_bytes = 8;
inline constexpr std::uint64_t completion_header_bytes = 12;

// PCIe 2.2.4.1: addresses above 4 GiB, and only those, take the 4 DW header.
constexpr std::uint64_t request_header_bytes(const Tlp& tlp, std::uint64_t address) {
  return tlp.is_config() || address >> 32 == 0 ? 12 : 16;
}

// Payload of a TLP: every 4-byte word that the bytes touch; byte enables mark the rest.
constexpr std::uint64_t payload_bytes(std::uint64_t address, std::uint64_t bytes) {
  return bytes == 0 ? 0 : (address % 4 + bytes + 3) / 4 * 4;
}

constexpr std::uint64_t request_wire_bytes(const Tlp& tlp, std::uint64_t address,
                                           std::uint64_t bytes) {
  return framing_bytes + request_header_bytes(tlp, address) +
         (tlp.has_pasid ? pasid_prefix_bytes : 0) +
         (tlp.carries_data() ? payload_bytes(address, bytes) : 0);
}

// Length of the first TLP of a transfer: at most `largest`, and not over a 4 KiB boundary
// (PCIe 2.2.7).
constexpr std::uint64_t request_split(std::uint64_t address, std::uint64_t bytes,
                                      std::uint64_t largest) {
  const auto to_boundary = largest - address % largest;
  return std::min(bytes, std::min(to_boundary, page_bytes - address % page_bytes));
}

// Length of the first completion of a read: at most `largest`; unless it is the last, it ends on
// a multiple of `boundary` (PCIe 2.3.1.1).
constexpr std::uint64_t completion_split(std::uint64_t address, std::uint64_t bytes,
                                         std::uint64_t largest, std::uint64_t boundary) {
  if (bytes <= largest) return bytes;
  const auto end = (address + largest) / boundary * boundary;
  return end - address;
}

// PCIe 2.6.1: one data credit is 16 bytes.
constexpr unsigned data_credits(std::uint64_t address, std::uint64_t bytes) {
  return static_cast<unsigned>((payload_bytes(address, bytes) + 15) / 16);
}

}  // namespace ioasim::pcie
