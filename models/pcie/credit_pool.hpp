// Flow-control credits of one kind, as the sender counts them: what was taken comes back at a
// time that may lie ahead, when the receiver's UpdateFC arrives.
#pragma once

#include <boost/circular_buffer.hpp>

#include "base/check.hpp"
#include "base/time.hpp"

namespace ioasim::pcie {

class CreditPool {
 public:
  explicit CreditPool(unsigned advertised)
      : advertised_{advertised}, free_{advertised}, returning_(64) {}

  unsigned free(Picoseconds now) {
    while (!returning_.empty() && returning_.front().at <= now) {
      free_ += returning_.front().count;
      returning_.pop_front();
    }
    DCHECK(free_ <= advertised_);
    return free_;
  }
  void take(unsigned count) {
    DCHECK(count <= free_);
    free_ -= count;
  }
  // `count` credits are back at `at`; an UpdateFC does not overtake an earlier one.
  void give(unsigned count, Picoseconds at) {
    if (!returning_.empty()) at = std::max(at, returning_.back().at);
    if (returning_.full()) returning_.set_capacity(2 * returning_.capacity());
    returning_.push_back({at, count});
  }
  // When the next credits come back; forever if none are on their way.
  Picoseconds next_return() const { return returning_.empty() ? forever : returning_.front().at; }
  unsigned advertised() const { return advertised_; }

 private:
  struct Return {
    Picoseconds at;
    unsigned count;
  };

  unsigned advertised_;
  unsigned free_;
  boost::circular_buffer<Return> returning_;
};

}  // namespace ioasim::pcie
