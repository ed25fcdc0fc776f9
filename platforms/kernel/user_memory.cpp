#include "kernel/user_memory.hpp"

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"

namespace ioasim::kernel {
namespace {

constexpr std::uint64_t huge_bytes = 2ull << 20;
constexpr unsigned huge_order = 9;
constexpr std::size_t huge_pages = 1u << huge_order;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Hva UserMemory::allocate(std::uint64_t bytes) {
  CHECK(bytes > 0);
  const auto size = round_up(bytes, page_bytes);
  const Hva base{round_up(next_.value, size >= huge_bytes ? huge_bytes : page_bytes)};
  areas_.emplace(base, Area{{base, size}, std::vector<Hpa>(size / page_bytes)});
  next_ = base + (size + page_bytes);
  return base;
}

UserMemory::Area* UserMemory::find(Hva address) {
  auto at = areas_.upper_bound(address);
  if (at == areas_.begin()) return nullptr;
  --at;
  return at->second.range.contains(address) ? &at->second : nullptr;
}

Result<Hpa, int> UserMemory::translate(cpu::Instructions& cpu, Hva address) {
  Area* area = find(address);
  if (area == nullptr) return -EFAULT;
  return frame(cpu, *area, address);
}

Result<Hpa, int> UserMemory::frame(cpu::Instructions& cpu, Area& area, Hva address) {
  const auto page = static_cast<std::size_t>((address - area.range.base) / page_bytes);
  if (area.frames[page].value == 0) {
    if (const int error = fault_in(cpu, area, page); error != 0) return error;
  }
  return area.frames[page] + address.page_offset();
}

int UserMemory::fault_in(cpu::Instructions& cpu, Area& area, std::size_t page) {
  Guard guard{lock_, cpu};
  if (area.frames[page].value != 0) return 0;  // another thread was first
  cpu.execute(runtime_.params.page_fault);
  const auto content =
      runtime_.params.zero_user_pages ? Frames::Content::zero : Frames::Content::zero_if_used;
  const auto first = page / huge_pages * huge_pages;
  const auto untouched = [](Hpa frame) { return frame.value == 0; };
  if (runtime_.params.transparent_huge_pages && area.range.base.value % huge_bytes == 0 &&
      first + huge_pages <= area.frames.size() &&
      std::all_of(&area.frames[first], &area.frames[first] + huge_pages, untouched)) {
    if (const auto base = runtime_.frames.allocate(cpu, content, huge_order)) {
      for (std::size_t i = 0; i < huge_pages; ++i) area.frames[first + i] = *base + i * page_bytes;
      return 0;
    }
  }
  const auto base = runtime_.frames.allocate(cpu, content);
  if (!base) return -ENOMEM;
  area.frames[page] = *base;
  return 0;
}

Result<std::vector<Range<Hpa>>, int> UserMemory::pin(cpu::Instructions& cpu, Range<Hva> pages) {
  CHECK(pages.base.page_offset() == 0 && pages.bytes % page_bytes == 0);
  for (Hva at = pages.base; at < pages.end();) {
    const Area* area = find(at);
    if (area == nullptr) return -EFAULT;
    at = area->range.end();
  }
  const auto count = pages.bytes / page_bytes;
  if (count > locked_max_ - locked_) return -ENOMEM;
  locked_ += count;  // before anything blocks, so that two threads cannot pass the limit together

  std::vector<Range<Hpa>> runs;
  for (Hva at = pages.base; at < pages.end(); at += page_bytes) {
    const auto where = frame(cpu, *find(at), at);
    if (!where) {
      locked_ -= count;
      return where.error();
    }
    if (!runs.empty() && runs.back().end() == *where) {
      runs.back().bytes += page_bytes;
    } else {
      runs.push_back({*where, page_bytes});
    }
  }
  cpu.execute(runtime_.params.pin_page * static_cast<std::int64_t>(count));
  return runs;
}

void UserMemory::unpin(cpu::Instructions& cpu, std::uint64_t bytes) {
  const auto count = bytes / page_bytes;
  CHECK(locked_ >= count);
  locked_ -= count;
  cpu.execute(runtime_.params.unpin_page * static_cast<std::int64_t>(count));
}

}  // namespace ioasim::kernel
