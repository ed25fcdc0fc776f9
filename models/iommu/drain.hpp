// What is in flight through the unit, by the epoch in which it came in: an invalidation closes an
// epoch, and is done once that epoch's requests have reached memory.
#pragma once

#include <algorithm>
#include <array>

#include "sim/credits.hpp"
#include "sim/task.hpp"

namespace ioasim::iommu {

class Drain {
 public:
  using Epoch = unsigned;

  Drain(sim::Clockwork& clock, const std::string& path)
      : clock_{clock},
        in_flight_{{{clock, path + ".in_flight0"}, {clock, path + ".in_flight1"}}},
        one_{clock, path + ".drain", 1} {}

  // A request comes in; it leaves by leave() with the epoch it was given.
  Epoch enter() {
    in_flight_[current_].add();
    return current_;
  }
  // Its data are fetched, or visible to the cores, at `done`.
  void leave(Epoch epoch, Picoseconds done) {
    done_[epoch] = std::max(done_[epoch], done);
    in_flight_[epoch].done();
  }

  // Goes on when all requests that came in before the call have taken effect.
  sim::Task<> wait() {
    co_await one_.take();
    const Epoch closed = current_;
    current_ = 1 - current_;
    // The other epoch was closed, and waited for, by the call before.
    CHECK(in_flight_[current_].count() == 0);
    co_await in_flight_[closed].wait();
    co_await sim::Until{clock_, done_[closed]};
    one_.give();
  }

 private:
  sim::Clockwork& clock_;
  Epoch current_ = 0;
  std::array<sim::Pending, 2> in_flight_;
  std::array<Picoseconds, 2> done_{};
  sim::Credits one_;  // drains follow one another
};

}  // namespace ioasim::iommu
