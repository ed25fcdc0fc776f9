#include "kernel/vtd/domain.hpp"

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"

namespace ioasim::kernel::vtd {

SecondStageDomain::SecondStageDomain(const Runtime& runtime, std::uint32_t number,
                                     SecondStage::Format format, const Unit::Features& first)
    : runtime_{runtime},
      number_{number},
      table_{runtime, format},
      can_force_snoop_{first.snoop_control} {}

// Second stage: SNP is in each leaf, so that a table with mappings would be enforced in part only.
bool SecondStageDomain::enforce_cache_coherency() {
  if (table_.format().snoop) return true;
  if (!can_force_snoop_ || ever_mapped_) return false;
  table_.force_snoop();
  return true;
}

// SNP is reserved where ECAP.SC is clear (VT-d 9.8), so such a unit cannot walk an enforcing table.
bool SecondStageDomain::suits(const Unit::Features& features) const {
  const auto& format = table_.format();
  if (format.snoop && !features.snoop_control) return false;
  if ((features.table_widths & 1u << (format.levels - 2)) == 0) return false;
  return !ever_mapped_ || format.leaf_max <= features.leaf_max;
}

SecondStageDomain::Attachment* SecondStageDomain::find(const Unit& unit) {
  const auto at = std::find_if(attachments_.begin(), attachments_.end(),
                               [&](const Attachment& a) { return a.unit == &unit; });
  return at == attachments_.end() ? nullptr : &*at;
}

int SecondStageDomain::attach(cpu::Instructions& cpu, Unit& unit, RequesterId device) {
  if (!suits(unit.features())) return -EINVAL;
  Attachment* attachment = find(unit);
  if (attachment == nullptr) {
    const auto id = unit.allocate_domain();
    if (!id) return -ENOSPC;
    if (!unit.features().walk_coherent) table_.stop_relying_on_snoops(cpu);
    table_.limit_leaves(unit.features().leaf_max);
    can_force_snoop_ = can_force_snoop_ && unit.features().snoop_control;
    attachments_.push_back({&unit, *id, 0});
    attachment = &attachments_.back();
  }
  ++attachment->devices;
  const auto id = attachment->id;
  TRACE(runtime_.trace, cpu.now(), trace::DomainAttached{number_, device});
  const int error = unit.attach(cpu, device,
                                {.table = table_.root(),
                                 .levels = table_.format().levels,
                                 .domain = id,
                                 .walk_snoop = unit.features().walk_coherent});
  if (error != 0) detach(cpu, unit, device);
  return error;
}

int SecondStageDomain::detach(cpu::Instructions& cpu, Unit& unit, RequesterId device) {
  Attachment* attachment = find(unit);
  CHECK(attachment != nullptr && attachment->devices > 0);
  const auto id = attachment->id;
  unit.clear_present(cpu, device);
  TRACE(runtime_.trace, cpu.now(), trace::DomainDetached{number_, device});
  const int error = unit.finish_detach(cpu, device, id);
  if (error == 0) {
    TRACE(runtime_.trace, cpu.now(), trace::InvalidationCompleted{number_});
  } else {
    stale_ = true;
  }
  attachment = find(unit);
  if (--attachment->devices == 0) {
    if (error == 0) unit.free_domain(id);
    attachments_.erase(attachments_.begin() + (attachment - attachments_.data()));
  }
  return error;
}

// The event precedes the first store: from then on a walk may find the new entries.
int SecondStageDomain::map_pages(cpu::Instructions& cpu, Iova iova, Range<Hpa> memory,
                                 Protection protection) {
  ever_mapped_ = true;
  TRACE(runtime_.trace, cpu.now(),
        trace::MappingAdded{number_, {iova, memory.bytes}, memory.base, protection.write});
  const int result = table_.map(cpu, iova, memory, protection);
  cpu.mfence();
  return result;
}

int SecondStageDomain::iotlb_sync_map(cpu::Instructions& cpu, Range<Iova> range) {
  for (const auto& [unit, id, devices] : attachments_) {
    const int error =
        unit->features().caching_mode
            ? unit->invalidate_range(cpu, id, range.base, range.base + (range.bytes - 1), false,
                                     {"map.submit", "map.seen"})
            : unit->flush_write_buffer(cpu);
    if (error != 0) return error;
  }
  return 0;
}

void SecondStageDomain::unmap_pages(cpu::Instructions& cpu, Range<Iova> range, Gather& gather) {
  if (gather.empty()) runtime_.phase(cpu, "unmap.begin", 0);
  gather.add(range);
  table_.unmap(cpu, range, gather);
  TRACE(runtime_.trace, cpu.now(), trace::MappingRemoved{number_, range});
}

int SecondStageDomain::iotlb_sync(cpu::Instructions& cpu, Gather& gather) {
  if (gather.empty()) return 0;
  runtime_.phase(cpu, "unmap.pte", static_cast<std::int64_t>(gather.entries));
  for (const Hpa line : gather.lines) cpu.clflush(line);
  cpu.mfence();
  runtime_.phase(cpu, "unmap.flush", static_cast<std::int64_t>(gather.lines.size()));
  int result = stale_ ? -EIO : 0;
  for (const auto& [unit, id, devices] : attachments_) {
    const int error = unit->invalidate_range(cpu, id, gather.first, gather.last,
                                             gather.tables.empty(), {"unmap.submit", "unmap.seen"});
    if (error != 0) result = error;
  }
  if (result == 0) {
    TRACE(runtime_.trace, cpu.now(), trace::InvalidationCompleted{number_});
    for (const Hpa table : gather.tables) runtime_.frames.free(table);
  }
  gather = {};
  return result;
}

void SecondStageDomain::release(cpu::Instructions& cpu) {
  CHECK(attachments_.empty());
  if (stale_) return;
  std::vector<Hpa> tables;
  table_.collect_tables(cpu, tables);
  for (const Hpa table : tables) runtime_.frames.free(table);
}

}  // namespace ioasim::kernel::vtd
