#include "iommu/register_file.hpp"

#include <gmock/gmock.h>

#include "base/prng.hpp"

namespace ioasim::iommu {
namespace {

constexpr std::uint64_t bit(unsigned number) { return 1ull << number; }
constexpr std::uint64_t field(std::uint64_t word, unsigned high, unsigned low) {
  return word << (63 - high) >> (63 - high + low);
}

constexpr std::uint64_t translation = bit(31);
constexpr std::uint64_t set_root = bit(30);
constexpr std::uint64_t flush_buffer = bit(27);
constexpr std::uint64_t queued = bit(26);

class RegisterFileTest : public testing::Test {
 protected:
  std::uint64_t read32(std::uint64_t offset) const { return registers.read(offset, 4); }
  std::uint64_t read64(std::uint64_t offset) const { return registers.read(offset, 8); }
  Actions write32(std::uint64_t offset, std::uint64_t value) {
    return registers.write(offset, 4, value);
  }
  Actions write64(std::uint64_t offset, std::uint64_t value) {
    return registers.write(offset, 8, value);
  }
  // As drivers do: status without the one-shot bits, and one change.
  Actions command(std::uint64_t set, std::uint64_t clear = 0) {
    return write32(0x18, ((read32(0x1c) & 0x96ff'ffff) | set) & ~clear);
  }
  bool fault(unsigned source) {
    FaultLog::Outcome outcome{};
    return registers.report({.source = {static_cast<std::uint16_t>(source)},
                             .address = Iova{0x5000},
                             .reason = FaultReason::second_stage_permission},
                            outcome);
  }
  void start_queue(std::uint64_t address = 0x10'0000) {
    write64(0x88, 0);
    write64(0x90, address);
    command(queued);
  }

  RegisterFile registers{Params{}};
};

// Every bit of CAP and ECAP, from the parameters.
TEST(Capabilities, AreThoseOfTheParametersAndNoOthers) {
  struct Row {
    Params params;
    std::uint64_t domains, widths, pasid_size;
  };
  const Row table[]{
      {{}, 6, 0, 19},
      {{.snoop_control = false, .coherent = false, .walk_coherent = false}, 6, 0, 19},
      {{.snoop_control = false}, 6, 0, 19},
      {{.coherent = false}, 6, 0, 19},
      {{.walk_coherent = false}, 6, 0, 19},
      {{.address_bits = 39, .domains = 16, .pasid_bits = 1, .fault_records = 1}, 0, 1, 0},
      {{.address_bits = 57, .domains = 1024, .pasid_bits = 15, .fault_records = 128}, 3, 3, 14}};
  for (const auto& row : table) {
    const RegisterFile registers{row.params};
    const auto cap = registers.read(0x08, 8);
    EXPECT_EQ(field(cap, 2, 0), row.domains);
    EXPECT_EQ(field(cap, 21, 16), row.params.address_bits - 1) << "MGAW";
    EXPECT_EQ(field(cap, 33, 24) * 16, reg::fault_records);
    EXPECT_EQ(field(cap, 37, 34), 3u) << "2 MiB and 1 GiB pages";
    EXPECT_EQ(field(cap, 39, 39), 1u) << "PSI";
    EXPECT_EQ(field(cap, 47, 40), row.params.fault_records - 1) << "NFR";
    EXPECT_GE(field(cap, 53, 48), 18u) << "MAMV: a 1 GiB page in one invalidation";
    EXPECT_EQ(field(cap, 55, 54), 3u) << "drains writes and reads";
    // AFL, RWBF, PLMR, PHMR, CM; 15:13; ZLR; ISOCH; 38; 5LP, PI, FS1GP and the rest of 63:56.
    EXPECT_EQ(cap & (0xf8 | 0xe000 | bit(38)), 0u);
    EXPECT_EQ(field(cap, 61, 56), 0u);

    const auto ecap = registers.read(0x10, 8);
    EXPECT_EQ(field(ecap, 0, 0), row.params.coherent ? 1u : 0u);
    EXPECT_EQ(field(ecap, 1, 1), 1u) << "QI";
    EXPECT_EQ(field(ecap, 6, 6), 1u) << "PT";
    EXPECT_EQ(field(ecap, 7, 7), row.params.snoop_control ? 1u : 0u);
    EXPECT_EQ(field(ecap, 17, 8) * 16 + 8, reg::iotlb);
    EXPECT_EQ(field(ecap, 39, 35), row.params.pasid_bits - 1) << "PSS";
    EXPECT_EQ(field(ecap, 40, 40), 1u) << "PASID";
    EXPECT_EQ(field(ecap, 43, 43), 1u) << "SMTS";
    EXPECT_EQ(field(ecap, 46, 46), 1u) << "SSTS";
    EXPECT_EQ(field(ecap, 48, 48), row.params.walk_coherent ? 1u : 0u) << "SMPWCS";
    EXPECT_EQ(field(ecap, 49, 49), 1u) << "RPS";
    // DT, IR, EIM; MHMV to SRS; NWFS, EAFS; DIT, PDS; VCS, SSADS; FSTS; the rest.
    const auto offered = bit(0) | bit(1) | bit(6) | bit(7) | 0x3ff00 | 0xf8'0000'0000 | bit(40) |
                         bit(43) | bit(46) | bit(48) | bit(49);
    EXPECT_EQ(ecap & ~offered, 0u);
  }
}

// SAGAW offers exactly the widths that a PASID entry may ask for.
TEST(Capabilities, WidthsAreThoseThatThePasidEntryAccepts) {
  for (const unsigned width : {39u, 48u, 57u}) {
    const RegisterFile registers{Params{.address_bits = width}};
    const auto widths = field(registers.read(0x08, 8), 12, 8);
    EXPECT_EQ(field(widths, 1, 1), 1u);
    EXPECT_EQ(field(widths, 2, 2), width >= 48 ? 1u : 0u);
    EXPECT_EQ(field(widths, 3, 3), width >= 57 ? 1u : 0u);
    EXPECT_EQ(widths & ~0xeull, 0u);
  }
}

TEST_F(RegisterFileTest, ReadOnlyRegistersKeepTheirValue) {
  EXPECT_NE(read32(0x00), 0u) << "VER";
  for (const std::uint64_t offset : {0x00u, 0x08u, 0x10u, 0x1cu, 0x80u, 0xb0u}) {
    const auto before = read64(offset & ~7ull);
    write32(offset, 0xffff'ffff);
    write32(offset + (offset == 0x1c ? 0 : 4), 0xffff'ffff);
    EXPECT_EQ(read64(offset & ~7ull), before) << std::hex << offset;
  }
}

TEST_F(RegisterFileTest, EverythingIsOffAfterReset) {
  EXPECT_EQ(read32(0x1c), 0u);
  EXPECT_EQ(read32(0x34), 0u);
  EXPECT_EQ(read32(0x38), bit(31)) << "FECTL: IM";
  EXPECT_EQ(read32(0xa0), bit(31)) << "IECTL: IM";
  EXPECT_EQ(read64(0x80), 0u);
  EXPECT_FALSE(registers.translation_enabled());
  EXPECT_FALSE(registers.scalable_root());
  EXPECT_FALSE(registers.queue_running());
}

TEST_F(RegisterFileTest, TranslationFollowsItsBit) {
  command(translation);
  EXPECT_TRUE(registers.translation_enabled());
  EXPECT_EQ(read32(0x1c), translation);
  command(0, translation);
  EXPECT_FALSE(registers.translation_enabled());
  EXPECT_EQ(read32(0x1c), 0u);
}

TEST_F(RegisterFileTest, TheRootTableIsLatchedByTheCommandOnly) {
  write64(0x20, 0xabc'd000 | 1u << 10);
  EXPECT_EQ(read64(0x20), 0xabc'd400u);
  EXPECT_NE(registers.root(), Hpa{0xabc'd000});
  EXPECT_FALSE(registers.scalable_root());
  EXPECT_EQ(read32(0x1c) & set_root, 0u);
  command(set_root);
  EXPECT_EQ(read32(0x1c) & set_root, set_root);
  EXPECT_EQ(registers.root(), Hpa{0xabc'd000});
  EXPECT_TRUE(registers.scalable_root());
  write64(0x20, 0x1000 | 1u << 10);
  EXPECT_EQ(registers.root(), Hpa{0xabc'd000});
  command(translation);
  EXPECT_EQ(registers.root(), Hpa{0xabc'd000}) << "one-shot: not in a write without it";
  EXPECT_EQ(read32(0x1c), translation | set_root);
  command(set_root);
  EXPECT_EQ(registers.root(), Hpa{0x1000});
  EXPECT_TRUE(registers.translation_enabled()) << "levels are kept";
}

// TTM: 00 legacy, 01 scalable, 10 reserved, 11 abort.
TEST_F(RegisterFileTest, OnlyModeOneIsAScalableTable) {
  for (std::uint64_t mode = 0; mode < 4; ++mode) {
    write64(0x20, 0x1000 | mode << 10);
    command(set_root);
    EXPECT_EQ(registers.scalable_root(), mode == 1) << mode;
  }
}

TEST_F(RegisterFileTest, TheRootTableMayBeWrittenInHalves) {
  write32(0x20, 0x3456'7400);
  write32(0x24, 0x12);
  EXPECT_EQ(read64(0x20), 0x12'3456'7400u);
  EXPECT_EQ(read32(0x24), 0x12u);
  command(set_root);
  EXPECT_EQ(registers.root(), Hpa{0x12'3456'7000});
}

TEST_F(RegisterFileTest, AWriteBufferFlushEnds) {
  command(translation);
  command(flush_buffer);
  EXPECT_EQ(read32(0x1c), translation);
}

TEST_F(RegisterFileTest, CommandsOfFeaturesThatAreNotOfferedHaveNoStatus) {
  for (const unsigned number : {29u, 28u, 25u, 24u, 23u}) {
    command(bit(number));
    EXPECT_EQ(read32(0x1c), 0u) << number;
  }
}

TEST_F(RegisterFileTest, TheQueueStartsAndStopsWithItsBit) {
  write64(0x90, 0x12'3456'7000 | bit(11) | 3);
  EXPECT_EQ(read64(0x90), 0x12'3456'7803u);
  EXPECT_EQ(registers.queue_base(), Hpa{0x12'3456'7000});
  EXPECT_EQ(registers.queue_bytes(), 0x8000u);
  EXPECT_EQ(registers.descriptor_bytes(), 32u);
  EXPECT_FALSE(registers.queue_running());
  command(queued);
  EXPECT_TRUE(registers.queue_running());
  EXPECT_EQ(read32(0x1c), queued);
  command(0, queued);
  EXPECT_FALSE(registers.queue_running());
  EXPECT_EQ(read32(0x1c), 0u);
}

// (4096 << QS) / 16 or / 32 descriptors.
TEST_F(RegisterFileTest, TheQueueIsFourKibibytesTimesAPowerOfTwo) {
  for (std::uint64_t size = 0; size < 8; ++size) {
    write64(0x90, 0x10'0000 | size);
    EXPECT_EQ(registers.queue_bytes(), 4096u << size);
    EXPECT_EQ(registers.descriptor_bytes(), 16u);
  }
}

TEST_F(RegisterFileTest, TheTailRunsTheQueue) {
  start_queue();
  EXPECT_TRUE(write64(0x88, 0x40).run_queue);
  EXPECT_EQ(registers.tail(), 0x40u);
  EXPECT_EQ(read64(0x88), 0x40u);
  EXPECT_EQ(registers.head(), 0u);
}

TEST_F(RegisterFileTest, TheTailKeepsBits18To4) {
  start_queue();
  write64(0x88, ~0ull);
  EXPECT_EQ(read64(0x88), 0x7fff0u);
  EXPECT_EQ(registers.tail(), 0x7fff0u);
}

TEST_F(RegisterFileTest, TheHeadAdvancesByDescriptorsAndWraps) {
  start_queue(0x10'0000 | bit(11));
  for (unsigned i = 1; i < 128; ++i) {
    registers.advance_head();
    EXPECT_EQ(registers.head(), i * 32);
    EXPECT_EQ(read64(0x80), i * 32);
  }
  registers.advance_head();
  EXPECT_EQ(registers.head(), 0u);
}

// Invariant 80.
TEST_F(RegisterFileTest, DisablingTheQueueResetsTheHead) {
  start_queue();
  write64(0x88, 0x40);
  registers.advance_head();
  registers.advance_head();
  EXPECT_EQ(read64(0x80), 0x20u);
  command(0, queued);
  EXPECT_EQ(read64(0x80), 0u);
  EXPECT_EQ(registers.head(), 0u);
}

// Invariant 75, and that no state of the queue outlives the error.
TEST_F(RegisterFileTest, AQueueErrorStopsTheQueueUntilItIsCleared) {
  using enum reg::QueueError;
  for (const auto error : {bad_tail, fetch, bad_type, reserved_field}) {
    registers = RegisterFile{Params{}};
    write32(0x38, 0);
    start_queue();
    EXPECT_TRUE(registers.report(error)) << "an event";
    EXPECT_FALSE(registers.queue_running());
    EXPECT_EQ(read32(0x1c), queued) << "it stays enabled";
    EXPECT_EQ(read32(0x34), bit(4));
    EXPECT_EQ(field(read64(0xb0), 3, 0), static_cast<std::uint64_t>(error));
    write32(0x34, 0);
    EXPECT_EQ(read32(0x34), bit(4)) << "writing zero clears nothing";
    EXPECT_TRUE(write32(0x34, bit(4)).run_queue);
    EXPECT_EQ(read32(0x34), 0u);
    EXPECT_TRUE(registers.queue_running());
    EXPECT_EQ(field(read64(0xb0), 3, 0), 0u);
  }
}

// CCMD and IOTLB_REG: the command bit stays until the work is done; then the granularity says
// what was done.
TEST_F(RegisterFileTest, RegisterInvalidationsAreSingleOutstandingAndReportTheirGranularity) {
  EXPECT_TRUE(write64(0x28, bit(63) | 1ull << 61).flush_contexts);
  EXPECT_EQ(read64(0x28) >> 63, 1u);
  registers.contexts_flushed();
  EXPECT_EQ(read64(0x28) >> 63, 0u);
  EXPECT_EQ(field(read64(0x28), 60, 59), 1u);

  EXPECT_TRUE(write64(reg::iotlb, bit(63) | 1ull << 60).flush_pages);
  EXPECT_EQ(read64(reg::iotlb) >> 63, 1u);
  registers.pages_flushed();
  EXPECT_EQ(read64(reg::iotlb) >> 63, 0u);
  EXPECT_EQ(field(read64(reg::iotlb), 58, 57), 1u);
}

// What was done may be coarser than what was asked; never finer, never nothing.
TEST_F(RegisterFileTest, RegisterInvalidationsOfEveryGranularityAreDoneAtLeastAsCoarsely) {
  for (std::uint64_t asked = 1; asked <= 3; ++asked) {
    EXPECT_TRUE(write64(0x28, bit(63) | asked << 61).flush_contexts);
    registers.contexts_flushed();
    EXPECT_LE(field(read64(0x28), 60, 59), asked);
    EXPECT_GE(field(read64(0x28), 60, 59), 1u);
    EXPECT_TRUE(write64(reg::iotlb, bit(63) | asked << 60).flush_pages);
    registers.pages_flushed();
    EXPECT_LE(field(read64(reg::iotlb), 58, 57), asked);
    EXPECT_GE(field(read64(reg::iotlb), 58, 57), 1u);
  }
}

TEST_F(RegisterFileTest, AWriteWithoutTheCommandBitInvalidatesNothing) {
  const auto contexts = write64(0x28, 1ull << 61);
  const auto pages = write64(reg::iotlb, 1ull << 60);
  EXPECT_FALSE(contexts.flush_contexts || contexts.flush_pages);
  EXPECT_FALSE(pages.flush_contexts || pages.flush_pages);
}

TEST_F(RegisterFileTest, TheUpperHalfStartsARegisterInvalidation) {
  EXPECT_FALSE(write32(0x28, 0).flush_contexts);
  EXPECT_TRUE(write32(0x2c, bit(31) | 1u << 29).flush_contexts);
  EXPECT_FALSE(write32(reg::iotlb, 0).flush_pages);
  EXPECT_TRUE(write32(reg::iotlb + 4, bit(31) | 1u << 28).flush_pages);
}

// Invariant 67.
TEST_F(RegisterFileTest, RegisterInvalidationsAreIgnoredWhileTheQueueIsEnabled) {
  start_queue();
  EXPECT_FALSE(write64(0x28, bit(63) | 1ull << 61).flush_contexts);
  EXPECT_FALSE(write64(reg::iotlb, bit(63) | 1ull << 60).flush_pages);
  EXPECT_EQ(read64(0x28) >> 63, 0u) << "software that polls it must not hang";
  EXPECT_EQ(read64(reg::iotlb) >> 63, 0u);
}

TEST_F(RegisterFileTest, A64BitRegisterIsTheSumOfItsHalves) {
  write64(0x20, 0x12'3456'7400);
  write64(0x90, 0x98'7654'3801);
  fault(0x1234);
  for (const std::uint64_t offset :
       {0x08u, 0x10u, 0x20u, 0x28u, 0x80u, 0x88u, 0x90u, 0xb0u, 0x200u, 0x208u, 0x400u, 0x408u}) {
    ASSERT_EQ(read64(offset), read32(offset) | read32(offset + 4) << 32) << std::hex << offset;
  }
}

// Two registers of 32 bits under one aligned access of 64, wherever they lie together: GCMD and
// GSTS, FSTS in the upper half, FECTL and FEDATA, FEADDR and FEUADDR, and so on.
TEST_F(RegisterFileTest, A64BitReadCoversPairsOf32BitRegisters) {
  command(translation);
  fault(0x1234);
  registers.report_wait_completed();
  write32(0x3c, 0x4021);
  write32(0x44, 5);
  write32(0xa4, 0x4022);
  for (std::uint64_t offset = 0; offset < 0x1000; offset += 8) {
    EXPECT_EQ(read64(offset), read32(offset) | read32(offset + 4) << 32) << std::hex << offset;
  }
}

TEST_F(RegisterFileTest, A64BitWriteCoversPairsOf32BitRegisters) {
  write64(0x38, 0x4021ull << 32);
  EXPECT_EQ(read32(0x38), 0u) << "FECTL";
  EXPECT_EQ(read32(0x3c), 0x4021u) << "FEDATA";
  write64(0x40, 0x5'fee0'1000);
  EXPECT_EQ(read32(0x40), 0xfee0'1000u) << "FEADDR";
  EXPECT_EQ(read32(0x44), 5u) << "FEUADDR";
  write64(0xa0, 0x4022ull << 32);
  EXPECT_EQ(read32(0xa0), 0u) << "IECTL";
  EXPECT_EQ(read32(0xa4), 0x4022u) << "IEDATA";
  registers.report_wait_completed();
  write64(0x98, 1ull << 32);
  EXPECT_EQ(read32(0x9c), 0u) << "ICS";
}

TEST_F(RegisterFileTest, OtherSizesAndUnalignedAccessesDoNothing) {
  write64(0x20, 0x12'3456'7400);
  for (const unsigned bytes : {1u, 2u, 3u, 5u, 6u, 7u, 16u}) {
    EXPECT_EQ(registers.read(0x20, bytes), 0u) << bytes;
    registers.write(0x20, bytes, ~0ull);
  }
  for (const std::uint64_t offset : {0x21u, 0x22u, 0x23u}) {
    EXPECT_EQ(read32(offset), 0u);
    write32(offset, 0xffff'ffff);
  }
  EXPECT_EQ(read64(0x24), 0u);
  write64(0x1c, ~0ull);
  EXPECT_EQ(read64(0x20), 0x12'3456'7400u);
  EXPECT_FALSE(registers.translation_enabled());
}

// Whatever software writes, wherever: no CHECK fails, and the head stays in the queue.
TEST(RegisterFile, SurvivesRandomWrites) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    RegisterFile registers{Params{.fault_records = static_cast<unsigned>(1 + seed * 4)}};
    Prng prng{seed, "register_file"};
    for (int i = 0; i < 3000; ++i) {
      const auto offset = prng.one_in(4) ? prng.between(0, 0x2000) : prng.between(0, 0x30) * 8;
      const auto bytes =
          prng.one_in(8) ? static_cast<unsigned>(prng.between(0, 16)) : 4u << prng.between(0, 1);
      const auto value = prng.one_in(2) ? prng.next() : 1ull << prng.between(0, 63);
      const auto actions = registers.write(offset, bytes, value);
      if (actions.flush_contexts) registers.contexts_flushed();
      if (actions.flush_pages) registers.pages_flushed();
      if (prng.one_in(4) && registers.queue_running() && registers.head() != registers.tail()) {
        registers.advance_head();
      }
      if (prng.one_in(20)) registers.report(reg::QueueError::bad_type);
      if (prng.one_in(20)) registers.report_wait_completed();
      FaultLog::Outcome outcome{};
      registers.report({.source = {static_cast<std::uint16_t>(prng.between(0, 99))}}, outcome);
      registers.read(prng.between(0, 0x2000), bytes);
      ASSERT_LT(registers.head(), registers.queue_bytes()) << "seed " << seed << " step " << i;
    }
  }
}

}  // namespace
}  // namespace ioasim::iommu
