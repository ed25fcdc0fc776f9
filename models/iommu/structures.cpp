#include "iommu/structures.hpp"

#include <algorithm>

namespace ioasim::iommu {
namespace {

template <class Field>
Hpa pointer(Qword word) {
  return Hpa{word & Field::mask};
}

}  // namespace

Result<Hpa, Reason> context_entry_address(std::span<const Qword, 2> root_entry, RequesterId id) {
  // VT-d 3.4.3: the lower table serves devices 0 to 15, the upper one 16 to 31.
  const Qword half = root_entry[id.devfn() < 128 ? 0 : 1];
  if (!RootEntry::present::test(half)) return Reason::root_entry_not_present;
  if (RootEntry::reserved::test(half)) return Reason::root_entry_reserved;
  return pointer<RootEntry::context_table>(half) + id.devfn() % 128 * ContextEntry::bytes;
}

Result<Context, Reason> decode_context(std::span<const Qword, 4> entry, const Params&,
                                       RequesterId id) {
  using E = ContextEntry;
  if (!E::present::test(entry[0])) return Reason::context_entry_not_present;
  if (E::reserved_low::test(entry[0]) || E::reserved_high::test(entry[1]) || entry[2] != 0 ||
      entry[3] != 0) {
    return Reason::context_entry_reserved;
  }
  return Context{.directory = pointer<E::directory>(entry[0]),
                 .directory_entries = 1u << (E::directory_size::get(entry[0]) + 7),
                 .rid_pasid = {static_cast<std::uint32_t>(E::rid_pasid::get(entry[1]))},
                 .pasid_enabled = E::pasid_enable::test(entry[0]),
                 .fault_disable = E::fault_disable::test(entry[0]),
                 .source = id};
}

Result<Pasid, Reason> effective_pasid(const Context& context, bool has_pasid, Pasid pasid) {
  if (has_pasid && !context.pasid_enabled) return Reason::pasid_disabled;
  const Pasid used = has_pasid ? pasid : context.rid_pasid;
  if (used.value >> 6 >= context.directory_entries) {
    return has_pasid ? Reason::pasid_too_large : Reason::rid_pasid;
  }
  return used;
}

Result<Hpa, Reason> pasid_entry_address(Qword directory_entry, Pasid pasid) {
  using E = DirectoryEntry;
  if (!E::present::test(directory_entry)) return Reason::pasid_directory_not_present;
  if (E::reserved::test(directory_entry)) return Reason::pasid_directory_reserved;
  return pointer<E::table>(directory_entry) + pasid.value % 64 * PasidEntry::bytes;
}

Result<PasidContext, Reason> decode_pasid(std::span<const Qword, 8> entry, const Params& params,
                                          Pasid pasid) {
  using E = PasidEntry;
  if (!E::present::test(entry[0])) return Reason::pasid_entry_not_present;
  const bool beyond = std::any_of(entry.begin() + 3, entry.end(), [](Qword q) { return q != 0; });
  const bool reserved =
      beyond || E::reserved_low::test(entry[0]) || E::reserved_address::test(entry[0]) ||
      E::reserved_first_stage::test(entry[2]) || E::reserved_middle::test(entry[1]) ||
      E::memory_type::test(entry[1]) || E::dirty_enable::test(entry[0]) ||
      (E::walk_snoop::test(entry[1]) && !params.walk_coherent) ||
      (E::page_snoop::test(entry[1]) && !params.snoop_control);
  if (reserved) return Reason::pasid_entry_reserved;
  const auto type = E::type::get(entry[0]);
  if (type != static_cast<Qword>(TranslationType::second_stage) &&
      type != static_cast<Qword>(TranslationType::pass_through)) {
    return Reason::pasid_entry_invalid;
  }
  const auto levels = static_cast<unsigned>(E::address_width::get(entry[0])) + 2;
  const bool translates = type == static_cast<Qword>(TranslationType::second_stage);
  if (translates && (levels < 3 || second_stage_bits(levels) > params.address_bits)) {
    return Reason::pasid_entry_invalid;
  }
  return PasidContext{.type = static_cast<TranslationType>(type),
                      .second_stage = pointer<E::second_stage>(entry[0]),
                      .levels = levels,
                      .domain = {static_cast<std::uint16_t>(E::domain::get(entry[1]))},
                      .walk_snoop = E::walk_snoop::test(entry[1]),
                      .page_snoop = E::page_snoop::test(entry[1]),
                      .fault_disable = E::fault_disable::test(entry[0]),
                      .pasid = pasid};
}

Result<Step, Reason> decode_second_stage(Qword entry, unsigned level, Iova iova, Rights so_far,
                                         const PasidContext& pasid, const Params& params) {
  using E = SecondStageEntry;
  const Rights rights{so_far.read && E::read::test(entry), so_far.write && E::write::test(entry)};
  if (!E::read::test(entry) && !E::write::test(entry)) return Reason::second_stage_permission;
  const bool leaf = level == 1 || E::page_size::test(entry);
  const bool snoop_allowed = leaf && params.snoop_control;
  if (E::memory_type::test(entry) || E::transient::test(entry) ||
      (E::snoop::test(entry) && !snoop_allowed) || (leaf && level > 3)) {
    return Reason::second_stage_reserved;
  }
  const Hpa address = pointer<E::address>(entry);
  if (!leaf) return Step{.leaf = false, .table = address, .page = {}, .rights = rights};
  const auto bits = level_shift(level);
  const auto offset_mask = (1ull << bits) - 1;
  if ((address.value & offset_mask) != 0) return Reason::second_stage_reserved;
  if (interrupt_messages.contains(address + (iova.value & offset_mask))) {
    return Reason::interrupt_range;
  }
  return Step{.leaf = true,
              .table = {},
              .page = {.base = address,
                       .bits = bits,
                       .read = rights.read,
                       .write = rights.write,
                       .snoop = E::snoop::test(entry) || pasid.page_snoop,
                       .domain = pasid.domain,
                       .iova = Iova{iova.value & ~offset_mask}},
              .rights = rights};
}

}  // namespace ioasim::iommu
