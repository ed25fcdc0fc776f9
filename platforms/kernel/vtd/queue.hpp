// The invalidation queue of one unit: submission of descriptors and the wait for their effect
// (Linux: qi_submit_sync).
//
// Models:         256-bit descriptors, a status word per slot written by the wait descriptor,
//                 one lock per queue that is given up while spinning, detection of and recovery
//                 from queue, timeout and completion errors.
// Does not model: completion by interrupt, device-TLB descriptors, asynchronous submission.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "kernel/lock.hpp"
#include "kernel/runtime.hpp"
#include "kernel/vtd/descriptors.hpp"
#include "kernel/vtd/registers.hpp"

namespace ioasim::kernel::vtd {

class Queue {
 public:
  Queue(const Runtime& runtime, Registers registers);

  // Names of two phases on the timeline.
  struct Phases {
    std::string_view submitted;
    std::string_view seen;
  };

  // Takes memory and programs IQA and IQT. -ENOMEM.
  int prepare(cpu::Instructions& cpu);

  // Returns when all of them have taken effect. -EINVAL: hardware refused one of them. -EIO: the
  // queue is dead. -ETIMEDOUT: it has just died, or devices did not answer.
  int submit(cpu::Instructions& cpu, std::span<const Descriptor> descriptors, Phases phases);

 private:
  enum class Slot : std::uint8_t { free, in_use, waited_for, aborted, done };

  int submit_once(cpu::Instructions& cpu, std::span<const Descriptor> descriptors, Phases phases);
  bool reserve(cpu::Instructions& cpu, std::size_t slots, Picoseconds deadline);
  unsigned enqueue(cpu::Instructions& cpu, std::span<const Descriptor> descriptors);
  int wait(cpu::Instructions& cpu, unsigned first, unsigned wait_slot);
  int check_faults(cpu::Instructions& cpu, unsigned first, unsigned wait_slot);
  int replace_refused(cpu::Instructions& cpu, unsigned first, unsigned wait_slot);
  void abort_fetched_waits(cpu::Instructions& cpu);
  void reclaim();

  unsigned next(unsigned slot) const { return (slot + 1) % size_; }
  Hpa descriptor_at(unsigned slot) const { return base_ + slot * sizeof(Descriptor); }
  Hpa status_at(unsigned slot) const { return status_ + slot * sizeof(std::uint32_t); }

  const Runtime& runtime_;
  Registers registers_;
  Lock lock_;
  Hpa base_;
  Hpa status_;
  unsigned size_ = 0;
  unsigned head_ = 0;  // next slot to fill
  unsigned tail_ = 0;  // oldest slot not yet free
  unsigned free_ = 0;
  std::vector<Slot> slots_;
  bool dead_ = false;
};

}  // namespace ioasim::kernel::vtd
