#include "support/bench.hpp"

#include <fmt/format.h>

#include "base/check.hpp"

namespace ioasim::test {

Script::Script(const sc_core::sc_module_name& name, sim::Clockwork& clock,
               std::function<void()> body)
    : sc_module{name}, thread_{clock}, body_{std::move(body)} {
  SC_HAS_PROCESS(Script);
  SC_THREAD(run);
  set_stack_size(1u << 20);
}

void Script::run() {
  process_ = sc_core::sc_get_current_process_handle().get_process_object();
  body_();
  finished_ = true;
}

namespace {

// SystemC takes a plain function as its handler.
std::function<void(const sc_core::sc_report&, const sc_core::sc_actions&)> handler;

void forward(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  handler(report, actions);
}

}  // namespace

Bench::Bench(const sim::ClockworkParams& params) : clock{"clockwork", params} {
  handler = [this](const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
    on_report(report, actions);
  };
  sc_core::sc_report_handler::set_handler(forward);
}

Bench::~Bench() { sc_core::sc_report_handler::set_handler(nullptr); }

void Bench::on_report(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  if (report.get_severity() == sc_core::SC_INFO) return;
  const std::string text = report.what();
  if (!wanted_report_.empty() && text.find(wanted_report_) != std::string::npos) {
    ++wanted_reports_;
    return;
  }
  ADD_FAILURE() << "SystemC: " << text;
  sc_core::sc_report_handler::default_handler(report, actions);
}

void Bench::also(std::function<void()> body) {
  scripts_.push_back(std::make_unique<Script>(fmt::format("script{}", scripts_.size()).c_str(),
                                              clock, std::move(body)));
}

void Bench::run(std::function<void()> body) {
  also(std::move(body));
  sc_core::sc_start();
  for (const auto& script : scripts_) {
    EXPECT_TRUE(script->finished()) << script->name() << " still waits\n" << clock.waiting();
  }
}

Script& Bench::current() {
  const auto* process = sc_core::sc_get_current_process_handle().get_process_object();
  for (auto& script : scripts_) {
    if (script->process() == process) return *script;
  }
  UNREACHABLE();
}

void Bench::sleep_until(Picoseconds time) { current().thread().sleep_until(time); }

void Bench::at(Picoseconds time, std::function<void()> call) {
  calls_.push_back(std::move(call));
  clock.at<&Bench::call>(time, this, std::uint64_t{calls_.size() - 1});
}

void Bench::at_end_of(Picoseconds time, std::function<void()> call) {
  at(time, [this, call = std::move(call)] { at(clock.now(), call); });
}

void Bench::call(std::uint64_t index) { calls_[index](); }

}  // namespace ioasim::test
