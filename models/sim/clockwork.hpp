// The shared payload-event queue: one SC_METHOD with one sc_event carries every transaction of
// the simulation. Events fire in order of (time, order number); equal times fire in the order in
// which they were posted, or, to test that nothing depends on it, in a shuffled order.
//
// It may run ahead of the SystemC kernel, up to the kernel's next pending activity and never past
// it. Engine time is therefore now(), not sc_time_stamp(); the delay argument of a TLM call is
// the difference, that is, ordinary temporal decoupling. Rules that make run-ahead exact:
//  1. it stops at the kernel's next pending activity, and at once if some is pending now;
//  2. whatever touches the kernel (waking a thread, calling a module that is not ours) is an
//     in_kernel event, for which the engine lets the kernel reach the event's time first;
//  3. an event is looked at, never taken out and put back;
//  4. modules use now();
//  5. it never runs ahead by more than `run_ahead_max`, for the sake of async_request_update.
// `step` mode returns to the kernel at every instant and must give the same trace.
#pragma once

#include <boost/intrusive/list.hpp>
#include <functional>
#include <string>
#include <type_traits>

#include "base/check.hpp"
#include "base/prng.hpp"
#include "sim/event_wheel.hpp"
#include "sim/systemc.hpp"

namespace ioasim::sim {

// Something that can be waited for; the stall report lists those that somebody waits for.
class Waitable : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~Waitable() = default;
  // "iommu0.walkers: 6 of 6 taken, 3 waiting"; empty if nobody waits.
  virtual std::string waiting() const = 0;
};

struct ClockworkParams {
  bool run_ahead = true;
  bool shuffle_ties = false;
  std::uint64_t seed = 1;
  Picoseconds run_ahead_max = 10_us;
  Picoseconds stall_after = forever;
};

class Clockwork final : public sc_core::sc_module {
 public:
  using Params = ClockworkParams;

  explicit Clockwork(const sc_core::sc_module_name& name, const Params& params = {});
  ~Clockwork() override;

  // Engine time.
  Picoseconds now() const { return running_ ? now_ : std::max(now_, kernel_now()); }
  // `time` as the delay argument of a TLM call made now.
  sc_core::sc_time delay_until(Picoseconds time) const {
    return sc_core::sc_time::from_value(static_cast<sc_dt::uint64>((time - kernel_now()).count()));
  }
  // The kernel's time, which stands still while the engine runs.
  Picoseconds kernel_now() const {
    if (running_) return kernel_now_;
    return Picoseconds{static_cast<std::int64_t>(sc_core::sc_time_stamp().value())};
  }

  // Calls object->Method(), or object->Method(argument) for a pointer or integer, at `due`.
  template <auto Method, class Object>
  void at(Picoseconds due, Object* object) {
    post({.due = due, .handler = &call<Method, Object>, .object = object});
  }
  template <auto Method, class Object, class Argument>
  void at(Picoseconds due, Object* object, Argument argument) {
    post({.due = due,
          .handler = &call_with<Method, Object, Argument>,
          .object = object,
          .argument = to_word(argument)});
  }
  // The same, with the kernel at that time too: for calls to what is not ours.
  template <auto Method, class Object, class Argument>
  void in_kernel_at(Picoseconds due, Object* object, Argument argument) {
    post({.due = due,
          .handler = &call_with<Method, Object, Argument>,
          .object = object,
          .argument = to_word(argument),
          .in_kernel = true});
  }
  // Resumes a coroutine at `due`.
  void resume_at(Picoseconds due, void* coroutine_address);

  // For the software thread that runs now: moves time on by `duration`, more than 0, without the
  // kernel, if nothing else is due until then. Returns false, having done nothing, if something is.
  bool try_advance(Picoseconds duration) {
    DCHECK(!running_ && duration > Picoseconds{});
    if (!params_.run_ahead) return false;
    const auto base = kernel_now();
    const auto time = std::max(now_, base) + duration;
    if (!wheel_.empty() && wheel_.peek().due <= time) return false;
    if (time > base + params_.run_ahead_max) return false;
    // 0 if something is pending now; the end of time if nothing is (IEEE 1666 4.6.7).
    const auto idle = sc_core::sc_time_to_pending_activity().value();
    if (idle <= static_cast<sc_dt::uint64>((time - base).count())) return false;
    now_ = time;
    wheel_.advance(time);
    return true;
  }

  // Work was done that a loop does not do which polls a register or a cached status: a DMA
  // completed, an access went beyond a core's own caches. Re-arms the stall report.
  void progress() { last_progress_ = now(); }
  // Called with the list of what waits, when no progress was made for `stall_after`.
  void on_stall(std::function<void(const std::string&)> report) { stalled_ = std::move(report); }
  // One line for each Waitable that somebody waits for.
  std::string waiting() const;

  // What modules that draw random numbers begin from.
  std::uint64_t seed() const { return params_.seed; }
  std::uint64_t events() const { return events_; }
  std::size_t pending() const { return wheel_.size(); }

  // Lists it for stall reports, as long as it exists.
  void watch(Waitable& waitable) { waitables_.push_back(waitable); }

 private:
  template <auto Method, class Object>
  static void call(void* object, std::uint64_t) {
    (static_cast<Object*>(object)->*Method)();
  }
  template <auto Method, class Object, class Argument>
  static void call_with(void* object, std::uint64_t word) {
    if constexpr (std::is_pointer_v<Argument>) {
      (static_cast<Object*>(object)->*Method)(reinterpret_cast<Argument>(word));
    } else {
      (static_cast<Object*>(object)->*Method)(static_cast<Argument>(word));
    }
  }
  template <class Argument>
  static std::uint64_t to_word(Argument argument) {
    if constexpr (std::is_pointer_v<Argument>) {
      return reinterpret_cast<std::uint64_t>(argument);
    } else {
      return static_cast<std::uint64_t>(argument);
    }
  }

  void post(Event event);
  void run();
  Picoseconds limit() const;
  void arm(Picoseconds due);
  void check_stall();

  Params params_;
  EventWheel wheel_;
  Prng ties_;
  sc_core::sc_event wake_;
  std::uint64_t posted_ = 0;
  std::uint64_t events_ = 0;
  Picoseconds now_{};
  Picoseconds kernel_now_{};  // while running
  Picoseconds armed_ = forever;
  Picoseconds last_progress_{};
  bool running_ = false;
  std::function<void(const std::string&)> stalled_;
  boost::intrusive::list<Waitable, boost::intrusive::constant_time_size<false>> waitables_;
};

}  // namespace ioasim::sim
