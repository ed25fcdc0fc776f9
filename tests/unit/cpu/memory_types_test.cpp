#include "cpu/memory_types.hpp"

#include <gmock/gmock.h>

#include <set>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/prng.hpp"

namespace ioasim::cpu {
namespace {

using enum MemoryType;

constexpr auto uc = uncached;
constexpr auto wc = write_combining;
constexpr auto wt = write_through;
constexpr auto wp = write_protected;
constexpr auto wb = write_back;
const std::vector all_pat{uc, uncached_minus, wc, wt, wp, wb};
const std::vector all_mtrr{uc, wc, wt, wp, wb};

std::uint64_t code(MemoryType type) { return static_cast<std::uint64_t>(type); }

// A line for each of `rows`, a word for each of `columns`.
template <class Cell>
std::string table(const std::vector<MemoryType>& rows, const std::vector<MemoryType>& columns,
                  const Cell& cell) {
  std::string text;
  for (const auto row : rows) {
    text.append(to_text(row)).append(":");
    for (const auto column : columns) text.append(" ").append(to_text(cell(row, column)));
    text.append("\n");
  }
  return text;
}

TEST(MemoryType, HasTheNameOfTheSpecification) {
  EXPECT_EQ(table({uc}, all_pat, [](MemoryType, MemoryType pat) { return pat; }),
            "UC: UC UC- WC WT WP WB\n");
}

// SDM vol. 3, table 12-7. Rows: MTRR. Columns: PAT.
TEST(MemoryType, EffectiveTypeIsThatOfTheTable) {
  EXPECT_EQ(table(all_mtrr, all_pat, effective),
            //   UC UC- WC WT WP WB
            "UC: UC UC WC UC UC UC\n"
            "WC: UC WC WC UC UC WC\n"
            "WT: UC UC WC WT WP WT\n"
            "WP: UC WC WC WT WP WP\n"
            "WB: UC UC WC WT WP WB\n");
}

// SDM vol. 3, tables 12-8 and 12-10.
TEST(MemoryType, ReservedCodesAreNone) {
  const std::set<std::uint64_t> defined{0, 1, 4, 5, 6};
  for (std::uint64_t value = 0; value < 0x200; ++value) {
    const auto mtrr = mtrr_type(value);
    const auto pat = pat_type(value);
    ASSERT_EQ(mtrr.has_value(), defined.contains(value)) << value;
    ASSERT_EQ(pat.has_value(), defined.contains(value) || value == 7) << value;
    EXPECT_EQ(code(mtrr.value_or(uc)), mtrr ? value : 0);
    EXPECT_EQ(code(pat.value_or(uc)), pat ? value : 0);
  }
}

std::vector<MemoryType> decode(const Pat& pat) {
  std::vector<MemoryType> types;
  for (std::uint8_t i = 0; i < 8; ++i) types.push_back(pat[PatIndex{i}]);
  return types;
}

TEST(Pat, ResetIsWbWtUcMinusUcTwice) {
  Pat pat;
  const std::vector types{wb, wt, uncached_minus, uc, wb, wt, uncached_minus, uc};
  EXPECT_EQ(decode(pat), types);
  EXPECT_EQ(pat.read(), 0x0007'0406'0007'0406u);
  EXPECT_TRUE(pat.write(0));
  EXPECT_EQ(decode(pat), std::vector(8, uc));
  EXPECT_TRUE(pat.write(Pat::reset));
  EXPECT_EQ(decode(pat), types);
}

TEST(Pat, EachEntryHasItsByte) {
  Pat pat;
  EXPECT_TRUE(pat.write(0x0001'0405'0607'0401));
  EXPECT_EQ(decode(pat), (std::vector{wc, wt, uncached_minus, wb, wp, wt, wc, uc}));
}

TEST(Pat, AReservedEntryRefusesTheWrite) {
  for (unsigned entry = 0; entry < 8; ++entry) {
    for (std::uint64_t value = 0; value < 0x100; ++value) {
      Pat pat;
      const auto whole = (Pat::reset & ~(0xffull << 8 * entry)) | value << 8 * entry;
      const bool defined = pat_type(value).has_value();
      ASSERT_EQ(pat.write(whole), defined) << entry << ", " << value;
      EXPECT_EQ(pat.read(), defined ? whole : Pat::reset);
    }
  }
}

constexpr std::uint64_t valid = 1 << 11;
constexpr std::uint64_t enabled = 1 << 11;
constexpr std::uint64_t address_field = 0x000f'ffff'ffff'f000;

// A mask for a naturally aligned range.
constexpr std::uint64_t mask_of(std::uint64_t bytes) { return address_field & ~(bytes - 1); }

void set(Mtrrs& mtrrs, unsigned range, std::uint64_t base, std::uint64_t bytes, MemoryType type) {
  EXPECT_TRUE(mtrrs.write_base(range, base | code(type)));
  EXPECT_TRUE(mtrrs.write_mask(range, mask_of(bytes) | valid));
}

TEST(Mtrrs, StartAsWriteBackEverywhere) {
  const Mtrrs mtrrs;
  EXPECT_EQ(mtrrs.read_default(), 0x806u);
  EXPECT_EQ(mtrrs.type(Hpa{0}), wb);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, 1ull << 52}), wb);
}

// Each bit and each type code on its own: a write either takes effect or changes nothing.
TEST(Mtrrs, ReservedFieldsRefuseTheWrite) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    Mtrrs mtrrs;
    const auto one = 1ull << bit;
    const bool type = bit == 0 || bit == 2;  // WC, WT
    const bool address = bit >= 12 && bit < 52;
    EXPECT_EQ(mtrrs.write_base(3, one), type || address) << bit;
    EXPECT_EQ(mtrrs.read_base(3), type || address ? one : 0) << bit;
    EXPECT_EQ(mtrrs.write_mask(3, one), bit == 11 || address) << bit;
    EXPECT_EQ(mtrrs.read_mask(3), bit == 11 || address ? one : 0) << bit;
    const bool control = bit == 10 || bit == 11;
    EXPECT_EQ(mtrrs.write_default(one), type || control) << bit;
    EXPECT_EQ(mtrrs.read_default(), type || control ? one : 0x806) << bit;
  }
  for (std::uint64_t value = 0; value < 0x100; ++value) {
    Mtrrs mtrrs;
    const bool defined = mtrr_type(value).has_value();
    EXPECT_EQ(mtrrs.write_base(0, 0x1000 | value), defined) << value;
    EXPECT_EQ(mtrrs.write_default(enabled | value), defined) << value;
  }
}

