#include "iommu/register_file.hpp"

#include <bit>

namespace ioasim::iommu {
namespace {

std::uint64_t capability_of(const Params& params) {
  using C = reg::Capability;
  std::uint64_t widths = 0b0010;
  if (params.address_bits >= 48) widths |= 0b0100;
  if (params.address_bits >= 57) widths |= 0b1000;
  const auto domain_bits = static_cast<std::uint64_t>(std::countr_zero(params.domains));
  constexpr std::uint64_t address_mask_max = 18;  // 1 GiB in one descriptor
  return C::domains::of((domain_bits - 4) / 2) | C::widths::of(widths) |
         C::address_width::of(params.address_bits - 1) |
         C::fault_offset::of(reg::fault_records / 16) | C::large_pages::of(0b11) |
         C::page_selective::mask | C::fault_count::of(params.fault_records - 1) |
         C::address_mask_max::of(address_mask_max) | C::write_drain::mask | C::read_drain::mask;
}

std::uint64_t extended_capability_of(const Params& params) {
  using E = reg::ExtendedCapability;
  return E::coherent::of(params.coherent) | E::queued::mask | E::pass_through::mask |
         E::snoop_control::of(params.snoop_control) | E::iotlb_offset::of((reg::iotlb - 8) / 16) |
         E::pasid_bits::of(params.pasid_bits - 1) | E::pasid::mask | E::scalable::mask |
         E::second_stage::mask | E::walk_coherent::of(params.walk_coherent) | E::rid_pasid::mask;
}

// A 64-bit register is also reached as two halves.
std::uint64_t half(std::uint64_t whole, std::uint64_t offset) {
  return offset % 8 == 0 ? whole & 0xffff'ffff : whole >> 32;
}

constexpr bool is_32_bit(std::uint64_t offset) {
  switch (offset) {
    case reg::version:
    case reg::global_command:
    case reg::global_status:
    case reg::fault_status:
    case reg::fault_control:
    case reg::fault_data:
    case reg::fault_address:
    case reg::fault_upper_address:
    case reg::completion_status:
    case reg::completion_control:
    case reg::completion_data:
    case reg::completion_address:
    case reg::completion_upper_address:
      return true;
    default:
      return false;
  }
}

void set_high(std::uint64_t& word, std::uint64_t value) {
  word = (word & 0xffff'ffff) | value << 32;
}
void set_low(std::uint64_t& word, std::uint64_t value) {
  word = (word & ~0xffff'ffffull) | (value & 0xffff'ffff);
}

}  // namespace

RegisterFile::RegisterFile(const Params& params)
    : capability_{capability_of(params)},
      extended_capability_{extended_capability_of(params)},
      faults_{params.fault_records} {}

// ---- reads ----

std::uint64_t RegisterFile::read(std::uint64_t offset, unsigned bytes) const {
  if ((bytes != 4 && bytes != 8) || offset % bytes != 0) return 0;
  if (is_32_bit(offset)) {
    const auto low = read_whole(offset);
    return bytes == 4 ? low : low | read_whole(offset + 4) << 32;
  }
  const auto whole = read_whole(offset / 8 * 8);
  return bytes == 8 ? whole : half(whole, offset);
}

std::uint64_t RegisterFile::read_whole(std::uint64_t offset) const {
  using G = reg::GlobalCommand;
  const bool in_records =
      offset >= reg::fault_records && offset < reg::fault_records + faults_.bytes();
  if (in_records) return faults_.read(offset - reg::fault_records);
  switch (offset) {
    case reg::version:
      return 0x60;  // 6.0: informational
    case reg::capability:
      return capability_;
    case reg::extended_capability:
      return extended_capability_;
    case reg::global_status:
      return G::translation::of(translating_) | G::set_root::of(root_set_) |
             G::queued::of(queue_enabled_);
    case reg::root_table:
      return root_register_;
    case reg::context_command:
      return context_command_;
    case reg::fault_status:
      return fault_status();
    case reg::fault_control:
      return fault_control_;
    case reg::fault_data:
      return fault_message_.data;
    case reg::fault_address:
      return half(fault_message_.address, 0);
    case reg::fault_upper_address:
      return half(fault_message_.address, 4);
    case reg::queue_head:
      return head_;
    case reg::queue_tail:
      return tail_;
    case reg::queue_address:
      return queue_address_;
    case reg::completion_status:
      return wait_completed_;
    case reg::completion_control:
      return completion_control_;
    case reg::completion_data:
      return completion_message_.data;
    case reg::completion_address:
      return half(completion_message_.address, 0);
    case reg::completion_upper_address:
      return half(completion_message_.address, 4);
    case reg::queue_error:
      return static_cast<std::uint64_t>(queue_error_);
    case reg::iotlb:
      return iotlb_command_;
    default:
      return 0;
  }
}

std::uint32_t RegisterFile::fault_status() const {
  using F = reg::FaultStatus;
  return static_cast<std::uint32_t>(F::overflow::of(faults_.overflowed()) |
                                    F::pending::of(faults_.pending()) |
                                    F::queue_error::of(queue_error_ != reg::QueueError::none) |
                                    F::record_index::of(faults_.first_pending()));
}

bool RegisterFile::any_fault_status() const {
  return faults_.pending() || queue_error_ != reg::QueueError::none;
}

// ---- writes ----

Actions RegisterFile::write(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
  Actions actions;
  if ((bytes != 4 && bytes != 8) || offset % bytes != 0) return actions;
  const bool in_records =
      offset >= reg::fault_records && offset < reg::fault_records + faults_.bytes();
  if (in_records) {
    const auto record_offset = offset - reg::fault_records;
    const bool high_half = bytes == 4 && offset % 8 == 4;
    faults_.write(record_offset / 8 * 8, high_half ? value << 32 : value);
    return actions;
  }
  const auto low = static_cast<std::uint32_t>(value);
  switch (offset) {
    case reg::global_command:
      write_command(low, actions);
      break;
    case reg::root_table:
      bytes == 8 ? void(root_register_ = value) : set_low(root_register_, value);
      break;
    case reg::root_table + 4:
      set_high(root_register_, value);
      break;
    case reg::fault_status:
      write_fault_status(low, actions);
      break;
    case reg::fault_control:
      actions.send_fault_event = write_control(fault_control_, value);
      break;
    case reg::fault_data:
      fault_message_.data = low;
      break;
    case reg::fault_address:
      bytes == 8 ? void(fault_message_.address = value) : set_low(fault_message_.address, value);
      break;
    case reg::fault_upper_address:
      set_high(fault_message_.address, value);
      break;
    case reg::queue_tail:
      write_tail(value, actions);
      break;
    case reg::queue_address:
      if (!queue_enabled_)
        bytes == 8 ? void(queue_address_ = value) : set_low(queue_address_, value);
      break;
    case reg::queue_address + 4:
      if (!queue_enabled_) set_high(queue_address_, value);
      break;
    case reg::completion_status:
      if ((low & 1) != 0) wait_completed_ = false;
      break;
    case reg::completion_control:
      actions.send_completion_event = write_control(completion_control_, value);
      break;
    case reg::completion_data:
      completion_message_.data = low;
      break;
    case reg::completion_address:
      bytes == 8 ? void(completion_message_.address = value)
                 : set_low(completion_message_.address, value);
      break;
    case reg::completion_upper_address:
      set_high(completion_message_.address, value);
      break;
    case reg::context_command:
      // Registers must not be used while the queue is (VT-d 6.5.1): the command is ignored.
      actions.flush_contexts =
          bytes == 8 && !queue_enabled_ && reg::ContextCommand::invalidate::test(value);
      if (actions.flush_contexts) context_command_ = value;
      break;
    case reg::iotlb:
      actions.flush_pages =
          bytes == 8 && !queue_enabled_ && reg::IotlbCommand::invalidate::test(value);
      if (actions.flush_pages) iotlb_command_ = value;
      break;
    default:
      break;
  }
  return actions;
}

void RegisterFile::write_command(std::uint32_t value, Actions& actions) {
  using G = reg::GlobalCommand;
  translating_ = G::translation::test(value);
  if (G::set_root::test(value)) {
    root_ = Hpa{root_register_ & reg::RootTable::address::mask};
    root_mode_ = reg::RootTable::mode::get(root_register_);
    root_set_ = true;
  }
  const bool enable = G::queued::test(value);
  if (enable != queue_enabled_) {
    queue_enabled_ = enable;
    head_ = 0;
    if (enable) actions.run_queue = true;
  }
}

void RegisterFile::write_fault_status(std::uint32_t value, Actions& actions) {
  using F = reg::FaultStatus;
  if (F::overflow::test(value)) faults_.clear_overflow();
  if (F::queue_error::test(value) && queue_error_ != reg::QueueError::none) {
    queue_error_ = reg::QueueError::none;
    actions.run_queue = true;
  }
  // A held event is dropped once all that it would tell has been cleared.
  if (!any_fault_status()) {
    fault_control_ &= ~static_cast<std::uint32_t>(reg::EventControl::pending::mask);
  }
}

void RegisterFile::write_tail(std::uint64_t value, Actions& actions) {
  constexpr std::uint64_t offset_bits = Bits<18, 4>::mask;
  tail_ = value & offset_bits;
  actions.run_queue = true;
}

bool RegisterFile::write_control(std::uint32_t& control, std::uint64_t value) {
  using C = reg::EventControl;
  const bool held = C::pending::test(control);
  const bool masked = C::mask::test(value);
  control = static_cast<std::uint32_t>(C::mask::of(masked) | C::pending::of(held && masked));
  return held && !masked;
}

bool RegisterFile::raise(std::uint32_t& control) {
  using C = reg::EventControl;
  if (!C::mask::test(control)) return true;
  control |= static_cast<std::uint32_t>(C::pending::mask);
  return false;
}

// ---- what the unit reports ----

bool RegisterFile::report(reg::QueueError error) {
  const bool was_set = any_fault_status();
  queue_error_ = error;
  return !was_set && raise(fault_control_);
}

bool RegisterFile::report(const Fault& fault, FaultLog::Outcome& outcome) {
  const bool was_set = any_fault_status();
  outcome = faults_.record(fault);
  return outcome == FaultLog::Outcome::recorded && !was_set && raise(fault_control_);
}

bool RegisterFile::report_wait_completed() {
  if (wait_completed_) return false;
  wait_completed_ = true;
  return raise(completion_control_);
}

void RegisterFile::contexts_flushed() {
  context_command_ = reg::ContextCommand::actual::of(reg::granularity_global);
}

void RegisterFile::pages_flushed() {
  iotlb_command_ = reg::IotlbCommand::actual::of(reg::granularity_global);
}

}  // namespace ioasim::iommu
