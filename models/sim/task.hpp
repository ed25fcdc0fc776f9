// Tasks: long protocol sequences (walks, queues, device behaviour) as coroutines that read like
// the specification's list of steps. A task starts when it is awaited, or on its own by start().
//
// Rules: parameters by value, or references to what outlives the task; no capturing lambda as a
// coroutine; a task never throws; a started task is counted by a Pending of its module.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "sim/clockwork.hpp"
#include "sim/frame_pool.hpp"

namespace ioasim::sim {

template <class Value = void>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation;

  static void* operator new(std::size_t bytes) { return FramePool::instance().take(bytes); }
  static void operator delete(void* frame, std::size_t bytes) {
    FramePool::instance().give(frame, bytes);
  }

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct Final {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) noexcept {
      if (done.promise().continuation) return done.promise().continuation;
      done.destroy();  // started on its own: nobody else holds the frame
      return std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
  [[noreturn]] void unhandled_exception() noexcept { UNREACHABLE(); }
};

template <class Value>
struct Promise : PromiseBase {
  std::optional<Value> value;
  Task<Value> get_return_object();
  void return_value(Value result) { value.emplace(std::move(result)); }
  Value take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  void take() {}
};

}  // namespace detail

template <class Value>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<Value>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_{handle} {}
  Task(Task&& other) noexcept : handle_{std::exchange(other.handle_, {})} {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Runs it up to its first wait; it then lives on its own.
  void start() && { std::exchange(handle_, {}).resume(); }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> handle;
      bool await_ready() const { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) {
        handle.promise().continuation = waiter;
        return handle;
      }
      Value await_resume() { return handle.promise().take(); }
    };
    return Awaiter{handle_};
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

template <class Value>
Task<Value> detail::Promise<Value>::get_return_object() {
  return Task<Value>{std::coroutine_handle<Promise>::from_promise(*this)};
}
inline Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>{std::coroutine_handle<Promise>::from_promise(*this)};
}

// co_await Until{clock, time}: goes on at that time; at once if it is not in the future.
struct Until {
  Clockwork& clock;
  Picoseconds time;

  bool await_ready() const { return time <= clock.now(); }
  void await_suspend(std::coroutine_handle<> waiter) { clock.resume_at(time, waiter.address()); }
  void await_resume() const {}
};

// co_await Delay{clock, duration}.
struct Delay : Until {
  Delay(Clockwork& engine, Picoseconds duration) : Until{engine, engine.now() + duration} {}
};

}  // namespace ioasim::sim
