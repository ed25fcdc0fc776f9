#include "kernel/frames.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace ioasim::kernel {
namespace {

// Real-mode memory, the frame buffer and option ROMs: no operating system allocates there.
constexpr Hpa lowest{0x10'0000};

constexpr std::uint64_t bytes_of(unsigned order) { return page_bytes << order; }

void clear(cpu::Instructions& cpu, Range<Hpa> piece) {
  static constexpr std::array<std::byte, line_bytes> zeros{};
  for (Hpa line = piece.base; line < piece.end(); line += line_bytes) cpu.store(line, zeros);
}

}  // namespace

Frames::Frames(const std::vector<Range<Hpa>>& memory) {
  for (const auto& range : memory) {
    const Hpa base = std::max(lowest, (range.base + (page_bytes - 1)).page_base());
    const Hpa end = range.end().page_base();
    if (base < end) fresh_.push_back({base, end - base});
  }
  std::sort(fresh_.begin(), fresh_.end(),
            [](const auto& a, const auto& b) { return a.base < b.base; });
}

std::optional<Hpa> Frames::allocate(cpu::Instructions& cpu, Content content, unsigned order) {
  const auto piece = take(order);
  if (!piece) return std::nullopt;
  in_use_ += 1ull << order;
  if (content == Content::zero || (content == Content::zero_if_used && piece->used)) {
    clear(cpu, {piece->base, bytes_of(order)});
  }
  return piece->base;
}

std::optional<Frames::Piece> Frames::take(unsigned order) {
  if (order < recycled_.size() && !recycled_[order].empty()) {
    const Hpa base = recycled_[order].back();
    recycled_[order].pop_back();
    return Piece{base, true};
  }
  const auto bytes = bytes_of(order);
  for (std::size_t i = 0; i < fresh_.size(); ++i) {
    auto& range = fresh_[i];
    const Hpa base{(range.base.value + bytes - 1) & ~(bytes - 1)};
    if (!range.contains(Range<Hpa>{base, bytes})) continue;
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
