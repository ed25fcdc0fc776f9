#include "kernel/vtd/queue.hpp"

#include <fmt/format.h>

#include <cerrno>

#include "kernel/vtd/formats.hpp"

namespace ioasim::kernel::vtd {
namespace {

constexpr std::uint32_t status_in_use = 1;
constexpr std::uint32_t status_done = 2;

// Submissions again after a device did not answer an invalidation in time.
constexpr unsigned attempts_max = 4;

}  // namespace

Queue::Queue(const Runtime& runtime, Registers registers)
    : runtime_{runtime}, registers_{registers}, lock_{runtime.params.lock_retry} {}

int Queue::prepare(cpu::Instructions& cpu) {
  const unsigned order = runtime_.params.queue_order;
  size_ = static_cast<unsigned>((page_bytes << order) / sizeof(Descriptor));
  const auto base = runtime_.frames.allocate(cpu, Frames::Content::zero, order);
  const unsigned status_order = order > 3 ? order - 3 : 0;
  const auto status = runtime_.frames.allocate(cpu, Frames::Content::zero, status_order);
  if (!base || !status) return -ENOMEM;
  base_ = *base;
  status_ = *status;
  slots_.assign(size_, Slot::free);
  free_ = size_;
  head_ = tail_ = 0;
  registers_.write64(cpu, reg::queue_tail, 0);
  registers_.write64(cpu, reg::queue_address,
                     base_.value | queue_address::wide | queue_address::Size::of(order));
  return 0;
}

int Queue::submit(cpu::Instructions& cpu, std::span<const Descriptor> descriptors, Phases phases) {
  for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
    const int result = submit_once(cpu, descriptors, phases);
    if (result != -EAGAIN) return result;
  }
  return -ETIMEDOUT;
}

int Queue::submit_once(cpu::Instructions& cpu, std::span<const Descriptor> descriptors,
                       Phases phases) {
  Guard guard{lock_, cpu};
  const auto deadline = cpu.now() + runtime_.params.hardware_timeout;
  if (dead_) return -EIO;
  // A full ring would look empty, hence one slot that stays free, and one for the wait.
  if (!reserve(cpu, descriptors.size() + 2, deadline)) return -EIO;
  const unsigned first = head_;
  const unsigned wait_slot = enqueue(cpu, descriptors);
  cpu.mfence();
  registers_.write64(cpu, reg::queue_tail, head_ * sizeof(Descriptor));
  runtime_.phase(cpu, phases.submitted, static_cast<std::int64_t>(descriptors.size()));

  const int result = wait(cpu, first, wait_slot);
  for (unsigned slot = first; slot != next(wait_slot); slot = next(slot)) slots_[slot] = Slot::done;
  reclaim();
  runtime_.phase(cpu, phases.seen, result);
  return result;
}

// Called with the lock held, and returns with it held.
bool Queue::reserve(cpu::Instructions& cpu, std::size_t slots, Picoseconds deadline) {
  while (free_ < slots) {
    lock_.unlock(cpu);
    cpu.execute(runtime_.params.lock_retry);
    lock_.lock(cpu);
    if (dead_ || cpu.now() >= deadline) return false;
  }
  return !dead_;
}

unsigned Queue::enqueue(cpu::Instructions& cpu, std::span<const Descriptor> descriptors) {
  for (const auto& descriptor : descriptors) {
    cpu.store(descriptor_at(head_), std::as_bytes(std::span{descriptor}));
    slots_[head_] = Slot::in_use;
    head_ = next(head_);
  }
  const unsigned wait_slot = head_;
  const auto wait = descriptor::wait(status_at(wait_slot), status_done);
  cpu.store<std::uint32_t>(status_at(wait_slot), status_in_use);
  cpu.store(descriptor_at(wait_slot), std::as_bytes(std::span{wait}));
  slots_[wait_slot] = Slot::waited_for;
  head_ = next(head_);
  free_ -= static_cast<unsigned>(descriptors.size()) + 1;
  return wait_slot;
}

