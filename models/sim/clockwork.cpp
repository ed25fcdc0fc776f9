#include "sim/clockwork.hpp"

#include <fmt/format.h>

#include <coroutine>

namespace ioasim::sim {
namespace {

std::string where() {
  const auto* process = sc_core::sc_get_current_process_handle().get_process_object();
  return fmt::format("at {} ps in {}", sc_core::sc_time_stamp().value(),
                     process != nullptr ? process->name() : "elaboration");
}

void resume(void*, std::uint64_t address) {
  std::coroutine_handle<>::from_address(reinterpret_cast<void*>(address)).resume();
}

}  // namespace

Clockwork::Clockwork(const sc_core::sc_module_name& name, const Params& params)
    : sc_module{name}, params_{params}, ties_{params.seed, "ties"} {
  CHECK(sc_core::sc_get_time_resolution() == sc_core::sc_time(1, sc_core::SC_PS));
  set_check_context(where);
  SC_HAS_PROCESS(Clockwork);
  SC_METHOD(run);
  sensitive << wake_;
  dont_initialize();
}

Clockwork::~Clockwork() = default;

void Clockwork::post(Event event) {
  DCHECK(event.due >= now());
  event.order = params_.shuffle_ties ? ties_.next() : posted_;
  ++posted_;
  wheel_.push(event);
  if (!running_ && event.due < armed_) arm(event.due);
}

void Clockwork::resume_at(Picoseconds due, void* coroutine_address) {
  post({.due = due,
        .handler = &resume,
        .argument = reinterpret_cast<std::uint64_t>(coroutine_address)});
}

void Clockwork::arm(Picoseconds due) {
  wake_.notify(delay_until(std::max(due, kernel_now())));
  armed_ = due;
}

Picoseconds Clockwork::limit() const {
  const auto base = kernel_now();
  if (!params_.run_ahead || sc_core::sc_pending_activity_at_current_time()) return base;
  const auto cap = base + params_.run_ahead_max;
  if (!sc_core::sc_pending_activity_at_future_time()) return cap;
  const auto idle = sc_core::sc_time_to_pending_activity().value();
  return std::min(cap, base + Picoseconds{static_cast<std::int64_t>(idle)});
}

void Clockwork::run() {
  const auto base = kernel_now_ = kernel_now();
  running_ = true;
  armed_ = forever;
  const auto last = limit();
  bool yield = false;
  while (!wheel_.empty() && !yield) {
    const Event& next = wheel_.peek();
    if (next.due > last || (next.in_kernel && next.due > base)) break;
    const Event event = wheel_.pop();
    now_ = std::max(now_, event.due);
    ++events_;
    event.handler(event.object, event.argument);
    yield = event.in_kernel;
  }
  if (now_ - last_progress_ > params_.stall_after) check_stall();
  running_ = false;
  if (!wheel_.empty()) arm(yield ? base : wheel_.peek().due);
}

void Clockwork::check_stall() {
  last_progress_ = now_;
  if (stalled_) stalled_(waiting());
}

std::string Clockwork::waiting() const {
  std::string lines;
  for (const Waitable& waitable : waitables_) {
    if (const auto line = waitable.waiting(); !line.empty()) lines += line + '\n';
  }
  return lines;
}

}  // namespace ioasim::sim