TEST(Mtrrs, DisabledMeansUncachedWhateverTheRangesSay) {
  Mtrrs mtrrs;
  set(mtrrs, 0, 0, 1 << 20, wb);
  EXPECT_TRUE(mtrrs.write_default(code(wb)));
  EXPECT_EQ(mtrrs.type(Hpa{0}), uc);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, 1ull << 52}), uc);
}

TEST(MemoryTypeDeathTest, NoMtrrSaysUcMinus) {
  EXPECT_EXIT(effective(uncached_minus, wb), testing::ExitedWithCode(check_exit_status), "mtrr");
}

TEST(Mtrrs, FixedRangeEnableHasNoEffect) {
  Mtrrs mtrrs;
  EXPECT_TRUE(mtrrs.write_default(enabled | 1 << 10 | code(wt)));
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, 2 << 20}), wt);
  EXPECT_TRUE(mtrrs.write_default(1 << 10 | code(wt)));
  EXPECT_EQ(mtrrs.type(Hpa{0}), uc);
}

TEST(Mtrrs, EachRangeCoversItsBytesAndOnlyWhileValid) {
  constexpr std::uint64_t base = 0xe000'0000;
  constexpr std::uint64_t bytes = 0x1000'0000;
  for (unsigned range = 0; range < Mtrrs::ranges; ++range) {
    Mtrrs mtrrs;
    set(mtrrs, range, base, bytes, wc);
    EXPECT_EQ(mtrrs.type(Hpa{base - 1}), wb);
    EXPECT_EQ(mtrrs.type(Hpa{base}), wc);
    EXPECT_EQ(mtrrs.type(Hpa{base + bytes - 1}), wc);
    EXPECT_EQ(mtrrs.type(Hpa{base + bytes}), wb);
    EXPECT_TRUE(mtrrs.write_mask(range, mask_of(bytes)));
    EXPECT_EQ(mtrrs.type(Hpa{base}), wb);
  }
}

