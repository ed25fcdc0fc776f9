// What one core did, in program order, against what the bus says that it did: stores become
// visible once each, unchanged and in order; a load that the store buffer answers gets the core's
// own newest store; nobody comes between the read and the write of a locked operation.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "trace/events.hpp"

namespace ioasim::test::torture {

// What was found wrong: the first few in words.
class Complaints {
 public:
  void add(std::string text) {
    if (texts_.size() < 8) texts_.push_back(std::move(text));
  }
  bool any() const { return !texts_.empty(); }
  std::string text() const {
    std::string all;
    for (const auto& text : texts_) all += text + "\n";
    return all;
  }

 private:
  std::vector<std::string> texts_;
};

class ProgramOrder {
 public:
  ProgramOrder(unsigned core, Complaints& complaints) : core_{core}, complaints_{complaints} {}

  // ---- called by the software thread: before an instruction, and after it ----

  void store(Hpa address, trace::Data data);
  // Not by way of the store buffer: weakly ordered, write-through, uncached.
  void store_around(Hpa address, trace::Data data);
  // Whether a byte that waits on such a way has that value.
  bool waits(Hpa address, std::byte value) const;
  // Whether a store to the line waits that is of that age, or older; and the youngest's age.
  bool waits(std::uint64_t line, std::uint64_t age) const;
  std::uint64_t age() const { return age_; }
  void begin_load(Hpa address, std::uint64_t bytes);
  void end_load(trace::Data got);
  void begin_locked(Hpa address, std::uint64_t bytes);
  void end_locked(std::uint64_t old, std::uint64_t stored);
  // A fence has ended: every store is visible.
  void fenced();

  // ---- called for each event of the core ----

  void read(Hpa address, trace::Data data, std::uint64_t event);
  void wrote(Hpa address, trace::Data data, trace::Place to);
  // The event at which a locked operation read, if one is under way; else one that never was.
  std::uint64_t locked_since() const { return locked_ && locked_at_ != 0 ? locked_at_ : ~0ull; }

 private:
  struct Store {
    Hpa address;
    std::vector<std::byte> data;
    std::uint64_t age;
    bool overlaps(Hpa from, std::uint64_t bytes) const {
      return from < address + data.size() && address < from + bytes;
    }
  };
  struct Around {
    Hpa address;
    std::byte value;
    std::uint64_t age;
  };

  bool wrote_oldest(Hpa address, trace::Data data, trace::Place to);
  bool wrote_around(Hpa address, trace::Data data);
  void complain(const std::string& what, Hpa address);

  unsigned core_;
  Complaints& complaints_;
  std::uint64_t age_ = 0;
  std::deque<Store> stores_;    // not visible yet, the oldest first
  std::vector<Around> around_;  // the same, byte by byte

  // The load, or locked operation, under way.
  Hpa address_{};
  std::uint64_t bytes_ = 0;
  std::vector<std::byte> forwarded_;  // the newest store to each byte that waited when it began
  std::vector<bool> may_forward_;
  std::vector<bool> was_read_;  // by an event
  std::vector<std::byte> read_;
  bool locked_ = false;
  std::uint64_t locked_at_ = 0;
  std::vector<bool> was_written_;
  std::vector<std::byte> written_;
};

}  // namespace ioasim::test::torture
