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

// Two 32-bit registers that one 64-bit access reaches.
constexpr bool is_pair(std::uint64_t offset) { return is_32_bit(offset) || is_32_bit(offset + 4); }

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
  if (bytes == 8 && is_pair(offset)) return read(offset, 4) | read(offset + 4, 4) << 32;
  if (is_32_bit(offset)) return read_whole(offset);
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
  if (bytes == 8 && is_pair(offset)) {
    write_32(offset, static_cast<std::uint32_t>(value), actions);
    write_32(offset + 4, static_cast<std::uint32_t>(value >> 32), actions);
  } else if (bytes == 8) {
    write_64(offset, value, actions);
  } else if (is_32_bit(offset)) {
    write_32(offset, static_cast<std::uint32_t>(value), actions);
  } else {
    write_half(offset, value, actions);
  }
  return actions;
}

void RegisterFile::write_32(std::uint64_t offset, std::uint32_t value, Actions& actions) {
  switch (offset) {
    case reg::global_command:
      return write_command(value, actions);
    case reg::fault_status:
      return write_fault_status(value, actions);
    case reg::fault_control:
      actions.send_fault_event |= write_control(fault_control_, value);
      return;
    case reg::fault_data:
      fault_message_.data = value;
      return;
    case reg::fault_address:
      return set_low(fault_message_.address, value);
    case reg::fault_upper_address:
      return set_high(fault_message_.address, value);
    case reg::completion_status:
      if ((value & 1) != 0) wait_completed_ = false;
      return drop_held_events();
    case reg::completion_control:
      actions.send_completion_event |= write_control(completion_control_, value);
      return;
    case reg::completion_data:
      completion_message_.data = value;
      return;
    case reg::completion_address:
      return set_low(completion_message_.address, value);
    case reg::completion_upper_address:
      return set_high(completion_message_.address, value);
    default:
      return;
  }
}

// One half of a 64-bit register: the other keeps its value.
void RegisterFile::write_half(std::uint64_t offset, std::uint64_t value, Actions& actions) {
  const auto whole_offset = offset / 8 * 8;
  const bool high = offset % 8 != 0;
  // What is written 1 to clear must not see the other half's ones.
  const bool clears = whole_offset >= reg::fault_records;
  // A command is given by the half that holds its bit.
  const bool commands = whole_offset == reg::context_command || whole_offset == reg::iotlb;
  auto whole = clears ? 0 : read_whole(whole_offset);
  high ? set_high(whole, value) : set_low(whole, value);
  if (commands && !high) return;
  write_64(whole_offset, whole, actions);
}

void RegisterFile::write_64(std::uint64_t offset, std::uint64_t value, Actions& actions) {
  if (offset >= reg::fault_records && offset < reg::fault_records + faults_.bytes()) {
    faults_.write(offset - reg::fault_records, value);
    return drop_held_events();
  }
  switch (offset) {
    case reg::root_table:
      root_register_ = value;
      return;
    case reg::queue_tail:
      return write_tail(value, actions);
    case reg::queue_address:
      if (!queue_enabled_) queue_address_ = value;
      return;
    case reg::context_command:
      // Registers must not be used while the queue is (VT-d 6.5.1): the command is ignored.
      actions.flush_contexts = !queue_enabled_ && reg::ContextCommand::invalidate::test(value);
      if (actions.flush_contexts) context_command_ = value;
      return;
    case reg::iotlb:
      actions.flush_pages = !queue_enabled_ && reg::IotlbCommand::invalidate::test(value);
      if (actions.flush_pages) iotlb_command_ = value;
      return;
    default:
      return;
  }
}

// An event that a mask held back is dropped once all that it would tell has been cleared.
void RegisterFile::drop_held_events() {
  constexpr auto pending = static_cast<std::uint32_t>(reg::EventControl::pending::mask);
  if (!any_fault_status()) fault_control_ &= ~pending;
  if (!wait_completed_) completion_control_ &= ~pending;
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
    ++queue_switched_;
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
  drop_held_events();
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
