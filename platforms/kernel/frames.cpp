#include "kernel/frames.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/check.hpp"

namespace ioasim::kernel {
namespace {

// Real-mode memory, the frame buffer and option ROMs: no operating system allocates there.
constexpr Hpa lowest{0x10'0000};

constexpr Range<Hpa> everywhere{Hpa{0}, ~std::uint64_t{0}};

constexpr std::uint64_t bytes_of(unsigned order) { return page_bytes << order; }

void clear(cpu::Instructions& cpu, Range<Hpa> piece) {
  static constexpr std::array<std::byte, line_bytes> zeros{};
  for (Hpa line = piece.base; line < piece.end(); line += line_bytes) cpu.store(line, zeros);
  cpu.release();
}

}  // namespace

Frames::Frames(const std::vector<Range<Hpa>>& memory, const std::vector<Range<Hpa>>& sockets,
               unsigned cores)
    : sockets_{sockets}, cores_{cores} {
  if (sockets_.empty()) sockets_ = {everywhere};
  for (const auto& range : memory) {
    for (const auto& socket : sockets_) {
      const Hpa from = std::max({lowest, range.base, socket.base});
      const Hpa base = (from + (page_bytes - 1)).page_base();
      const Hpa end = std::min(range.end(), socket.end()).page_base();
      if (base < end) fresh_.push_back({base, end - base});
    }
  }
  std::sort(fresh_.begin(), fresh_.end(),
            [](const auto& a, const auto& b) { return a.base < b.base; });
}

Range<Hpa> Frames::memory_of(const cpu::Instructions& cpu) const {
  return sockets_[cpu.number() * sockets_.size() / std::max(cores_, cpu.number() + 1)];
}

std::optional<Hpa> Frames::allocate(cpu::Instructions& cpu, Content content, unsigned order) {
  auto piece = take(memory_of(cpu), order);
  if (!piece) piece = take(everywhere, order);
  if (!piece) return std::nullopt;
  in_use_ += 1ull << order;
  if (content == Content::zero || (content == Content::zero_if_used && piece->used)) {
    clear(cpu, {piece->base, bytes_of(order)});
  }
  return piece->base;
}

std::optional<Frames::Piece> Frames::take(Range<Hpa> from, unsigned order) {
  const auto bytes = bytes_of(order);
  if (order < recycled_.size()) {
    auto& free = recycled_[order];
    const auto last = std::find_if(free.rbegin(), free.rend(), [&](Hpa base) {
      return from.contains(Range<Hpa>{base, bytes});
    });
    if (last != free.rend()) {
      const Hpa base = *last;
      free.erase(std::next(last).base());
      return Piece{base, true};
    }
  }
  for (std::size_t i = 0; i < fresh_.size(); ++i) {
    auto& range = fresh_[i];
    const Hpa base{(range.base.value + bytes - 1) & ~(bytes - 1)};
    if (!from.contains(range) || !range.contains(Range<Hpa>{base, bytes})) continue;
    const Range<Hpa> skipped{range.base, base - range.base};
    const Hpa end = range.end();
    range = {base + bytes, end - (base + bytes)};
    if (skipped.bytes > 0) fresh_.insert(fresh_.begin() + static_cast<std::ptrdiff_t>(i), skipped);
    return Piece{base, false};
  }
  return std::nullopt;
}

void Frames::free(Hpa base, unsigned order) {
  CHECK(base.value % bytes_of(order) == 0);
  CHECK(in_use_ >= 1ull << order);
  in_use_ -= 1ull << order;
  if (recycled_.size() <= order) recycled_.resize(order + 1);
  recycled_[order].push_back(base);
}

}  // namespace ioasim::kernel
