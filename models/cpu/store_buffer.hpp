// The store buffer of a core: stores, and flushes ordered with them, that have been executed and
// wait, in program order, for their line.
//
// Models: forwarding to later loads, from the youngest store that holds a byte of them, if it holds
// all (Intel optimization manual, "Store Forwarding").
// Does not model: a load that guesses there is no store to its bytes, and is run again; aliasing of
// addresses that agree in their low 12 bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/check.hpp"

namespace ioasim::cpu {

class StoreBuffer {
 public:
  // A part of a store that lies within one line; of no bytes, a flush of the line.
  struct Entry {
    std::uint64_t line = 0;
    std::uint8_t offset = 0;
    std::uint8_t bytes = 0;
    bool keep = false;     // a flush that may keep the line (CLWB)
    bool claimed = false;  // its line was asked for ahead of its turn
    std::array<std::byte, line_bytes> data{};

    bool flush() const { return bytes == 0; }
    std::span<const std::byte> written() const { return std::span{data}.first(bytes); }
    bool overlaps(std::uint64_t other, std::uint64_t from, std::uint64_t length) const {
      return line == other && from < offset + std::uint64_t{bytes} && offset < from + length;
    }
    bool holds(std::uint64_t from, std::uint64_t length) const {
      return offset <= from && from + length <= offset + std::uint64_t{bytes};
    }
  };

  enum class Forward : std::uint8_t {
    none,     // no entry overlaps: the load goes to the caches
    whole,    // the youngest that overlaps holds every byte: the load has its value
    partial,  // it does not: the load waits until that entry has left
  };

  explicit StoreBuffer(unsigned entries) : entries_(entries) { CHECK(entries > 0); }

  bool empty() const { return count_ == 0; }
  bool full() const { return count_ == entries_.size(); }
  std::size_t size() const { return count_; }

  void push(std::uint64_t line, std::uint64_t offset, std::span<const std::byte> bytes);
  void push_flush(std::uint64_t line, bool keep);
  const Entry& oldest() const { return entries_[first_]; }
  // The n-th oldest, from 0.
  const Entry& at(std::size_t n) const { return entries_[place(n)]; }
  // Whether the n-th oldest may claim its line ahead: once, lest two cores take it from each other
  // again and again.
  bool claim(std::size_t n) { return !std::exchange(entries_[place(n)].claimed, true); }
  void pop();

  // Some store to the line waits here.
  bool holds_line(std::uint64_t line) const {
    if (stores_[line % stores_.size()] == 0) return false;
    for (std::size_t n = 0; n < count_; ++n) {
      if (at(n).line == line && !at(n).flush()) return true;
    }
    return false;
  }
  // What a load of bytes within one line finds here; fills `into` if it finds all of it.
  Forward forward(std::uint64_t line, std::uint64_t offset, std::span<std::byte> into) const {
    return stores_[line % stores_.size()] == 0 ? Forward::none : search(line, offset, into);
  }

 private:
  std::size_t place(std::size_t n) const {
    const auto index = first_ + n;
    return index < entries_.size() ? index : index - entries_.size();
  }
  Entry& append(std::uint64_t line);
  Forward search(std::uint64_t line, std::uint64_t offset, std::span<std::byte> into) const;

  std::vector<Entry> entries_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  // Stores to lines of each remainder: most loads touch no line that a store waits for, and need
  // no search to know.
  std::array<std::uint32_t, 64> stores_{};
};

}  // namespace ioasim::cpu