TEST(Mtrrs, EveryAddressBitUnderTheMaskTakesPartInTheMatch) {
  Mtrrs mtrrs;
  set(mtrrs, 0, 0x000a'5555'1234'5000, page_bytes, wt);
  for (unsigned bit = 0; bit < 52; ++bit) {
    EXPECT_EQ(mtrrs.type(Hpa{0x000a'5555'1234'5000 ^ 1ull << bit}), bit < 12 ? wt : wb) << bit;
  }
}

// SDM vol. 3, 12.11.4.1; what it leaves undefined is UC.
TEST(Mtrrs, TwoRangesOverlapAsTheTableSays) {
  const auto both = [](MemoryType one, MemoryType other) {
    Mtrrs mtrrs;
    EXPECT_TRUE(mtrrs.write_default(enabled | code(wp)));
    set(mtrrs, 2, 0, 2 * page_bytes, one);
    set(mtrrs, 7, 0, page_bytes, other);
    EXPECT_EQ(mtrrs.type(Hpa{page_bytes}), one);
    EXPECT_EQ(mtrrs.type(Hpa{2 * page_bytes}), wp);
    return mtrrs.type(Hpa{0});
  };
  EXPECT_EQ(table(all_mtrr, all_mtrr, both),
            //   UC WC WT WP WB
            "UC: UC UC UC UC UC\n"
            "WC: UC WC UC UC UC\n"
            "WT: UC UC WT UC WT\n"
            "WP: UC UC UC WP UC\n"
            "WB: UC UC WT UC WB\n");
}

TEST(Mtrrs, ARangeHasATypeIfAllOfItHas) {
  Mtrrs mtrrs;
  set(mtrrs, 0, 0x10'0000, 0x10'0000, wc);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x10'0000}, 0x10'0000}), wc);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x18'0001}, 0x7'ffff}), wc);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x10'0000}, 0x10'0001}), std::nullopt);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0xf'ffff}, 1}), wb);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0xf'ffff}, 2}), std::nullopt);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, 0x10'0000}), wb);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x20'0000}, (1ull << 52) - 0x20'0000}), wb);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, 1ull << 52}), std::nullopt);
}

TEST(Mtrrs, AnEmptyRangeHasTheTypeOfItsBase) {
  Mtrrs mtrrs;
  set(mtrrs, 0, 0x1000, 0x1000, wc);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x1000}, 0}), wc);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x1fff}, 0}), wc);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x2000}, 0}), wb);
}

TEST(Mtrrs, RangesOfOneTypeThatDifferInWhatCoversThemAreOne) {
  Mtrrs mtrrs;
  set(mtrrs, 0, 0x0000, 0x1000, wt);
  set(mtrrs, 1, 0x1000, 0x1000, wt);
  set(mtrrs, 2, 0x2000, 0x2000, wt);
  set(mtrrs, 3, 0x3000, 0x1000, wb);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, 0x4000}), wt);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, 0x4001}), std::nullopt);
}

// The mask tests bit 12 alone: odd pages.
TEST(Mtrrs, AMaskWithoutHighBitsRepeats) {
  Mtrrs mtrrs;
  EXPECT_TRUE(mtrrs.write_base(0, 0x1000 | code(wt)));
  EXPECT_TRUE(mtrrs.write_mask(0, 0x1000 | valid));
  EXPECT_EQ(mtrrs.type(Hpa{0x7'ffff'1000}), wt);
  EXPECT_EQ(mtrrs.type(Hpa{0x7'ffff'2000}), wb);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x7'ffff'1000}, 0x1000}), wt);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0x7'ffff'1000}, 0x1001}), std::nullopt);
  // All of memory is WT, half of it by the one and half by the other.
  EXPECT_TRUE(mtrrs.write_base(1, code(wt)));
  EXPECT_TRUE(mtrrs.write_mask(1, 0x1000 | valid));
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, 1ull << 52}), wt);
}

// Register values as written, and the rules of SDM vol. 3, 12.11.4.1, page by page.
struct Model {
  MemoryType otherwise = wb;
  std::vector<std::uint64_t> bases;
  std::vector<std::uint64_t> masks;
  std::vector<MemoryType> types;

