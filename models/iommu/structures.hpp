// What each structure in memory means to the hardware: the next address, or the fault. The rules
// of address translation (VT-d 3.4, 3.7), without the time it takes to read them. Plain C++.
#pragma once

#include <span>

#include "base/address.hpp"
#include "base/result.hpp"
#include "iommu/formats.hpp"
#include "iommu/params.hpp"

namespace ioasim::iommu {

// A context entry, decoded.
struct Context {
  Hpa directory{};
  std::uint32_t directory_entries = 0;
  Pasid rid_pasid{};
  bool pasid_enabled = false;
  bool fault_disable = false;
  RequesterId source{};  // tag of the cached copy
};

// A PASID-table entry, decoded.
struct PasidContext {
  TranslationType type = TranslationType::second_stage;
  Hpa second_stage{};
  unsigned levels = 4;
  DomainId domain{};
  bool walk_snoop = false;
  bool page_snoop = false;
  bool fault_disable = false;
  Pasid pasid{};  // tag of the cached copy
};

// A translation of one page.
struct Page {
  Hpa base{};
  unsigned bits = 12;  // log2 of its size
  bool read = false;
  bool write = false;
  bool snoop = false;  // SNP, or PGSNP of the PASID entry
  DomainId domain{};
  Iova iova{};  // first address
};

// Where a translation may not lead: interrupt messages (VT-d 3.14).
inline constexpr Range<Hpa> interrupt_messages{Hpa{0xfee0'0000}, 0x10'0000};

// Permissions gathered on the way down.
struct Rights {
  bool read = true;
  bool write = true;
};

// A step of the second-stage walk: the next table, or the page.
struct Step {
  bool leaf = false;
  Hpa table{};
  Page page{};
  Rights rights{};
};

using Reason = FaultReason;

// Address of the 16-byte root entry, then of the 32-byte context entry.
constexpr Hpa root_entry_address(Hpa root, RequesterId id) {
  return root + id.bus() * RootEntry::bytes;
}
Result<Hpa, Reason> context_entry_address(std::span<const Qword, 2> root_entry, RequesterId id);
Result<Context, Reason> decode_context(std::span<const Qword, 4> entry, const Params& params,
                                       RequesterId id);

// The PASID by which a request is translated: its own, or RID_PASID.
Result<Pasid, Reason> effective_pasid(const Context& context, bool has_pasid, Pasid pasid);
constexpr Hpa directory_entry_address(const Context& context, Pasid pasid) {
  return context.directory + (pasid.value >> 6) * DirectoryEntry::bytes;
}
Result<Hpa, Reason> pasid_entry_address(Qword directory_entry, Pasid pasid);
Result<PasidContext, Reason> decode_pasid(std::span<const Qword, 8> entry, const Params& params,
                                          Pasid pasid);

// Index bits of level n (1 is the last) start here.
constexpr unsigned level_shift(unsigned level) { return 12 + 9 * (level - 1); }
constexpr Hpa second_stage_entry_address(Hpa table, Iova iova, unsigned level) {
  return table + (iova.value >> level_shift(level) & 0x1ff) * SecondStageEntry::bytes;
}
Result<Step, Reason> decode_second_stage(Qword entry, unsigned level, Iova iova, Rights so_far,
                                         const PasidContext& pasid, const Params& params);

// Bits that a second stage of that many levels translates.
constexpr unsigned second_stage_bits(unsigned levels) { return 12 + 9 * levels; }
constexpr bool within_second_stage(Iova iova, unsigned levels) {
  return iova.value >> second_stage_bits(levels) == 0;
}

// Faults that are reported whatever Fault Processing Disable says (VT-d 7.1.3).
constexpr bool always_reported(Reason reason) {
  switch (reason) {
    case Reason::root_table_address:
    case Reason::root_entry_access:
    case Reason::root_entry_not_present:
    case Reason::root_entry_reserved:
    case Reason::context_entry_access:
    case Reason::pasid_directory_access:
    case Reason::pasid_entry_access:
      return true;
    default:
      return false;
  }
}

}  // namespace ioasim::iommu
