// When a slice of a shared level works on what: its tag pipeline, and the line misses that it has
// in flight.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.hpp"
#include "base/time.hpp"

namespace ioasim::cache {

// A pipeline that takes one lookup after the other, in order of arrival.
class TagPipeline {
 public:
  // The start of a lookup that arrives at `at` and keeps the pipeline for `cycle`.
  Picoseconds take(Picoseconds at, Picoseconds cycle) {
    const auto start = std::max(at, free_at_);
    free_at_ = start + cycle;
    return start;
  }

 private:
  Picoseconds free_at_{};
};

// Which lines have a request under way, and until when: a line has at most one, and a second
// request for it waits (P-16). Those that went beyond the slice take a miss status register.
class MissFile {
 public:
  explicit MissFile(unsigned registers) : registers_{registers}, held_(registers + 8) {}

  // Requests are numbered in the order in which they hold their lines.
  using Ticket = std::uint64_t;

  // When the line's requests end that came before another: not after `now` if there are none,
  // `forever` if it is not known yet.
  Picoseconds busy_until(std::uint64_t line, Picoseconds now, Ticket before = ~Ticket{0}) {
    auto until = now;
    for (std::size_t i = 0; i < count_;) {
      const Held& held = held_[i];
      if (held.until <= now) {
        misses_ -= held.miss ? 1 : 0;
        held_[i] = held_[--count_];
        continue;
      }
      if (held.line == line && held.ticket < before) until = std::max(until, held.until);
      ++i;
    }
    return until;
  }

  // After busy_until(): whether every register is taken; and when the first will be free again,
  // which may be `forever`: not known yet.
  bool full() const { return misses_ >= registers_; }
  Picoseconds next_free() const {
    auto first = forever;
    for (std::size_t i = 0; i < count_; ++i) {
      if (held_[i].miss) first = std::min(first, held_[i].until);
    }
    return first;
  }
  Ticket hold(std::uint64_t line, Picoseconds until, bool miss) {
    if (count_ == held_.size()) [[unlikely]]
      held_.resize(2 * count_);
    held_[count_++] = {line, until, ++tickets_, miss};
    misses_ += miss ? 1 : 0;
    return tickets_;
  }
  // A request that is held takes a register.
  void take_register(Ticket ticket) {
    find(ticket).miss = true;
    ++misses_;
  }
  // The end of a request that was held `forever` is known.
  void settle(Ticket ticket, Picoseconds until) { find(ticket).until = until; }
  bool idle() const { return count_ == 0; }

 private:
  struct Held {
    std::uint64_t line;
    Picoseconds until;
    Ticket ticket;
    bool miss;
  };

  Held& find(Ticket ticket) {
    const auto end = held_.begin() + static_cast<std::ptrdiff_t>(count_);
    const auto found =
        std::find_if(held_.begin(), end, [&](const Held& held) { return held.ticket == ticket; });
    CHECK(found != end);
    return *found;
  }

  unsigned registers_;
  unsigned misses_ = 0;
  Ticket tickets_ = 0;
  std::size_t count_ = 0;
  std::vector<Held> held_;  // the first count_ of them
};

// A first-in first-out buffer of lines on their way to memory.
class WriteBuffer {
 public:
  explicit WriteBuffer(unsigned entries) : leaves_(entries) {}

  // When there is room for a line that comes at `at`.
  Picoseconds room(Picoseconds at) const { return std::max(at, leaves_[next_]); }
  // Whether a line may enter at `at` without waiting, or overtaking one that waits.
  bool takes(Picoseconds at) const { return waiting_ == 0 && leaves_[next_] <= at; }
  // Around a wait for room.
  void begin_wait() { ++waiting_; }
  void end_wait() { --waiting_; }
  // It enters, and its transfer to memory ends at `written`.
  void enter(Picoseconds written) {
    last_ = std::max(last_, written);
    leaves_[next_] = last_;
    next_ = next_ + 1 == leaves_.size() ? 0 : next_ + 1;
  }
  // When all that has entered is in memory.
  Picoseconds empty_at() const { return last_; }

 private:
  std::vector<Picoseconds> leaves_;  // when the line that took each entry leaves it
  std::size_t next_ = 0;
  unsigned waiting_ = 0;
  Picoseconds last_{};
};

}  // namespace ioasim::cache
