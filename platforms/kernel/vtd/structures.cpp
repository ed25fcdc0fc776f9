#include "kernel/vtd/structures.hpp"

#include <array>
#include <cerrno>

#include "base/check.hpp"
#include "kernel/vtd/formats.hpp"

namespace ioasim::kernel::vtd {

void Structures::publish(cpu::Instructions& cpu, Range<Hpa> bytes) const {
  if (coherent_) return;
  for (Hpa line = bytes.base.line_base(); line < bytes.end(); line += line_bytes) cpu.clflush(line);
}

std::optional<Hpa> Structures::new_table(cpu::Instructions& cpu) const {
  const auto table = runtime_.frames.allocate(cpu, Frames::Content::zero);
  if (table) publish(cpu, {*table, page_bytes});
  return table;
}

int Structures::create_root(cpu::Instructions& cpu) {
  const auto table = new_table(cpu);
  if (!table) return -ENOMEM;
  root_ = *table;
  return 0;
}

int Structures::add_device(cpu::Instructions& cpu, RequesterId device) {
  CHECK(root_.value != 0);
  // 16 bytes a bus: the table of devfn 0 to 127, then that of 128 to 255.
  const unsigned half = device.devfn() / entry::context_per_table;
  const Hpa root_entry = root_ + device.bus() * 16u + half * 8u;
  Hpa contexts{cpu.load<std::uint64_t>(root_entry) & entry::address};
  if (contexts.value == 0) {
    const auto table = new_table(cpu);
    if (!table) return -ENOMEM;
    contexts = *table;
    cpu.store<std::uint64_t>(root_entry, contexts.value | entry::present);
    publish(cpu, {root_entry, 8});
  }

  // One directory entry and one table: PASIDs 0 to 63.
  const auto directory = new_table(cpu);
  const auto table = new_table(cpu);
  if (!directory || !table) return -ENOMEM;
  cpu.store<std::uint64_t>(*directory, table->value | entry::present);
  publish(cpu, {*directory, 8});
  pasid_tables_[device] = *table;

  // PDTS 0: a directory of 128 entries. RID_PASID 0. PASID, ATS and page requests off.
  const Hpa context = contexts + device.devfn() % entry::context_per_table * entry::context_bytes;
  cpu.store<std::uint64_t>(context + 8, 0);
  cpu.store<std::uint64_t>(context, directory->value | entry::present);
  publish(cpu, {context, entry::context_bytes});
  cpu.mfence();
  return 0;
}

Hpa Structures::pasid_entry(RequesterId device) const {
  const auto at = pasid_tables_.find(device);
  CHECK(at != pasid_tables_.end());
  return at->second;
}

// P goes last, so that no fetch sees half an entry (VT-d 6.5.3.3).
void Structures::set_second_stage(cpu::Instructions& cpu, RequesterId device,
                                  const SecondStageEntry& to) {
  const Hpa at = pasid_entry(device);
  const std::array<std::uint64_t, 7> rest{entry::PasidDomain::of(to.domain.value) |
                                          entry::PasidWalkSnoop::of(to.walk_snoop)};
  cpu.store(at + 8, std::as_bytes(std::span{rest}));
  cpu.store<std::uint64_t>(at, to.table.value | entry::PasidWidth::of(to.levels - 2) |
                                   entry::PasidType::of(entry::type_second_stage) | entry::present);
  publish(cpu, {at, entry::pasid_bytes});
  cpu.mfence();
}

void Structures::clear_present(cpu::Instructions& cpu, RequesterId device) {
  const Hpa at = pasid_entry(device);
  const auto word = cpu.load<std::uint64_t>(at);
  cpu.store<std::uint64_t>(at, word & ~entry::present);
  publish(cpu, {at, entry::pasid_bytes});
  cpu.mfence();
}

void Structures::clear_rest(cpu::Instructions& cpu, RequesterId device) {
  const Hpa at = pasid_entry(device);
  static constexpr std::array<std::byte, entry::pasid_bytes> zeros{};
  cpu.store(at, zeros);
  publish(cpu, {at, entry::pasid_bytes});
}

}  // namespace ioasim::kernel::vtd
