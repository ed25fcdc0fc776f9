// The bus that carries events from models to sinks and checkers. With no listener an emit is one
// predictable branch.
#pragma once

#include <vector>

#include "base/time.hpp"
#include "trace/events.hpp"

namespace ioasim::trace {

class Listener {
 public:
  virtual ~Listener() = default;
  // `at` never decreases by more than the delay annotated to one hop; the order of calls is the
  // order of effects.
  virtual void on(Picoseconds at, const Event& event) = 0;
};

class Bus {
 public:
  // The listener must outlive the bus or be removed.
  void add(Listener& listener) { listeners_.push_back(&listener); }
  void remove(Listener& listener) { std::erase(listeners_, &listener); }

  bool listening() const { return !listeners_.empty(); }
  // Out of line: the callers are the paths of TLPs and loads, mostly with nobody listening.
  [[gnu::noinline]] void emit(Picoseconds at, const Event& event) {
    for (Listener* listener : listeners_) listener->on(at, event);
  }

 private:
  std::vector<Listener*> listeners_;
};

}  // namespace ioasim::trace

// Emits an event, which is not even built when nobody listens.
#define TRACE(bus, at, ...)                                  \
  do {                                                       \
    if ((bus).listening()) [[unlikely]]                      \
      (bus).emit((at), ::ioasim::trace::Event{__VA_ARGS__}); \
  } while (false)
