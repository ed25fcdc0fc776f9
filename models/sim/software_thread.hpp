// Where a software thread (an SC_THREAD) waits. Its wake-ups are events of the Clockwork, so that
// the order of threads that wake at one instant is ours and not the kernel's.
#pragma once

#include "sim/clockwork.hpp"

namespace ioasim::sim {

class SoftwareThread {
 public:
  explicit SoftwareThread(Clockwork& clock) : clock_{clock} {}

  // Called by the thread: returns at `time`.
  void sleep_until(Picoseconds time) { sleep(time - clock_.now()); }
  void sleep(Picoseconds duration) {
    if (duration <= Picoseconds{} || clock_.try_advance(duration)) return;
    wait_until(clock_.now() + duration);
  }

  // Called by the thread: returns once unpark() was called, before or after. May return for an
  // earlier unpark(), so the caller checks what it waits for.
  void park() {
    while (!token_) sc_core::wait(event_);
    token_ = false;
  }
  // Called from an event: lets the thread go on at `time`.
  void unpark(Picoseconds time) { clock_.in_kernel_at<&SoftwareThread::wake_up>(time, this, 0); }

 private:
  [[gnu::noinline]] void wait_until(Picoseconds time) {
    clock_.in_kernel_at<&SoftwareThread::wake_up>(time, this, 0);
    while (clock_.now() < time) park();
  }
  void wake_up(int) {
    token_ = true;
    event_.notify();
  }

  Clockwork& clock_;
  sc_core::sc_event event_;
  bool token_ = false;
};

}  // namespace ioasim::sim
