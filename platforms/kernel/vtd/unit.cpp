#include "kernel/vtd/unit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/check.hpp"
#include "kernel/vtd/formats.hpp"

namespace ioasim::kernel::vtd {
namespace {

constexpr Queue::Phases maintenance{"invalidate.submit", "invalidate.seen"};

// Linux keeps domain 0 free (with CM hardware tags with it) and uses 1 for pass-through.
constexpr std::uint16_t first_domain = 2;

}  // namespace

Unit::Unit(const Runtime& runtime, const cpu::RemappingUnit& description, unsigned number)
    : runtime_{runtime},
      description_{description},
      number_{number},
      registers_{description.registers},
      queue_{runtime, registers_},
      command_lock_{runtime.params.lock_retry} {}

bool Unit::serves(RequesterId root_port) const {
  const auto& scope = description_.scope;
  return std::find(scope.begin(), scope.end(), root_port) != scope.end();
}

int Unit::refuse(int error, const char* why) {
  usable_ = false;
  runtime_.log.push_back(fmt::format("DMAR: dmar{} at {:#x}: {}, error {}", number_,
                                     registers_.base().value, why, error));
  return error;
}

int Unit::read_features(cpu::Instructions& cpu) {
  if (registers_.read32(cpu, reg::version) == ~0u) return refuse(-ENODEV, "nothing answers");
  const auto c = registers_.read64(cpu, reg::capability);
  const auto e = registers_.read64(cpu, reg::extended_capability);
  runtime_.log.push_back(fmt::format("DMAR: dmar{}: reg_base_addr {:x} cap {:x} ecap {:x}", number_,
                                     registers_.base().value, c, e));
  if (!ecap::QueuedInvalidation::test(e)) return refuse(-EOPNOTSUPP, "no queued invalidation");
  if (!ecap::ScalableMode::test(e)) return refuse(-EOPNOTSUPP, "no scalable mode");
  if (!ecap::SecondStage::test(e)) return refuse(-EOPNOTSUPP, "no second-stage translation");

  auto& f = features_;
  f.coherent = ecap::Coherent::test(e);
  f.walk_coherent = ecap::WalkCoherent::test(e);
  f.snoop_control = ecap::SnoopControl::test(e);
  f.table_widths = static_cast<std::uint8_t>(cap::AddressWidths::get(c) & 0xe);
  if (f.table_widths == 0) return refuse(-EOPNOTSUPP, "no table width that is known");
  const auto levels = static_cast<unsigned>(std::bit_width(f.table_widths)) + 1;
  f.address_bits = std::min(12 + paging::index_bits * levels,
                            static_cast<unsigned>(cap::GuestAddressWidth::get(c)) + 1);
  const auto large = cap::LargePages::get(c);
  f.leaf_max = (large & 1) == 0 ? 1 : (large & 2) == 0 ? 2 : 3;
  f.domains = 1u << (4 + 2 * cap::DomainIds::get(c));
  f.page_selective = cap::PageSelective::test(c);
  f.address_mask_max = static_cast<unsigned>(cap::AddressMaskMax::get(c));
  f.drain = {cap::DrainReads::test(c), cap::DrainWrites::test(c)};
  f.caching_mode = cap::CachingMode::test(c);
  f.write_buffer_flush = cap::WriteBufferFlush::test(c);
  f.root_set_invalidates = cap::RootSetInvalidates::test(c);
  f.fault_offset = static_cast<unsigned>(cap::FaultOffset::get(c)) * 16;
  f.fault_records = static_cast<unsigned>(cap::FaultRecords::get(c)) + 1;
  domains_.assign(std::min(f.domains, 1u << 16), false);
  return 0;
}

// Firmware, or a kernel before this one, may have left the unit running.
int Unit::quiesce(cpu::Instructions& cpu) {
  const auto status = registers_.read32(cpu, reg::global_status);
  if ((status & command::translation_enable) != 0 &&
      command(cpu, command::translation_enable, false, false) != 0) {
    return refuse(-ETIMEDOUT, "translation cannot be disabled");
  }
  if ((status & command::queue_enable) == 0) return 0;
  const auto deadline = cpu.now() + runtime_.params.hardware_timeout;
  while (registers_.read64(cpu, reg::queue_head) != registers_.read64(cpu, reg::queue_tail)) {
    if (cpu.now() >= deadline) return refuse(-ETIMEDOUT, "invalidation queue does not drain");
    cpu.execute(runtime_.params.spin_pause);
  }
  if (command(cpu, command::queue_enable, false, false) != 0) {
    return refuse(-ETIMEDOUT, "invalidation queue cannot be disabled");
  }
  return 0;
}

int Unit::probe(cpu::Instructions& cpu) {
  if (const int error = read_features(cpu); error != 0) return error;
  if (const int error = quiesce(cpu); error != 0) return error;
  structures_.emplace(runtime_, features_.coherent);
  if (structures_->create_root(cpu) != 0 || queue_.prepare(cpu) != 0) {
    return refuse(-ENOMEM, "no memory for its tables");
  }
  if (command(cpu, command::queue_enable, true, true) != 0) {
    return refuse(-ETIMEDOUT, "invalidation queue cannot be enabled");
  }
  usable_ = true;
  return 0;
}

int Unit::add_device(cpu::Instructions& cpu, RequesterId device) {
  CHECK(usable_);
  if (structures_->add_device(cpu, device) != 0) return refuse(-ENOMEM, "no memory for a device");
  return 0;
}

int Unit::enable(cpu::Instructions& cpu, std::uint8_t fault_vector) {
  CHECK(usable_);
  registers_.write64(cpu, reg::root_table, structures_->root().value | root_table_scalable);
  if (command(cpu, command::set_root_table, true, true) != 0) {
    return refuse(-ETIMEDOUT, "root table pointer is not taken");
  }
  if (!features_.root_set_invalidates && invalidate_all(cpu) != 0) {
    return refuse(-EIO, "caches cannot be invalidated");
  }
  registers_.write32(cpu, reg::fault_data, fault_vector);
  registers_.write32(cpu, reg::fault_address, 0xfee0'0000u | cpu.number() << 12);
  registers_.write32(cpu, reg::fault_upper_address, 0);
  registers_.write32(cpu, reg::fault_control, 0);  // unmasks
  if (command(cpu, command::translation_enable, true, true) != 0) {
    return refuse(-ETIMEDOUT, "translation cannot be enabled");
  }
  return 0;
}

// VT-d 11.4.4: one command at a time; a write repeats the state of the other bits, which GSTS
// shows, without those that would start something.
int Unit::command(cpu::Instructions& cpu, std::uint32_t bit, bool on, bool expected) {
  Guard guard{command_lock_, cpu};
  const auto kept = registers_.read32(cpu, reg::global_status) & command::keep;
  registers_.write32(cpu, reg::global_command, on ? kept | bit : kept & ~bit);
  const auto deadline = cpu.now() + runtime_.params.hardware_timeout;
  while (((registers_.read32(cpu, reg::global_status) & bit) != 0) != expected) {
    if (cpu.now() >= deadline) return -ETIMEDOUT;
    cpu.execute(runtime_.params.spin_pause);
  }
  return 0;
}

int Unit::submit(cpu::Instructions& cpu, const Descriptor& descriptor) {
  return queue_.submit(cpu, {&descriptor, 1}, maintenance);
}

// VT-d 6.5.3.3, after the root table pointer: each cache only after those it is filled from, and
// each seen to be done before the next.
int Unit::invalidate_all(cpu::Instructions& cpu) {
  for (const auto& descriptor : {descriptor::context_global(), descriptor::pasid_cache_global(),
                                 descriptor::iotlb_global(features_.drain)}) {
    if (const int error = submit(cpu, descriptor); error != 0) return error;
  }
  return 0;
}

std::optional<DomainId> Unit::allocate_domain() {
  for (std::size_t id = first_domain; id < domains_.size(); ++id) {
    if (domains_[id]) continue;
    domains_[id] = true;
    return DomainId{static_cast<std::uint16_t>(id)};
  }
  return std::nullopt;
}

void Unit::free_domain(DomainId domain) {
  CHECK(domains_[domain.value]);
  domains_[domain.value] = false;
}

// Nothing is cached of an entry that was not present, unless the hardware says so (CAP.CM).
int Unit::attach(cpu::Instructions& cpu, RequesterId device,
                 const Structures::SecondStageEntry& entry) {
  structures_->set_second_stage(cpu, device, entry);
  if (!features_.caching_mode) return flush_write_buffer(cpu);
  const int error = submit(cpu, descriptor::pasid_cache(entry.domain, Pasid{0}));
  if (error != 0) return error;
  return submit(cpu, descriptor::iotlb_domain(entry.domain, features_.drain));
}

// VT-d 6.5.3.3: the entry is not present; PASID cache, then the IOTLB that is filled from it, and
// only then may the rest of the entry change.
int Unit::finish_detach(cpu::Instructions& cpu, RequesterId device, DomainId domain) {
  int error = submit(cpu, descriptor::pasid_cache(domain, Pasid{0}));
  if (error == 0) error = submit(cpu, descriptor::iotlb_domain(domain, features_.drain));
  structures_->clear_rest(cpu, device);
  return error;
}

int Unit::invalidate_range(cpu::Instructions& cpu, DomainId domain, Iova first, Iova last,
                           bool leaf_only, Queue::Phases phases) {
  const unsigned mask = descriptor::address_mask(first, last);
  const bool pages = features_.page_selective && mask <= features_.address_mask_max;
  const Iova base{first.value & ~((page_bytes << mask) - 1)};
  const auto descriptor =
      pages ? descriptor::iotlb_pages(domain, base, mask, leaf_only, features_.drain)
            : descriptor::iotlb_domain(domain, features_.drain);
  return queue_.submit(cpu, {&descriptor, 1}, phases);
}

int Unit::flush_write_buffer(cpu::Instructions& cpu) {
  if (!features_.write_buffer_flush) return 0;
  return command(cpu, command::write_buffer_flush, true, false);
}

}  // namespace ioasim::kernel::vtd
