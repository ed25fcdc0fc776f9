#include "iommu/structures.hpp"

#include <gmock/gmock.h>

#include <array>

namespace ioasim::iommu {
namespace {

constexpr Params modern{};
constexpr Params bare{.snoop_control = false, .coherent = false, .walk_coherent = false};
constexpr auto id = RequesterId::of(0x3b, 2, 1);

// The reason, or none where there is a value.
template <class Value>
Reason reason(const Result<Value, Reason>& result) {
  return result ? Reason::none : result.error();
}

std::string bit_name(unsigned bit) { return "bit " + std::to_string(bit); }

TEST(RootEntry, IsFoundByBus) {
  EXPECT_EQ(root_entry_address(Hpa{0x10000}, RequesterId::of(0, 31, 7)), Hpa{0x10000});
  EXPECT_EQ(root_entry_address(Hpa{0x10000}, RequesterId::of(0x3b, 0, 0)), Hpa{0x103b0});
  EXPECT_EQ(root_entry_address(Hpa{0x10000}, RequesterId::of(255, 0, 0)), Hpa{0x10ff0});
}

// Devices 0 to 15 by the lower table, 16 to 31 by the upper; 32 bytes an entry.
TEST(RootEntry, LeadsToTheContextEntryOfEachFunction) {
  const std::array<Qword, 2> entry{0x20001, 0x30001};
  for (unsigned devfn = 0; devfn < 256; ++devfn) {
    const auto address = context_entry_address(entry, RequesterId::of(9, devfn / 8, devfn % 8));
    ASSERT_TRUE(address);
    ASSERT_EQ(address->value, (devfn < 128 ? 0x20000 : 0x30000) + 32 * (devfn % 128));
  }
}

// Invariant 81. Each half has a present bit of its own.
TEST(RootEntry, AnAbsentHalfFaultsAndTheOtherWorks) {
  const std::array<Qword, 2> lower{0x20001, 0x30000};
  const std::array<Qword, 2> upper{0x20000, 0x30001};
  const auto low = RequesterId::of(0, 15, 7);
  const auto high = RequesterId::of(0, 16, 0);
  EXPECT_EQ(reason(context_entry_address(lower, low)), Reason::none);
  EXPECT_EQ(reason(context_entry_address(lower, high)), Reason::root_entry_not_present);
  EXPECT_EQ(reason(context_entry_address(upper, low)), Reason::root_entry_not_present);
  EXPECT_EQ(reason(context_entry_address(upper, high)), Reason::none);
}

TEST(RootEntry, ReservedBitsFaultInTheHalfThatIsUsed) {
  for (unsigned bit = 1; bit <= 11; ++bit) {
    std::array<Qword, 2> entry{0x20001 | 1ull << bit, 0x30001};
    EXPECT_EQ(reason(context_entry_address(entry, RequesterId::of(0, 0, 0))),
              Reason::root_entry_reserved)
        << bit_name(bit);
    EXPECT_EQ(reason(context_entry_address(entry, RequesterId::of(0, 16, 0))), Reason::none);
    entry = {0x20000 | 1ull << bit, 0};
    EXPECT_EQ(reason(context_entry_address(entry, RequesterId::of(0, 0, 0))),
              Reason::root_entry_not_present);
  }
}

using ContextWords = std::array<Qword, 4>;

constexpr ContextWords context_words{0x40'0000 | 3u << 9 | 1u << 3 | 1, 0x12345, 0, 0};

TEST(ContextEntryDecode, HasEveryField) {
  const auto context = decode_context(context_words, modern, id);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->directory, Hpa{0x40'0000});
  EXPECT_EQ(context->rid_pasid, Pasid{0x12345});
  EXPECT_TRUE(context->pasid_enabled);
  EXPECT_FALSE(context->fault_disable);
  EXPECT_EQ(context->source, id);
}

// PDTS: 2^(PDTS + 7) directory entries.
TEST(ContextEntryDecode, DirectorySizes) {
  constexpr std::uint32_t entries[]{128, 256, 512, 1024, 2048, 4096, 8192, 16384};
  for (unsigned size = 0; size < 8; ++size) {
    const ContextWords words{0x40'0001 | size << 9, 0, 0, 0};
    EXPECT_EQ(decode_context(words, modern, id)->directory_entries, entries[size]);
  }
}

TEST(ContextEntryDecode, FlagsAreIndependent) {
  EXPECT_TRUE(decode_context(ContextWords{0x40'0003, 0, 0, 0}, modern, id)->fault_disable);
  EXPECT_FALSE(decode_context(ContextWords{0x40'0003, 0, 0, 0}, modern, id)->pasid_enabled);
}

// Invariant 81; absence is found before reserved bits.
TEST(ContextEntryDecode, AbsenceAndReservedBits) {
  EXPECT_EQ(reason(decode_context(ContextWords{~1ull, ~0ull, ~0ull, ~0ull}, modern, id)),
            Reason::context_entry_not_present);
  for (unsigned bit = 1; bit < 256; ++bit) {
    const bool reserved = (bit >= 5 && bit <= 8) || bit >= 64 + 21;
    if (bit == 2 || bit == 4) continue;  // DTE and PRE: no ATS here to give them a meaning
    auto words = context_words;
    words[bit / 64] |= 1ull << (bit % 64);
    EXPECT_EQ(reason(decode_context(words, modern, id)),
              reserved ? Reason::context_entry_reserved : Reason::none)
        << bit_name(bit);
  }
}

// Invariant 82.
TEST(EffectivePasid, IsTheRequestsOwnWithinTheDirectory) {
  for (unsigned size = 0; size < 8; ++size) {
    const ContextWords words{0x40'0009 | size << 9, 0x7f, 0, 0};
    const auto context = decode_context(words, modern, id);
    ASSERT_TRUE(context);
    const auto limit = 1u << (size + 13);
    EXPECT_EQ(effective_pasid(*context, true, {limit - 1}).value(), Pasid{limit - 1});
    EXPECT_EQ(reason(effective_pasid(*context, true, {limit})), Reason::pasid_too_large);
    EXPECT_EQ(effective_pasid(*context, true, {0}).value(), Pasid{0});
  }
}

TEST(EffectivePasid, IsRidPasidForARequestWithoutOne) {
  for (const bool enabled : {false, true}) {
    const Context context{.directory_entries = 128, .rid_pasid = {77}, .pasid_enabled = enabled};
    EXPECT_EQ(effective_pasid(context, false, {5}).value(), Pasid{77});
  }
}

TEST(EffectivePasid, FaultsWherePasidsAreDisabledOrRidPasidIsTooLarge) {
  const Context disabled{.directory_entries = 128};
  EXPECT_EQ(reason(effective_pasid(disabled, true, {1})), Reason::pasid_disabled);
  EXPECT_EQ(reason(effective_pasid(disabled, true, {0xfffff})), Reason::pasid_disabled);
  const Context large{.directory_entries = 128, .rid_pasid = {128 * 64}, .pasid_enabled = true};
  EXPECT_EQ(reason(effective_pasid(large, false, {})), Reason::rid_pasid);
  EXPECT_EQ(reason(effective_pasid(large, true, {1})), Reason::none);
}

TEST(PasidDirectory, IsIndexedByBits19To6) {
  const Context context{.directory = Hpa{0x5000}};
  EXPECT_EQ(directory_entry_address(context, {0}), Hpa{0x5000});
  EXPECT_EQ(directory_entry_address(context, {63}), Hpa{0x5000});
  EXPECT_EQ(directory_entry_address(context, {64}), Hpa{0x5008});
  EXPECT_EQ(directory_entry_address(context, {0xfffff}), Hpa{0x5000 + 0x3fff * 8});
}

TEST(PasidDirectory, LeadsToTheEntryOfBits5To0) {
  for (std::uint32_t pasid = 0; pasid < 256; ++pasid) {
    EXPECT_EQ(pasid_entry_address(0x7001, {pasid}).value(), Hpa{0x7000 + 64 * (pasid & 63)});
  }
}

// Invariant 81.
TEST(PasidDirectory, AbsenceAndReservedBits) {
  EXPECT_EQ(reason(pasid_entry_address(0x7ffe, {0})), Reason::pasid_directory_not_present);
  EXPECT_EQ(reason(pasid_entry_address(0x7003, {0})), Reason::none) << "FPD";
  for (unsigned bit = 2; bit <= 11; ++bit) {
    EXPECT_EQ(reason(pasid_entry_address(0x7001 | 1ull << bit, {0})),
              Reason::pasid_directory_reserved)
        << bit_name(bit);
  }
}

using PasidWords = std::array<Qword, 8>;

constexpr Pasid pasid{0x54321};

// Present, second stage, 48 bits (AW 2), domain 0x1234.
constexpr PasidWords pasid_words{0x60'0000 | 2u << 6 | 2u << 2 | 1, 0x1234};

Reason decoded(const PasidWords& words, const Params& params) {
  return reason(decode_pasid(words, params, pasid));
}

TEST(PasidEntryDecode, HasEveryField) {
  auto words = pasid_words;
  const auto plain = decode_pasid(words, modern, pasid);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->type, TranslationType::second_stage);
  EXPECT_EQ(plain->second_stage, Hpa{0x60'0000});
  EXPECT_EQ(plain->levels, 4u);
  EXPECT_EQ(plain->domain, DomainId{0x1234});
  EXPECT_EQ(plain->pasid, pasid);
  EXPECT_FALSE(plain->walk_snoop || plain->page_snoop || plain->fault_disable);
  words[0] |= 2;
  EXPECT_TRUE(decode_pasid(words, modern, pasid)->fault_disable);
  words[1] |= 1u << 23;
  EXPECT_TRUE(decode_pasid(words, modern, pasid)->walk_snoop);
  EXPECT_FALSE(decode_pasid(words, modern, pasid)->page_snoop);
  words[1] |= 1u << 24;
  EXPECT_TRUE(decode_pasid(words, modern, pasid)->page_snoop);
}

// Invariants 81 and 83: first stage and nested are not offered by this unit; the rest is nothing.
TEST(PasidEntryDecode, OffersSecondStageAndPassThrough) {
  for (unsigned type = 0; type < 8; ++type) {
    auto words = pasid_words;
    words[0] = (words[0] & ~0x1c0ull) | type << 6;
    EXPECT_EQ(decoded(words, modern),
              type == 2 || type == 4 ? Reason::none : Reason::pasid_entry_invalid)
        << type;
  }
  EXPECT_EQ(decoded({~1ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull}, modern),
            Reason::pasid_entry_not_present);
}

// AW 1, 2, 3 are 39, 48 and 57 bits: 3, 4 and 5 levels.
TEST(PasidEntryDecode, WidthsUpToTheUnits) {
  for (const unsigned width : {39u, 48u, 57u}) {
    const Params params{.address_bits = width};
    for (unsigned code = 0; code < 8; ++code) {
      auto words = pasid_words;
      words[0] = (words[0] & ~0x1cull) | code << 2;
      const auto result = decode_pasid(words, params, pasid);
      const bool right = code >= 1 && code <= 3 && 30 + 9 * code <= width;
      EXPECT_EQ(reason(result), right ? Reason::none : Reason::pasid_entry_invalid)
          << "code " << code << " of " << width;
      if (result) {
        EXPECT_EQ(result->levels, code + 2);
        EXPECT_EQ(second_stage_bits(result->levels), 30 + 9 * code);
      }
    }
  }
}

// Invariant 9.
TEST(PasidEntryDecode, PageSnoopNeedsSnoopControl) {
  auto words = pasid_words;
  words[1] |= 1u << 24;
  EXPECT_EQ(decoded(words, modern), Reason::none);
  EXPECT_EQ(decoded(words, bare), Reason::pasid_entry_reserved);
  EXPECT_EQ(decoded(words, Params{.snoop_control = false}), Reason::pasid_entry_reserved);
}

TEST(PasidEntryDecode, WalkSnoopNeedsWalkCoherency) {
  auto words = pasid_words;
  words[1] |= 1u << 23;
  EXPECT_EQ(decoded(words, modern), Reason::none);
  EXPECT_EQ(decoded(words, bare), Reason::pasid_entry_reserved);
  EXPECT_EQ(decoded(words, Params{.walk_coherent = false}), Reason::pasid_entry_reserved);
}

// What the first qwords leave: no bit of them may be set. First-stage fields (SRE to EAFE, pointer)
// mean nothing to second stage and are left out here.
TEST(PasidEntryDecode, ReservedBits) {
  const auto reserved = [](unsigned bit) {
    if (bit < 64) return bit == 5 || (bit >= 9 && bit <= 11);  // 9: SSADE, without ECAP.SSADS
    if (bit < 128) return (bit >= 80 && bit <= 86) || bit >= 89;
    if (bit < 192) return bit >= 136 && bit <= 139;
    return true;
  };
  std::string accepted;
  for (unsigned bit = 0; bit < 512; ++bit) {
    if (!reserved(bit)) continue;
    auto words = pasid_words;
    words[bit / 64] |= 1ull << (bit % 64);
    if (decoded(words, modern) != Reason::pasid_entry_reserved) accepted += bit_name(bit) + ", ";
  }
  EXPECT_EQ(accepted, "");
}

TEST(PasidEntryDecode, EveryDefinedBitIsAllowed) {
  for (unsigned bit = 0; bit < 80; ++bit) {
    const bool kept = bit >= 12 || bit == 0 || bit == 1;
    if (!kept) continue;
    auto words = pasid_words;
    words[bit / 64] |= 1ull << (bit % 64);
    EXPECT_EQ(decoded(words, modern), Reason::none) << bit_name(bit);
  }
}

// Faults that come before anything could say Fault Processing Disable, or where no entry could be
// read that might.
TEST(FaultProcessing, AccessErrorsAndTheRootAreAlwaysReported) {
  using enum FaultReason;
  for (const auto always : {root_entry_access, root_entry_not_present, root_entry_reserved,
                            context_entry_access, pasid_directory_access, pasid_entry_access}) {
    EXPECT_TRUE(always_reported(always)) << static_cast<int>(always);
  }
  for (const auto qualified :
       {context_entry_not_present, context_entry_reserved, pasid_disabled, pasid_too_large,
        rid_pasid, pasid_directory_not_present, pasid_directory_reserved, pasid_entry_not_present,
        pasid_entry_reserved, pasid_entry_invalid, second_stage_access, second_stage_permission,
        second_stage_reserved, second_stage_pointer, second_stage_width, interrupt_range}) {
    EXPECT_FALSE(always_reported(qualified)) << static_cast<int>(qualified);
  }
}

}  // namespace
}  // namespace ioasim::iommu
