// Second-stage paging entries, of structures.hpp.
#include <gmock/gmock.h>

#include <map>
#include <optional>

#include "base/prng.hpp"
#include "iommu/structures.hpp"

namespace ioasim::iommu {
namespace {

constexpr Params modern{};
constexpr Params bare{.snoop_control = false, .coherent = false, .walk_coherent = false};

Reason reason(const Result<Step, Reason>& result) { return result ? Reason::none : result.error(); }

std::string bit_name(unsigned bit) { return "bit " + std::to_string(bit); }

TEST(SecondStage, EntriesAreIndexedByNineBitsALevel) {
  const Iova iova{0x1aa'bbcc'dd12'3456};
  std::uint64_t rest = iova.value >> 12;
  for (unsigned level = 1; level <= 5; ++level) {
    EXPECT_EQ(level_shift(level), 12 + 9 * (level - 1));
    EXPECT_EQ(second_stage_entry_address(Hpa{0x9000}, iova, level), Hpa{0x9000 + rest % 512 * 8});
    rest /= 512;
  }
}

constexpr Rights all{};
constexpr PasidContext plain{.domain = {7}};
constexpr Iova iova{0x12'3456'7000};
constexpr Qword allowed = 0x3;  // R and W
constexpr Qword large = 1u << 7;

Result<Step, Reason> step(Qword entry, unsigned level, const Params& params = modern,
                          Rights rights = all, const PasidContext& context = plain) {
  return decode_second_stage(entry, level, iova, rights, context, params);
}

TEST(SecondStage, ATableEntryNamesTheNextTable) {
  for (unsigned level = 2; level <= 5; ++level) {
    const auto result = step(0xabc'd000 | allowed, level);
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->leaf);
    EXPECT_EQ(result->table, Hpa{0xabc'd000});
  }
}

TEST(SecondStage, LeavesAreFourKibibytesTwoMebibytesAndOneGibibyte) {
  struct Row {
    unsigned level;
    Qword entry;
    unsigned bits;
  };
  const Row table[]{{1, 0x40'1234'5000 | allowed, 12},
                    {2, 0x40'1220'0000 | allowed | large, 21},
                    {3, 0x40'4000'0000 | allowed | large, 30}};
  for (const auto& row : table) {
    const auto result = step(row.entry, row.level);
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->leaf);
    const Page& page = result->page;
    EXPECT_EQ(page.base.value, row.entry & ~0xfffull);
    EXPECT_EQ(page.bits, row.bits);
    EXPECT_EQ(page.iova.value, iova.value >> row.bits << row.bits) << "first address";
    EXPECT_EQ(page.domain, DomainId{7});
    EXPECT_TRUE(page.read && page.write);
    EXPECT_FALSE(page.snoop);
  }
}

TEST(SecondStage, PageSizeIsReservedAboveLevel3) {
  for (const unsigned level : {4u, 5u}) {
    EXPECT_EQ(reason(step(allowed | large, level)), Reason::second_stage_reserved) << level;
  }
}

// The low address bits of a large page are reserved.
TEST(SecondStage, LargePagesAreAligned) {
  for (unsigned bit = 12; bit < 52; ++bit) {
    EXPECT_EQ(reason(step(1ull << bit | allowed | large, 2)),
              bit < 21 ? Reason::second_stage_reserved : Reason::none)
        << bit_name(bit);
    EXPECT_EQ(reason(step(1ull << bit | allowed | large, 3)),
              bit < 30 ? Reason::second_stage_reserved : Reason::none)
        << bit_name(bit);
    EXPECT_EQ(reason(step(1ull << bit | allowed, 1)), Reason::none) << bit_name(bit);
  }
}

// Present is R or W; there is no bit of its own.
TEST(SecondStage, AnEntryWithNeitherPermissionIsAbsent) {
  for (unsigned level = 1; level <= 5; ++level) {
    EXPECT_EQ(reason(step(0, level)), Reason::second_stage_permission);
    EXPECT_EQ(reason(step(0xabc'd000, level)), Reason::second_stage_permission);
    EXPECT_EQ(reason(step(0xabc'd001, level)), Reason::none);
    EXPECT_EQ(reason(step(0xabc'd002, level)), Reason::none);
  }
}

// Invariant 84: permissions are the AND of all levels.
TEST(SecondStage, PermissionsAreTheAndOfAllLevels) {
  for (unsigned entry = 1; entry < 4; ++entry) {
    for (unsigned before = 0; before < 4; ++before) {
      const Rights so_far{(before & 1) != 0, (before & 2) != 0};
      const bool read = (entry & before & 1) != 0;
      const bool write = (entry & before & 2) != 0;
      const auto table = step(0xabc'd000 | entry, 3, modern, so_far);
      const auto leaf = step(0xabc'd000 | entry, 1, modern, so_far);
      ASSERT_TRUE(table && leaf);
      EXPECT_EQ(table->rights.read, read);
      EXPECT_EQ(table->rights.write, write);
      EXPECT_EQ(leaf->page.read, read);
      EXPECT_EQ(leaf->page.write, write);
    }
  }
}

// Invariants 8 and 10: SNP in a leaf, and only on a unit with snoop control.
TEST(SecondStage, SnoopBelongsToLeavesAndNeedsSnoopControl) {
  constexpr Qword snoop = 1u << 11;
  struct Row {
    unsigned level;
    Qword entry;
    bool leaf;
  };
  const Row table[]{{1, allowed, true},  {2, allowed | large, true}, {3, allowed | large, true},
                    {2, allowed, false}, {3, allowed, false},        {4, allowed, false},
                    {5, allowed, false}};
  for (const auto& row : table) {
    const auto result = step(row.entry | snoop, row.level, modern);
    EXPECT_EQ(reason(result), row.leaf ? Reason::none : Reason::second_stage_reserved)
        << row.level << row.leaf;
    if (result) {
      EXPECT_TRUE(result->page.snoop);
    }
    EXPECT_EQ(reason(step(row.entry | snoop, row.level, bare)), Reason::second_stage_reserved);
    EXPECT_EQ(reason(step(row.entry, row.level, bare)), Reason::none);
  }
}

// SNP of the leaf or PGSNP of the PASID entry: either forces snooping.
TEST(SecondStage, ForcedSnoopIsTheOrOfLeafAndPasidEntry) {
  for (const bool leaf : {false, true}) {
    for (const bool entry : {false, true}) {
      const PasidContext context{.page_snoop = entry};
      const auto result = step(allowed | (leaf ? 1u << 11 : 0), 1, modern, all, context);
      ASSERT_TRUE(result);
      EXPECT_EQ(result->page.snoop, leaf || entry);
    }
  }
}

// Without memory types and ATS: EMT, IPAT and TM are reserved. X, A, D and what the hardware
// ignores may have any value.
TEST(SecondStage, ReservedAndIgnoredBitsOfALeaf) {
  struct Leaf {
    unsigned level;
    Qword entry;
  };
  for (const auto& leaf : {Leaf{1, allowed}, Leaf{2, allowed | large}, Leaf{3, allowed | large}}) {
    for (unsigned bit = 0; bit < 64; ++bit) {
      if (bit == 7 || (bit >= 11 && bit <= 51)) continue;
      const bool reserved = (bit >= 3 && bit <= 6) || bit == 62;
      EXPECT_EQ(reason(step(leaf.entry | 1ull << bit, leaf.level)),
                reserved ? Reason::second_stage_reserved : Reason::none)
          << "level " << leaf.level << ' ' << bit_name(bit);
    }
  }
}

TEST(SecondStage, IgnoredBitsOfATable) {
  for (unsigned level = 2; level <= 5; ++level) {
    for (const unsigned bit : {2u, 8u, 9u, 10u, 52u, 53u, 57u, 60u, 61u, 63u}) {
      const auto result = step(0xabc'd000 | allowed | 1ull << bit, level);
      ASSERT_EQ(reason(result), Reason::none) << level << ' ' << bit_name(bit);
      EXPECT_EQ(result->table, Hpa{0xabc'd000});
    }
    EXPECT_EQ(reason(step(allowed | 1ull << 62, level)), Reason::second_stage_reserved) << "TM";
  }
}

// Invariant 90.
TEST(SecondStage, AResultInTheInterruptRangeFaults) {
  const std::pair<std::uint64_t, bool> table[]{{0xfedf'f000, false}, {0xfee0'0000, true},
                                               {0xfee5'a000, true},  {0xfeef'f000, true},
                                               {0xfef0'0000, false}, {0x1'fee0'0000, false}};
  for (const auto& [base, faults] : table) {
    EXPECT_EQ(reason(step(base | allowed, 1)), faults ? Reason::interrupt_range : Reason::none)
        << std::hex << base;
  }
}

// It is the result that may not lie there: the rest of a large page that reaches into the range is
// memory like any other. Pages of 2 MiB and 1 GiB, and where in them the request points.
TEST(SecondStage, ALargePageFaultsOnlyWhereItMeetsTheInterruptRange) {
  struct Row {
    unsigned level;
    std::uint64_t base;
    std::uint64_t offset;
    bool faults;
  };
  const Row table[]{{2, 0xfee0'0000, 0x0, true},          {2, 0xfee0'0000, 0xf'f000, true},
                    {2, 0xfee0'0000, 0x10'0000, false},   {3, 0xc000'0000, 0x0, false},
                    {3, 0xc000'0000, 0x3edf'f000, false}, {3, 0xc000'0000, 0x3ee0'0000, true},
                    {3, 0xc000'0000, 0x3eef'f000, true},  {3, 0xc000'0000, 0x3ef0'0000, false}};
  for (const auto& row : table) {
    const Iova at{0x40'0000'0000 + row.offset};
    const auto result =
        decode_second_stage(row.base | allowed | large, row.level, at, all, plain, modern);
    EXPECT_EQ(reason(result), row.faults ? Reason::interrupt_range : Reason::none)
        << std::hex << row.base << '+' << row.offset;
  }
}

TEST(SecondStage, InputWidths) {
  EXPECT_EQ(second_stage_bits(3), 39u);
  EXPECT_EQ(second_stage_bits(4), 48u);
  EXPECT_EQ(second_stage_bits(5), 57u);
}

// A whole walk by the decoders against arithmetic: tables in a map, random pages of every size.
TEST(SecondStage, AWalkOverRandomTablesEndsAtTheMappedPage) {
  Prng prng{1, "walk"};
  for (int round = 0; round < 3000; ++round) {
    const auto levels = static_cast<unsigned>(prng.between(3, 5));
    const auto leaf_level = static_cast<unsigned>(prng.between(1, 3));
    const Iova at{prng.between(0, (1ull << second_stage_bits(levels)) - 1)};
    const auto page_bits = 12 + 9 * (leaf_level - 1);
    const auto target = prng.between(1ull << 34, (1ull << 46) - 1) >> page_bits << page_bits;
    std::map<std::uint64_t, Qword> memory;
    Hpa table{0x10'0000};
    bool read = true;
    bool write = true;
    for (auto level = levels; level >= leaf_level; --level) {
      const auto rights = prng.one_in(8) ? prng.between(1, 2) : 3;
      read = read && (rights & 1) != 0;
      write = write && (rights & 2) != 0;
      const auto index = at.value / (1ull << (9 * level + 3)) % 512;
      const Hpa next = table + 0x1000;
      const bool last = level == leaf_level;
      memory[table.value + index * 8] =
          (last ? target : next.value) | rights | (last && level > 1 ? large : 0);
      table = next;
    }
    table = Hpa{0x10'0000};
    Rights rights;
    std::optional<Page> page;
    for (auto level = levels; level > 0 && !page; --level) {
      const auto entry = memory.at(second_stage_entry_address(table, at, level).value);
      const auto result = decode_second_stage(entry, level, at, rights, plain, modern);
      ASSERT_TRUE(result);
      table = result->table;
      rights = result->rights;
      if (result->leaf) page = result->page;
    }
    ASSERT_TRUE(page.has_value());
    EXPECT_EQ(page->base + (at - page->iova), Hpa{target + at.value % (1ull << page_bits)});
    EXPECT_EQ(page->read, read);
    EXPECT_EQ(page->write, write);
  }
}

}  // namespace
}  // namespace ioasim::iommu