// Spins without the lock, so that others may queue up behind; the status is looked at before
// the fault registers, because a wait that has completed is not undone by a later error.
int Queue::wait(cpu::Instructions& cpu, unsigned first, unsigned wait_slot) {
  const auto deadline = cpu.now() + runtime_.params.hardware_timeout;
  int result = 0;
  for (unsigned poll = 1;; ++poll) {
    if (cpu.load<std::uint32_t>(status_at(wait_slot)) == status_done) return result;
    if (slots_[wait_slot] == Slot::aborted) return -EAGAIN;
    if (dead_) return -EIO;
    if (poll % runtime_.params.fault_check_polls == 0) {
      const int fault = check_faults(cpu, first, wait_slot);
      if (fault != 0) result = fault;
    }
    if (cpu.now() >= deadline) {
      runtime_.log.push_back(
          fmt::format("DMAR: {:#x}: invalidation queue hung", registers_.base().value));
      dead_ = true;
      return -ETIMEDOUT;
    }
    lock_.unlock(cpu);
    cpu.execute(runtime_.params.spin_pause);
    lock_.lock(cpu);
  }
}

// Linux: qi_check_fault(). VT-d 6.5.2.10: hardware stops fetching at IQE and at ITE until
// software clears them, and goes on after ICE.
int Queue::check_faults(cpu::Instructions& cpu, unsigned first, unsigned wait_slot) {
  const auto status = registers_.read32(cpu, reg::fault_status);
  int result = 0;
  if ((status & fault_status::queue_error) != 0) result = replace_refused(cpu, first, wait_slot);
  if ((status & fault_status::timeout_error) != 0) {
    runtime_.log.emplace_back("DMAR: VT-d detected Invalidation Time-out Error");
    abort_fetched_waits(cpu);
    registers_.write32(cpu, reg::fault_status, fault_status::timeout_error);
  }
  if ((status & fault_status::completion_error) != 0) {
    runtime_.log.emplace_back("DMAR: VT-d detected Invalidation Completion Error");
    registers_.write32(cpu, reg::fault_status, fault_status::completion_error);
  }
  return result;
}

// The head stays at the refused descriptor. If it is one of ours it becomes a wait that stores
// what its status word does not mean to anybody, and the queue moves on to the real wait.
int Queue::replace_refused(cpu::Instructions& cpu, unsigned first, unsigned wait_slot) {
  const auto head =
      static_cast<unsigned>(registers_.read64(cpu, reg::queue_head) / sizeof(Descriptor) % size_);
  const unsigned count = (wait_slot + size_ - first) % size_;
  if ((head + size_ - first) % size_ >= count) return 0;  // another waiter's, or no descriptor
  runtime_.log.push_back(
      fmt::format("DMAR: VT-d detected Invalidation Queue Error: qw0 = {:#x}, qw1 = {:#x}",
                  cpu.load<std::uint64_t>(descriptor_at(head)),
                  cpu.load<std::uint64_t>(descriptor_at(head) + 8)));
  const auto harmless = descriptor::wait(status_at(head), status_in_use);
  cpu.store(descriptor_at(head), std::as_bytes(std::span{harmless}));
  cpu.mfence();
  registers_.write32(cpu, reg::fault_status, fault_status::queue_error);
  return -EINVAL;
}

// Waits that hardware has fetched never complete after a timeout (VT-d 6.5.2.10); those behind
// the head still will.
void Queue::abort_fetched_waits(cpu::Instructions& cpu) {
  const auto head =
      static_cast<unsigned>(registers_.read64(cpu, reg::queue_head) / sizeof(Descriptor) % size_);
  for (unsigned slot = tail_; slot != head && slot != head_; slot = next(slot)) {
    if (slots_[slot] == Slot::waited_for) slots_[slot] = Slot::aborted;
  }
}

void Queue::reclaim() {
  while (free_ < size_ && slots_[tail_] == Slot::done) {
    slots_[tail_] = Slot::free;
    tail_ = next(tail_);
    ++free_;
  }
}

}  // namespace ioasim::kernel::vtd