  MemoryType type(std::uint64_t address) const {
    std::set<MemoryType> found;
    for (std::size_t i = 0; i < bases.size(); ++i) {
      if ((address & masks[i]) == (bases[i] & masks[i])) found.insert(types[i]);
    }
    if (found.empty()) return otherwise;
    if (found.size() == 1) return *found.begin();
    return found == std::set{wt, wb} ? wt : uc;
  }
};

// Six address bits are tested, at a random place; every range of the 64 blocks is asked for.
TEST(Mtrrs, RandomMasksAgreeWithEveryPageOnItsOwn) {
  Prng prng{1, "mtrrs"};
  constexpr std::uint64_t blocks = 64;
  unsigned uniform = 0;
  unsigned mixed = 0;
  for (unsigned round = 0; round < 600; ++round) {
    const auto shift = prng.between(12, 46);
    const auto field = (blocks - 1) << shift;
    const auto high = prng.one_in(2) ? address_field & ~((blocks << shift) - 1) : 0;
    const std::vector<MemoryType> palette =
        prng.one_in(2) ? std::vector{wt, wb} : std::vector{wb, wb, wb, wt, wp, wc, uc};
    const auto any = [&] { return palette[prng.between(0, palette.size() - 1)]; };
    Model model;
    Mtrrs mtrrs;
    model.otherwise = any();
    EXPECT_TRUE(mtrrs.write_default(enabled | code(model.otherwise)));
    const auto above = prng.next() & high;
    const auto count = prng.between(0, Mtrrs::ranges);
    for (unsigned range = 0; range < count; ++range) {
      model.types.push_back(any());
      model.bases.push_back(above | (prng.next() & field));
      model.masks.push_back(high | (prng.next() & (prng.one_in(2) ? prng.next() : ~0ull) & field));
      EXPECT_TRUE(mtrrs.write_base(range, model.bases.back() | code(model.types.back())));
      EXPECT_TRUE(mtrrs.write_mask(range, model.masks.back() | valid));
    }
    for (std::uint64_t first = 0; first < blocks; ++first) {
      const auto type = model.type(above | first << shift);
      ASSERT_EQ(mtrrs.type(Hpa{above | first << shift}), type);
      bool one = true;
      for (auto last = first; last < blocks; ++last) {
        one = one && model.type(above | last << shift) == type;
        if (last > first) ++(one ? uniform : mixed);
        const Range range{Hpa{above | first << shift}, (last - first + 1) << shift};
        ASSERT_EQ(mtrrs.type(range), one ? std::optional{type} : std::nullopt)
            << round << ": " << first << " to " << last;
      }
    }
  }
  EXPECT_GT(uniform, 10'000u);
  EXPECT_GT(mixed, 10'000u);
}

// Ranges that begin and end inside pages, or at the ends of the address space.
TEST(Mtrrs, RandomBytesAgreeWithEveryPageOnItsOwn) {
  Prng prng{2, "mtrrs"};
  Mtrrs mtrrs;
  Model model;
  for (unsigned range = 0; range < 4; ++range) {
    model.types.push_back(wt);
    model.bases.push_back(prng.between(0, 15) * page_bytes);
    model.masks.push_back(mask_of(page_bytes << range % 2));
    EXPECT_TRUE(mtrrs.write_base(range, model.bases.back() | code(wt)));
    EXPECT_TRUE(mtrrs.write_mask(range, model.masks.back() | valid));
  }
  for (unsigned round = 0; round < 20'000; ++round) {
    const auto base = prng.between(0, 16 * page_bytes);
    const auto bytes = prng.between(1, 4 * page_bytes);
    std::set<MemoryType> types{model.type(base), model.type(base + bytes - 1)};
    for (auto at = base; at < base + bytes; at += page_bytes) types.insert(model.type(at));
    ASSERT_EQ(mtrrs.type(Range{Hpa{base}, bytes}),
              types.size() == 1 ? std::optional{*types.begin()} : std::nullopt)
        << base << ", " << bytes;
  }
  EXPECT_EQ(mtrrs.type(Range{Hpa{(1ull << 52) - 1}, 1}), wb);
  EXPECT_EQ(mtrrs.type(Range{Hpa{0}, ~0ull}), std::nullopt);
}

}  // namespace
}  // namespace ioasim::cpu
