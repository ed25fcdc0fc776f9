// The memory of one thread, with what it should hold.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "swarm/stage.hpp"

namespace ioasim::test {

// Bytes of an area.
struct Piece {
  std::size_t area = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;

  bool touches_line_of(const Piece& other) const {
    const auto first = offset / line_bytes;
    const auto last = (offset + bytes - 1) / line_bytes;
    return area == other.area && bytes > 0 && other.bytes > 0 &&
           first <= (other.offset + other.bytes - 1) / line_bytes &&
           other.offset / line_bytes <= last;
  }
};

class Areas {
 public:
  static constexpr std::int16_t unknown = -1;

  Areas(Stage& stage, kernel::Thread& thread) : stage_{stage}, thread_{thread} {}

  std::size_t allocate(std::uint64_t bytes) {
    return add(thread_.allocate(bytes), std::vector<std::int16_t>(bytes, 0));
  }
  // Memory that is there, of which this thread owns some bytes.
  std::size_t add(Hva address, std::vector<std::int16_t> expected) {
    areas_.push_back({address, std::move(expected)});
    return areas_.size() - 1;
  }
  std::size_t count() const { return areas_.size(); }
  std::uint64_t bytes_of(std::size_t area) const { return areas_[area].expected.size(); }
  Hva address_of(const Piece& piece) const { return areas_[piece.area].address + piece.offset; }

  void store(const Piece& piece, std::span<const std::byte> data) {
    check(thread_.store(address_of(piece), data), "store");
    std::transform(data.begin(), data.end(), at(piece),
                   [](std::byte b) { return static_cast<std::int16_t>(b); });
  }
  void store_random(const Piece& piece, Prng& random) {
    std::vector<std::byte> data(piece.bytes);
    for (auto& byte : data) byte = static_cast<std::byte>(random.next());
    store(piece, data);
  }
  // Loads, and complains of what is not as it should be.
  std::vector<std::byte> load(const Piece& piece, std::string_view when) {
    std::vector<std::byte> data(piece.bytes);
    check(thread_.load(address_of(piece), data), "load");
    const auto expected = at(piece);
    for (std::size_t i = 0; i < data.size(); ++i) {
      const auto wanted = expected[static_cast<std::ptrdiff_t>(i)];
      if (wanted == unknown || wanted == static_cast<std::int16_t>(data[i])) continue;
      stage_.journal.complain(
          "core {} at {} ps, {}: byte {} of {} at {:#x} is {:#04x}, not {:#04x}",
          thread_.cpu().number(), thread_.cpu().now().count(), when, i, data.size(),
          (address_of(piece) + i).value, static_cast<unsigned>(data[i]),
          static_cast<unsigned>(wanted));
      break;
    }
    return data;
  }
  void flush(const Piece& piece) {
    const auto end = address_of(piece) + piece.bytes;
    for (Hva line = address_of(piece).line_base(); line < end; line += line_bytes) {
      check(thread_.clflush(line), "clflush");
    }
    thread_.mfence();
  }

  // What a device was told to do has come to pass.
  void copied(const Piece& from, const Piece& to) {
    const std::vector<std::int16_t> values(at(from),
                                           at(from) + static_cast<std::ptrdiff_t>(from.bytes));
    std::copy(values.begin(), values.end(), at(to));
  }
  void forget(const Piece& piece) { std::fill_n(at(piece), piece.bytes, unknown); }
  std::int16_t expected(const Piece& piece, std::uint64_t i) {
    return at(piece)[static_cast<std::ptrdiff_t>(i)];
  }

 private:
  struct Area {
    Hva address;
    std::vector<std::int16_t> expected;
  };

  std::vector<std::int16_t>::iterator at(const Piece& piece) {
    return areas_[piece.area].expected.begin() + static_cast<std::ptrdiff_t>(piece.offset);
  }
  void check(int result, std::string_view what) { stage_.journal.expect(result, 0, what); }

  Stage& stage_;
  kernel::Thread& thread_;
  std::deque<Area> areas_;
};

}  // namespace ioasim::test
