#include "cpu/memory_types.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"

namespace ioasim::cpu {

namespace {

constexpr unsigned page_bits = 12;
constexpr unsigned address_bits = 52;

// Of two ranges that hold an address (SDM vol. 3, 12.11.4.1).
MemoryType overlap(MemoryType one, MemoryType other) {
  using enum MemoryType;
  if (one == other) return one;
  const auto either = [&](MemoryType type) { return one == type || other == type; };
  return either(write_through) && either(write_back) ? write_through : uncached;
}

}  // namespace

std::string_view to_text(MemoryType type) {
  switch (type) {
    case MemoryType::uncached:
      return "UC";
    case MemoryType::write_combining:
      return "WC";
    case MemoryType::write_through:
      return "WT";
    case MemoryType::write_protected:
      return "WP";
    case MemoryType::write_back:
      return "WB";
    case MemoryType::uncached_minus:
      return "UC-";
  }
  UNREACHABLE();
}

std::optional<MemoryType> pat_type(std::uint64_t code) {
  if (code > 7 || code == 2 || code == 3) return std::nullopt;
  return static_cast<MemoryType>(code);
}

std::optional<MemoryType> mtrr_type(std::uint64_t code) {
  return code == 7 ? std::nullopt : pat_type(code);
}

MemoryType effective(MemoryType mtrr, MemoryType pat) {
  using enum MemoryType;
  constexpr auto uc = uncached, wc = write_combining, wt = write_through, wp = write_protected,
                 wb = write_back;
  constexpr std::array<std::array<MemoryType, 6>, 5> types{{
      // PAT: UC WC WT WP WB UC-
      {uc, wc, uc, uc, uc, uc},  // MTRR: UC
      {uc, wc, uc, uc, wc, wc},  // WC
      {uc, wc, wt, wp, wt, uc},  // WT
      {uc, wc, wt, wp, wp, wc},  // WP
      {uc, wc, wt, wp, wb, uc},  // WB
  }};
  // Codes 2 and 3 are reserved and have neither row nor column.
  const auto place = [](MemoryType type) {
    const auto code = static_cast<unsigned>(type);
    return code < 2 ? code : code - 2;
  };
  CHECK(mtrr != uncached_minus);
  return types[place(mtrr)][place(pat)];
}

bool Pat::write(std::uint64_t value) {
  for (unsigned i = 0; i < entries; ++i) {
    if (!pat_type(Entry::get(value >> 8 * i))) return false;
  }
  value_ = value;
  return true;
}

bool Mtrrs::write_default(std::uint64_t value) {
  constexpr auto defined =
      DefaultType::type::mask | DefaultType::fixed_enable::mask | DefaultType::enable::mask;
  if ((value & ~defined) != 0 || !mtrr_type(DefaultType::type::get(value))) return false;
  default_ = value;
  return true;
}

bool Mtrrs::write_base(unsigned range, std::uint64_t value) {
  constexpr auto defined = PhysBase::type::mask | PhysBase::base::mask;
  if ((value & ~defined) != 0 || !mtrr_type(PhysBase::type::get(value))) return false;
  base_.at(range) = value;
  return true;
}

bool Mtrrs::write_mask(unsigned range, std::uint64_t value) {
  constexpr auto defined = PhysMask::valid::mask | PhysMask::mask::mask;
  if ((value & ~defined) != 0) return false;
  mask_.at(range) = value;
  return true;
}

MemoryType Mtrrs::type(Hpa address) const {
  return block_type(address.page_base().value, page_bits).value();
}

// Takes the range apart into the largest aligned blocks.
std::optional<MemoryType> Mtrrs::type(Range<Hpa> range) const {
  const auto tail = range.base.page_offset() + range.bytes % page_bytes;
  auto pages = range.bytes / page_bytes + (tail + page_bytes - 1) / page_bytes;
  const auto type_of_base = type(range.base);
  for (auto page = range.base.page(); pages > 0;) {
    const auto block =
        std::min({static_cast<unsigned>(std::countr_zero(page)),
                  static_cast<unsigned>(std::bit_width(pages)) - 1, address_bits - page_bits});
    if (block_type(page << page_bits, page_bits + block) != type_of_base) return std::nullopt;
    page += 1ull << block;
    pages -= 1ull << block;
  }
  return type_of_base;
}

std::optional<MemoryType> Mtrrs::block_type(std::uint64_t base, unsigned bits) const {
  if (!DefaultType::enable::test(default_)) return MemoryType::uncached;
  const auto within = (1ull << bits) - 1;
  std::optional<MemoryType> all;  // of the ranges that hold all of the block
  std::uint64_t tested = 0;       // address bits by which the others hold parts of it
  for (unsigned range = 0; range < ranges; ++range) {
    const auto mask = mask_[range] & PhysMask::mask::mask;
    if (!PhysMask::valid::test(mask_[range])) continue;
    if (((base ^ base_[range]) & mask & ~within) != 0) continue;
    tested |= mask & within;
    if ((mask & within) != 0) continue;
    const auto type = static_cast<MemoryType>(PhysBase::type::get(base_[range]));
    all = all ? overlap(*all, type) : type;
  }
  if (all == MemoryType::uncached) return all;
  if (tested == 0) {
    return all.value_or(static_cast<MemoryType>(DefaultType::type::get(default_)));
  }
  // No range tells apart addresses that differ in higher bits only, so two sub-blocks show all.
  const auto highest = static_cast<unsigned>(std::bit_width(tested)) - 1;
  const auto low = block_type(base, highest);
  if (!low || block_type(base | 1ull << highest, highest) != low) return std::nullopt;
  return low;
}

}  // namespace ioasim::cpu
