// Builds VT-d structures in memory, bit by bit from the specification and not from the model's own
// formats, so that a field in the wrong place shows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace ioasim::test {

// Writes 8 bytes of memory.
using Put = std::function<void(std::uint64_t address, std::uint64_t value)>;

namespace vtd {

// VT-d 9.1, 9.4: two halves of a bus; a context entry of 32 bytes.
struct Context {
  std::uint64_t directory = 0;
  bool present = true;
  bool fault_disable = false;
  bool pasid_enable = true;
  unsigned pdts = 0;  // 2^(7 + pdts) directory entries
  std::uint32_t rid_pasid = 0;
  std::uint64_t stray_low = 0;  // reserved bits to set
  std::uint64_t stray_high = 0;

  std::uint64_t low() const {
    return std::uint64_t{present} | std::uint64_t{fault_disable} << 1 |
           std::uint64_t{pasid_enable} << 3 | std::uint64_t{pdts} << 9 | directory | stray_low;
  }
  std::uint64_t high() const { return rid_pasid | stray_high; }
};

// VT-d 9.6.
struct PasidEntry {
  bool present = true;
  bool fault_disable = false;
  unsigned width = 2;  // levels - 2
  unsigned pgtt = 2;
  std::uint64_t table = 0;
  std::uint16_t domain = 1;
  bool walk_snoop = true;   // PWSNP, bit 87
  bool page_snoop = false;  // PGSNP, bit 88
  std::uint64_t stray_low = 0;
  std::uint64_t stray_high = 0;

  std::uint64_t low() const {
    return std::uint64_t{present} | std::uint64_t{fault_disable} << 1 | std::uint64_t{width} << 2 |
           std::uint64_t{pgtt} << 6 | table | stray_low;
  }
  std::uint64_t high() const {
    return domain | std::uint64_t{walk_snoop} << 23 | std::uint64_t{page_snoop} << 24 | stray_high;
  }
};

// VT-d 9.8.
inline constexpr std::uint64_t read = 1;
inline constexpr std::uint64_t write = 2;
inline constexpr std::uint64_t large = 1ull << 7;
inline constexpr std::uint64_t snoop = 1ull << 11;

// Where the structures of one requester lie, and one second stage of four levels.
class Tables {
 public:
  Tables(Put put, std::uint16_t requester, std::uint64_t base = 0x10'0000)
      : put_{std::move(put)}, requester_{requester}, base_{base} {}

  std::uint64_t root() const { return base_; }
  std::uint64_t root_entry() const {
    return root() + std::uint64_t{requester_} / 256 * 16 + (requester_ % 256 < 128 ? 0 : 8);
  }
  std::uint64_t context_entry() const {
    return base_ + 0x1000 + std::uint64_t{requester_} % 128 * 32;
  }
  std::uint64_t directory() const { return base_ + 0x2000; }
  std::uint64_t directory_entry(std::uint32_t pasid) const { return directory() + pasid / 64 * 8; }
  std::uint64_t pasid_entry(std::uint32_t pasid) const {
    return base_ + 0x3000 + std::uint64_t{pasid} % 64 * 64;
  }
  // The table of that level on the way to `iova`; comes into being when first asked for.
  std::uint64_t table(unsigned level, std::uint64_t iova = 0) {
    const auto next = base_ + 0x10000 + tables_.size() * 0x1000;
    const auto covered = level == 4 ? 0 : iova >> (12 + 9 * level);
    return tables_.try_emplace({level, covered}, next).first->second;
  }
  std::uint64_t entry(std::uint64_t iova, unsigned level) {
    return table(level, iova) + (iova >> (12 + 9 * (level - 1)) & 0x1ff) * 8;
  }

  // Root, context, directory and PASID entry, for `pasid` 0 unless said.
  void build(Context context = {}, PasidEntry pasid = {}, std::uint32_t number = 0) {
    put_(root_entry(), (base_ + 0x1000) | 1);
    put_context(context);
    put_(directory_entry(number), (base_ + 0x3000) | 1);
    put_pasid(pasid, number);
  }
  void put_context(Context context) {
    if (context.directory == 0) context.directory = directory();
    put_(context_entry(), context.low());
    put_(context_entry() + 8, context.high());
  }
  void put_pasid(PasidEntry pasid, std::uint32_t number = 0) {
    if (pasid.table == 0) pasid.table = table(4);
    put_(pasid_entry(number), pasid.low());
    put_(pasid_entry(number) + 8, pasid.high());
  }

  // Maps the page of `level` (1: 4 KiB, 2: 2 MiB, 3: 1 GiB) that holds `iova`.
  void map(std::uint64_t iova, std::uint64_t address, std::uint64_t flags = read | write,
           unsigned level = 1) {
    for (unsigned upper = 4; upper > level; --upper) {
      put_(entry(iova, upper), table(upper - 1, iova) | read | write);
    }
    put_(entry(iova, level), address | flags | (level > 1 ? large : 0));
  }
  void unmap(std::uint64_t iova, unsigned level = 1) { put_(entry(iova, level), 0); }

 private:
  Put put_;
  std::uint16_t requester_;
  std::uint64_t base_;
  std::map<std::pair<unsigned, std::uint64_t>, std::uint64_t> tables_;
};

// ---- invalidation descriptors (VT-d 6.5.2): the first two qwords ----

struct Descriptor {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

inline Descriptor context_cache_global() { return {1 | 1 << 4, 0}; }
inline Descriptor context_cache_device(std::uint16_t source, unsigned mask = 0) {
  return {1 | 3 << 4 | std::uint64_t{source} << 32 | std::uint64_t{mask} << 48, 0};
}
inline Descriptor iotlb_global() { return {2 | 1 << 4, 0}; }
inline Descriptor iotlb_domain(std::uint16_t domain) {
  return {2 | 2 << 4 | std::uint64_t{domain} << 16, 0};
}
inline Descriptor iotlb_page(std::uint16_t domain, std::uint64_t iova, unsigned mask = 0,
                             bool hint = false) {
  return {2 | 3 << 4 | std::uint64_t{domain} << 16, iova | std::uint64_t{hint} << 6 | mask};
}
inline Descriptor wait_status(std::uint64_t address, std::uint32_t data, bool interrupt = false) {
  return {5 | 1 << 5 | std::uint64_t{interrupt} << 4 | std::uint64_t{data} << 32, address};
}
inline Descriptor wait_interrupt() { return {5 | 1 << 4, 0}; }
inline Descriptor pasid_iotlb(std::uint16_t domain, std::uint32_t pasid) {
  return {6 | 2 << 4 | std::uint64_t{domain} << 16 | std::uint64_t{pasid} << 32, 0};
}
inline Descriptor pasid_cache_global() { return {7 | 3 << 4, 0}; }
inline Descriptor pasid_cache_domain(std::uint16_t domain) {
  return {7 | std::uint64_t{domain} << 16, 0};
}
inline Descriptor pasid_cache_one(std::uint16_t domain, std::uint32_t pasid) {
  return {7 | 1 << 4 | std::uint64_t{domain} << 16 | std::uint64_t{pasid} << 32, 0};
}

}  // namespace vtd
}  // namespace ioasim::test
