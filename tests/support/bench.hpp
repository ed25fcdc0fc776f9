// What tests in simulated time stand on: a Clockwork, a trace bus, and software threads in which
// the test is written. One simulation a process: each case runs in its own.
//
// Any warning or error of SystemC fails the test.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/clockwork.hpp"
#include "sim/software_thread.hpp"
#include "trace/bus.hpp"

namespace ioasim::test {

// An SC_THREAD that runs `body` once.
class Script final : public sc_core::sc_module {
 public:
  Script(const sc_core::sc_module_name& name, sim::Clockwork& clock, std::function<void()> body);

  sim::SoftwareThread& thread() { return thread_; }
  bool finished() const { return finished_; }
  const sc_core::sc_object* process() const { return process_; }

 private:
  void run();

  sim::SoftwareThread thread_;
  std::function<void()> body_;
  const sc_core::sc_object* process_ = nullptr;
  bool finished_ = false;
};

class Bench : public ::testing::Test {
 protected:
  explicit Bench(const sim::ClockworkParams& params = {});
  ~Bench() override;

  // Another software thread, from time 0. To be called before run().
  void also(std::function<void()> body);
  // Runs `body` in a software thread, and then all that is left to happen. Fails the test unless
  // every thread has returned.
  void run(std::function<void()> body);

  // Called by a thread.
  void sleep_until(Picoseconds time);
  void sleep(Picoseconds duration) { sleep_until(now() + duration); }
  Picoseconds now() const { return clock.now(); }

  // Calls it as an event of the engine, after what was posted for that time before.
  void at(Picoseconds time, std::function<void()> call);
  // The same, after everything that was posted for that time before the time came.
  void at_end_of(Picoseconds time, std::function<void()> call);

  // Reports of SystemC that contain this are wanted, and counted instead of failing the test.
  void expect_report(std::string text) { wanted_report_ = std::move(text); }
  unsigned wanted_reports() const { return wanted_reports_; }

 private:
  void call(std::uint64_t index);
  Script& current();
  void on_report(const sc_core::sc_report& report, const sc_core::sc_actions& actions);

  std::string wanted_report_;
  unsigned wanted_reports_ = 0;

 protected:
  sim::Clockwork clock;
  trace::Bus bus;

 private:
  std::vector<std::unique_ptr<Script>> scripts_;
  std::deque<std::function<void()>> calls_;
};

// All events of one kind, with their times.
template <class Event>
class Recorder final : public trace::Listener {
 public:
  struct Entry {
    Picoseconds at;
    Event event;
  };

  void on(Picoseconds at, const trace::Event& event) override {
    if (const auto* mine = std::get_if<Event>(&event)) entries.push_back({at, *mine});
  }

  std::vector<Entry> entries;
};

}  // namespace ioasim::test
