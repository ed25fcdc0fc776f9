// Descriptors of the invalidation queue (VT-d 6.5.2), 256 bits each, of which the upper half is
// reserved in all of these.
#pragma once

#include <array>
#include <bit>

#include "base/address.hpp"
#include "base/bits.hpp"

namespace ioasim::kernel::vtd {

using Descriptor = std::array<std::uint64_t, 4>;

namespace descriptor {

using Type = Bits<3, 0>;
using Granularity = Bits<5, 4>;
using Domain = Bits<31, 16>;
using ProcessId = Bits<51, 32>;
using Source = Bits<47, 32>;

// Which requests in flight an IOTLB invalidation waits for.
struct Drain {
  bool reads = false;
  bool writes = false;
};

// VT-d 6.5.2.1.
constexpr Descriptor context_global() { return {Type::of(1) | Granularity::of(1)}; }
constexpr Descriptor context_device(DomainId domain, RequesterId source) {
  return {Type::of(1) | Granularity::of(3) | Domain::of(domain.value) | Source::of(source.value)};
}

// VT-d 6.5.2.2.
constexpr Descriptor pasid_cache_global() { return {Type::of(7) | Granularity::of(3)}; }
constexpr Descriptor pasid_cache(DomainId domain, Pasid pasid) {
  return {Type::of(7) | Granularity::of(1) | Domain::of(domain.value) | ProcessId::of(pasid.value)};
}

// VT-d 6.5.2.3.
constexpr std::uint64_t iotlb_head(std::uint64_t granularity, Drain drain) {
  return Type::of(2) | Granularity::of(granularity) | Bits<6>::of(drain.writes) |
         Bits<7>::of(drain.reads);
}
constexpr Descriptor iotlb_global(Drain drain) { return {iotlb_head(1, drain)}; }
constexpr Descriptor iotlb_domain(DomainId domain, Drain drain) {
  return {iotlb_head(2, drain) | Domain::of(domain.value)};
}
// 2^mask pages. `leaf_only` (IH): no non-leaf entry has changed.
constexpr Descriptor iotlb_pages(DomainId domain, Iova address, unsigned mask, bool leaf_only,
                                 Drain drain) {
  return {iotlb_head(3, drain) | Domain::of(domain.value),
          (address.value & Bits<63, 12>::mask) | Bits<6>::of(leaf_only) | Bits<5, 0>::of(mask)};
}

// VT-d 6.5.2.8: writes `data` to `status` when all earlier descriptors have taken effect.
constexpr Descriptor wait(Hpa status, std::uint32_t data) {
  return {Type::of(5) | Bits<5>::of(1) | Bits<63, 32>::of(data), status.value};
}

// The least address mask whose naturally aligned range holds all pages from first to last.
constexpr unsigned address_mask(Iova first, Iova last) {
  return static_cast<unsigned>(std::bit_width(first.page() ^ last.page()));
}

}  // namespace descriptor

}  // namespace ioasim::kernel::vtd
