// A ticket lock between software threads: who waits executes, in simulated time. It needs no
// atomics, because a thread gives way to another only inside an instruction of its core.
#pragma once

#include "base/check.hpp"
#include "cpu/instructions.hpp"

namespace ioasim::kernel {

class Lock {
 public:
  explicit Lock(Picoseconds retry) : retry_{retry} {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock(cpu::Instructions& cpu) {
    const auto ticket = next_++;
    while (serving_ != ticket) cpu.execute(retry_);
  }
  void unlock(cpu::Instructions& cpu) {
    CHECK(serving_ != next_);
    cpu.release();
    ++serving_;
  }

 private:
  Picoseconds retry_;
  std::uint64_t next_ = 0;
  std::uint64_t serving_ = 0;
};

// Holds a lock for a scope.
class Guard {
 public:
  Guard(Lock& lock, cpu::Instructions& cpu) : lock_{lock}, cpu_{cpu} { lock_.lock(cpu); }
  ~Guard() { lock_.unlock(cpu_); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  Lock& lock_;
  cpu::Instructions& cpu_;
};

}  // namespace ioasim::kernel
