#include "cpu/write_combining.hpp"

#include <algorithm>
#include <utility>

namespace ioasim::cpu {

std::optional<WriteCombining::Contents> WriteCombining::add(Hpa address,
                                                            std::span<const std::byte> bytes,
                                                            bool coherent, Picoseconds now) {
  const auto offset = address - address.line_base();
  CHECK(!bytes.empty() && offset + bytes.size() <= line_bytes);
  std::optional<Contents> displaced;
  auto at = find(address.line());
  if (at == buffers_.size()) {
    if (bytes.size() == line_bytes) {
      Contents line{.line = address};
      std::ranges::copy(bytes, line.data.begin());
      line.written.set();
      line.coherent = coherent;
      line.stored = now;
      return line;
    }
    if (used_ == buffers_.size()) displaced = take_oldest();
    at = static_cast<std::size_t>(std::ranges::find(buffers_, 0u, &Buffer::age) - buffers_.begin());
    buffers_[at].line = address.line_base();
    buffers_[at].age = ++first_stores_;
    ++used_;
  }
  Buffer& buffer = buffers_[at];
  buffer.coherent = coherent;
  buffer.stored = now;
  std::ranges::copy(bytes, buffer.data.begin() + static_cast<std::ptrdiff_t>(offset));
  buffer.written |= std::bitset<line_bytes>{~0ull >> (line_bytes - bytes.size()) << offset};
  if (buffer.whole()) return release(buffer);
  return displaced;
}

std::optional<WriteCombining::Contents> WriteCombining::take_oldest() {
  if (empty()) return std::nullopt;
  return release(oldest());
}

std::optional<WriteCombining::Contents> WriteCombining::take(std::uint64_t line) {
  const auto at = find(line);
  if (at == buffers_.size()) return std::nullopt;
  return release(buffers_[at]);
}

bool WriteCombining::holds(std::uint64_t line) const { return find(line) < buffers_.size(); }

std::size_t WriteCombining::find(std::uint64_t line) const {
  const auto found = std::ranges::find_if(buffers_, [line](const Buffer& buffer) {
    return buffer.age != 0 && buffer.line.line() == line;
  });
  return static_cast<std::size_t>(found - buffers_.begin());
}

WriteCombining::Buffer& WriteCombining::oldest() {
  // Free buffers, of age 0, come last: 0 - 1 is the greatest number.
  return *std::ranges::min_element(buffers_, {}, [](const Buffer& b) { return b.age - 1; });
}

WriteCombining::Contents WriteCombining::release(Buffer& buffer) {
  --used_;
  return std::exchange(buffer, Buffer{});
}

}  // namespace ioasim::cpu
