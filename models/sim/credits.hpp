// A limited resource: walkers, tags, buffers. Its size is in Params, its occupancy a statistic.
#pragma once

#include <fmt/format.h>

#include <coroutine>
#include <string>

#include "base/check.hpp"
#include "sim/clockwork.hpp"

namespace ioasim::sim {

namespace detail {

// Coroutines that wait, first in first out; a link lies in the waiter's own frame.
struct Waiter {
  std::coroutine_handle<> coroutine;
  unsigned wanted = 1;
  Waiter* next = nullptr;
};

class WaitQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  unsigned size() const { return size_; }
  Waiter& front() const { return *head_; }
  void push(Waiter& waiter) {
    (head_ == nullptr ? head_ : tail_->next) = &waiter;
    tail_ = &waiter;
    ++size_;
  }
  Waiter& pop() {
    Waiter& first = *head_;
    head_ = first.next;
    --size_;
    return first;
  }

 private:
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
  unsigned size_ = 0;
};

}  // namespace detail

class Credits final : public Waitable {
 public:
  Credits(Clockwork& clock, std::string name, unsigned size)
      : clock_{clock}, name_{std::move(name)}, size_{size}, free_{size} {
    clock_.watch(*this);
  }
  Credits(const Credits&) = delete;

  unsigned size() const { return size_; }
  unsigned free() const { return free_; }
  unsigned taken() const { return size_ - free_; }
  unsigned taken_max() const { return taken_max_; }

  // Takes `n` if they are free and nobody waits.
  bool try_take(unsigned n = 1) {
    if (free_ < n || !waiters_.empty()) return false;
    take_now(n);
    return true;
  }

  // co_await credits.take(n): goes on, in order of asking, once `n` are free.
  auto take(unsigned n = 1) {
    CHECK(n <= size_);
    struct Awaiter : detail::Waiter {
      Credits& credits;
      Awaiter(Credits& c, unsigned n) : credits{c} { wanted = n; }
      bool await_ready() { return credits.try_take(wanted); }
      void await_suspend(std::coroutine_handle<> waiter) {
        coroutine = waiter;
        credits.waiters_.push(*this);
      }
      void await_resume() const {}
    };
    return Awaiter{*this, n};
  }

  void give(unsigned n = 1) {
    free_ += n;
    CHECK(free_ <= size_);
    while (!waiters_.empty() && waiters_.front().wanted <= free_) {
      detail::Waiter& next = waiters_.pop();
      take_now(next.wanted);
      clock_.resume_at(clock_.now(), next.coroutine.address());
    }
  }

  std::string waiting() const override {
    if (waiters_.empty()) return {};
    return fmt::format("{}: {} of {} taken, {} waiting", name_, taken(), size_, waiters_.size());
  }

 private:
  void take_now(unsigned n) {
    free_ -= n;
    taken_max_ = std::max(taken_max_, taken());
  }

  Clockwork& clock_;
  std::string name_;
  unsigned size_;
  unsigned free_;
  unsigned taken_max_ = 0;
  detail::WaitQueue waiters_;
};

// Work under way: counts what was begun and lets tasks wait until all of it is done.
class Pending final : public Waitable {
 public:
  Pending(Clockwork& clock, std::string name) : clock_{clock}, name_{std::move(name)} {
    clock_.watch(*this);
  }
  Pending(const Pending&) = delete;

  unsigned count() const { return count_; }
  void add() { ++count_; }
  void done() {
    CHECK(count_ > 0);
    if (--count_ > 0) return;
    while (!waiters_.empty()) clock_.resume_at(clock_.now(), waiters_.pop().coroutine.address());
  }

  // co_await pending.wait(): goes on once the count is 0.
  auto wait() {
    struct Awaiter : detail::Waiter {
      Pending& pending;
      explicit Awaiter(Pending& p) : pending{p} {}
      bool await_ready() const { return pending.count_ == 0; }
      void await_suspend(std::coroutine_handle<> waiter) {
        coroutine = waiter;
        pending.waiters_.push(*this);
      }
      void await_resume() const {}
    };
    return Awaiter{*this};
  }

  std::string waiting() const override {
    if (count_ == 0) return {};
    return fmt::format("{}: {} not done, {} waiting", name_, count_, waiters_.size());
  }

 private:
  Clockwork& clock_;
  std::string name_;
  unsigned count_ = 0;
  detail::WaitQueue waiters_;
};

// A condition that tasks wait for: signal() lets all who wait go on.
class Signal final : public Waitable {
 public:
  Signal(Clockwork& clock, std::string name) : clock_{clock}, name_{std::move(name)} {
    clock_.watch(*this);
  }
  Signal(const Signal&) = delete;

  void signal() {
    while (!waiters_.empty()) clock_.resume_at(clock_.now(), waiters_.pop().coroutine.address());
  }
  auto wait() {
    struct Awaiter : detail::Waiter {
      Signal& signal;
      explicit Awaiter(Signal& s) : signal{s} {}
      bool await_ready() const { return false; }
      void await_suspend(std::coroutine_handle<> waiter) {
        coroutine = waiter;
        signal.waiters_.push(*this);
      }
      void await_resume() const {}
    };
    return Awaiter{*this};
  }

  // Idle units wait for a signal as a matter of course: that is not a stall.
  std::string waiting() const override { return {}; }

 private:
  Clockwork& clock_;
  std::string name_;
  detail::WaitQueue waiters_;
};

}  // namespace ioasim::sim
