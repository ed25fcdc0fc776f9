// The register file of a VT-d unit: what software reads, and what its writes ask of the unit
// (VT-d 11.4). Plain C++: the module carries out the actions.
//
// Accesses are 32 or 64 bits wide and naturally aligned; others read as zero and write nothing.
#pragma once

#include <cstdint>

#include "iommu/fault_log.hpp"
#include "iommu/params.hpp"

namespace ioasim::iommu {

// What a write asks of the unit.
struct Actions {
  bool run_queue = false;       // the tail moved, the queue was enabled, or an error was cleared
  bool flush_contexts = false;  // CCMD.ICC
  bool flush_pages = false;     // IOTLB_REG.IVT
  bool send_fault_event = false;
  bool send_completion_event = false;
};

// A message-signalled interrupt that software programmed.
struct Message {
  std::uint64_t address = 0;
  std::uint32_t data = 0;
};

class RegisterFile {
 public:
  explicit RegisterFile(const Params& params);

  std::uint64_t read(std::uint64_t offset, unsigned bytes) const;
  Actions write(std::uint64_t offset, unsigned bytes, std::uint64_t value);

  bool translation_enabled() const { return translating_; }
  // The root table latched by Set Root Table Pointer; none if it is not a scalable-mode table.
  bool scalable_root() const { return root_mode_ == reg::RootTable::scalable; }
  Hpa root() const { return root_; }

  // The invalidation queue.
  bool queue_running() const { return queue_enabled_ && queue_error_ == reg::QueueError::none; }
  // Counts how often software has switched the queue on or off.
  unsigned queue_switched() const { return queue_switched_; }
  Hpa queue_base() const { return Hpa{queue_address_ & reg::QueueAddress::base::mask}; }
  std::uint64_t queue_bytes() const {
    return page_bytes << reg::QueueAddress::size::get(queue_address_);
  }
  std::uint64_t descriptor_bytes() const {
    return reg::QueueAddress::wide::test(queue_address_) ? 32 : 16;
  }
  std::uint64_t head() const { return head_; }
  std::uint64_t tail() const { return tail_; }
  void advance_head() { head_ = (head_ + descriptor_bytes()) % queue_bytes(); }

  // Each returns whether the event's message is to be sent now.
  bool report(reg::QueueError error);
  bool report(const Fault& fault, FaultLog::Outcome& outcome);
  bool report_wait_completed();
  Message fault_message() const { return fault_message_; }
  Message completion_message() const { return completion_message_; }

  void contexts_flushed();
  void pages_flushed();

 private:
  std::uint64_t read_whole(std::uint64_t offset) const;
  std::uint32_t fault_status() const;
  bool any_fault_status() const;
  void write_32(std::uint64_t offset, std::uint32_t value, Actions& actions);
  void write_half(std::uint64_t offset, std::uint64_t value, Actions& actions);
  void write_64(std::uint64_t offset, std::uint64_t value, Actions& actions);
  void drop_held_events();
  void write_command(std::uint32_t value, Actions& actions);
  void write_fault_status(std::uint32_t value, Actions& actions);
  void write_tail(std::uint64_t value, Actions& actions);
  // A control register's mask bit changed; returns whether a held event is to be sent.
  static bool write_control(std::uint32_t& control, std::uint64_t value);
  static bool raise(std::uint32_t& control);

  std::uint64_t capability_;
  std::uint64_t extended_capability_;
  bool translating_ = false;
  bool root_set_ = false;
  Hpa root_{};
  std::uint64_t root_mode_ = 0;
  std::uint64_t root_register_ = 0;
  bool queue_enabled_ = false;
  unsigned queue_switched_ = 0;
  std::uint64_t queue_address_ = 0;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  reg::QueueError queue_error_ = reg::QueueError::none;
  FaultLog faults_;
  std::uint32_t fault_control_ = static_cast<std::uint32_t>(reg::EventControl::mask::mask);
  Message fault_message_;
  bool wait_completed_ = false;
  std::uint32_t completion_control_ = static_cast<std::uint32_t>(reg::EventControl::mask::mask);
  Message completion_message_;
  std::uint64_t context_command_ = 0;
  std::uint64_t iotlb_command_ = 0;
};

}  // namespace ioasim::iommu
