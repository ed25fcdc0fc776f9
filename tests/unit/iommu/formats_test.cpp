// Layouts, written as in the specification's tables: which bits a field takes.
#include "iommu/formats.hpp"

#include <gmock/gmock.h>

#include "iommu/registers.hpp"

namespace ioasim::iommu {
namespace {

constexpr Qword bits(unsigned high, unsigned low) {
  Qword mask = 0;
  for (unsigned bit = low; bit <= high; ++bit) mask |= 1ull << bit;
  return mask;
}

TEST(Formats, RootAndContextEntries) {
  EXPECT_EQ(RootEntry::bytes, 16u);
  EXPECT_EQ(RootEntry::present::mask, bits(0, 0));
  EXPECT_EQ(RootEntry::reserved::mask, 0xffeu);
  EXPECT_EQ(RootEntry::context_table::mask, bits(63, 12));
  EXPECT_EQ(ContextEntry::bytes, 32u);
  EXPECT_EQ(ContextEntry::present::mask, bits(0, 0));
  EXPECT_EQ(ContextEntry::fault_disable::mask, bits(1, 1));
  EXPECT_EQ(ContextEntry::pasid_enable::mask, bits(3, 3));
  EXPECT_EQ(ContextEntry::reserved_low::mask, 0x1e0u);
  EXPECT_EQ(ContextEntry::directory_size::mask, bits(11, 9));
  EXPECT_EQ(ContextEntry::directory::mask, bits(63, 12));
  EXPECT_EQ(ContextEntry::rid_pasid::mask, bits(19, 0));
  EXPECT_EQ(ContextEntry::reserved_high::mask, 0xffff'ffff'ffe0'0000u);
}

TEST(Formats, PasidDirectoryAndTable) {
  EXPECT_EQ(DirectoryEntry::bytes, 8u);
  EXPECT_EQ(DirectoryEntry::present::mask, bits(0, 0));
  EXPECT_EQ(DirectoryEntry::fault_disable::mask, bits(1, 1));
  EXPECT_EQ(DirectoryEntry::table::mask, bits(63, 12));
  EXPECT_EQ(PasidEntry::bytes, 64u);
  EXPECT_EQ(PasidEntry::present::mask, bits(0, 0));
  EXPECT_EQ(PasidEntry::fault_disable::mask, bits(1, 1));
  EXPECT_EQ(PasidEntry::address_width::mask, bits(4, 2));
  EXPECT_EQ(PasidEntry::type::mask, bits(8, 6));
  EXPECT_EQ(PasidEntry::dirty_enable::mask, bits(9, 9));
  EXPECT_EQ(PasidEntry::second_stage::mask, bits(63, 12));
  EXPECT_EQ(PasidEntry::domain::mask, bits(79 - 64, 0));
  EXPECT_EQ(PasidEntry::walk_snoop::mask, bits(87 - 64, 87 - 64));
  EXPECT_EQ(PasidEntry::page_snoop::mask, bits(88 - 64, 88 - 64));
  EXPECT_EQ(static_cast<int>(TranslationType::second_stage), 2);
  EXPECT_EQ(static_cast<int>(TranslationType::pass_through), 4);
}

TEST(Formats, SecondStageEntries) {
  EXPECT_EQ(SecondStageEntry::bytes, 8u);
  EXPECT_EQ(SecondStageEntry::read::mask, bits(0, 0));
  EXPECT_EQ(SecondStageEntry::write::mask, bits(1, 1));
  EXPECT_EQ(SecondStageEntry::page_size::mask, bits(7, 7));
  EXPECT_EQ(SecondStageEntry::snoop::mask, 0x800u);
  EXPECT_EQ(SecondStageEntry::address::mask, bits(51, 12));
  EXPECT_EQ(SecondStageEntry::transient::mask, bits(62, 62));
}

TEST(Formats, InvalidationDescriptors) {
  EXPECT_EQ(Descriptor::type_low::mask, bits(3, 0));
  EXPECT_EQ(Descriptor::type_high::mask, bits(11, 9));
  EXPECT_EQ(Descriptor::granularity::mask, bits(5, 4));
  EXPECT_EQ(Descriptor::domain::mask, bits(31, 16));
  EXPECT_EQ(Descriptor::source::mask, bits(47, 32));
  EXPECT_EQ(Descriptor::function_mask::mask, bits(49, 48));
  EXPECT_EQ(Descriptor::pasid::mask, bits(51, 32));
  EXPECT_EQ(Descriptor::interrupt_flag::mask, bits(4, 4));
  EXPECT_EQ(Descriptor::status_write::mask, bits(5, 5));
  EXPECT_EQ(Descriptor::fence::mask, bits(6, 6));
  EXPECT_EQ(Descriptor::status_data::mask, bits(63, 32));
  EXPECT_EQ(Descriptor::address_mask::mask, bits(5, 0));
  EXPECT_EQ(Descriptor::hint::mask, bits(6, 6));
  EXPECT_EQ(Descriptor::address::mask, bits(63, 12));
  EXPECT_EQ(Descriptor::status_address::mask, bits(63, 2));
  EXPECT_EQ(static_cast<int>(DescriptorType::context_cache), 1);
  EXPECT_EQ(static_cast<int>(DescriptorType::iotlb), 2);
  EXPECT_EQ(static_cast<int>(DescriptorType::wait), 5);
  EXPECT_EQ(static_cast<int>(DescriptorType::pasid_iotlb), 6);
  EXPECT_EQ(static_cast<int>(DescriptorType::pasid_cache), 7);
}

// Invariants 81 to 84 and 90: the codes of scalable mode.
TEST(Formats, FaultReasons) {
  const std::pair<FaultReason, int> table[]{{FaultReason::root_table_address, 0x30},
                                            {FaultReason::root_entry_access, 0x38},
                                            {FaultReason::root_entry_not_present, 0x39},
                                            {FaultReason::root_entry_reserved, 0x3a},
                                            {FaultReason::context_entry_access, 0x40},
                                            {FaultReason::context_entry_not_present, 0x41},
                                            {FaultReason::context_entry_reserved, 0x42},
                                            {FaultReason::pasid_disabled, 0x45},
                                            {FaultReason::pasid_too_large, 0x46},
                                            {FaultReason::rid_pasid, 0x48},
                                            {FaultReason::pasid_directory_access, 0x50},
                                            {FaultReason::pasid_directory_not_present, 0x51},
                                            {FaultReason::pasid_directory_reserved, 0x52},
                                            {FaultReason::pasid_entry_access, 0x58},
                                            {FaultReason::pasid_entry_not_present, 0x59},
                                            {FaultReason::pasid_entry_reserved, 0x5a},
                                            {FaultReason::pasid_entry_invalid, 0x5b},
                                            {FaultReason::second_stage_access, 0x78},
                                            {FaultReason::second_stage_permission, 0x79},
                                            {FaultReason::second_stage_reserved, 0x7a},
                                            {FaultReason::second_stage_pointer, 0x7b},
                                            {FaultReason::second_stage_width, 0x84},
                                            {FaultReason::interrupt_range, 0x87}};
  for (const auto& [reason, code] : table) EXPECT_EQ(static_cast<int>(reason), code);
}

TEST(Registers, OffsetsAndFields) {
  EXPECT_EQ(reg::version, 0u);
  EXPECT_EQ(reg::capability, 0x08u);
  EXPECT_EQ(reg::extended_capability, 0x10u);
  EXPECT_EQ(reg::global_command, 0x18u);
  EXPECT_EQ(reg::global_status, 0x1cu);
  EXPECT_EQ(reg::root_table, 0x20u);
  EXPECT_EQ(reg::context_command, 0x28u);
  EXPECT_EQ(reg::fault_status, 0x34u);
  EXPECT_EQ(reg::fault_control, 0x38u);
  EXPECT_EQ(reg::fault_data, 0x3cu);
  EXPECT_EQ(reg::fault_address, 0x40u);
  EXPECT_EQ(reg::fault_upper_address, 0x44u);
  EXPECT_EQ(reg::queue_head, 0x80u);
  EXPECT_EQ(reg::queue_tail, 0x88u);
  EXPECT_EQ(reg::queue_address, 0x90u);
  EXPECT_EQ(reg::completion_status, 0x9cu);
  EXPECT_EQ(reg::completion_control, 0xa0u);
  EXPECT_EQ(reg::completion_data, 0xa4u);
  EXPECT_EQ(reg::completion_address, 0xa8u);
  EXPECT_EQ(reg::completion_upper_address, 0xacu);
  EXPECT_EQ(reg::queue_error, 0xb0u);
  EXPECT_EQ(reg::GlobalCommand::translation::mask, bits(31, 31));
  EXPECT_EQ(reg::GlobalCommand::set_root::mask, bits(30, 30));
  EXPECT_EQ(reg::GlobalCommand::flush_buffer::mask, bits(27, 27));
  EXPECT_EQ(reg::GlobalCommand::queued::mask, bits(26, 26));
  EXPECT_EQ(reg::RootTable::mode::mask, bits(11, 10));
  EXPECT_EQ(reg::FaultStatus::overflow::mask, bits(0, 0));
  EXPECT_EQ(reg::FaultStatus::pending::mask, bits(1, 1));
  EXPECT_EQ(reg::FaultStatus::queue_error::mask, bits(4, 4));
  EXPECT_EQ(reg::FaultStatus::record_index::mask, bits(15, 8));
  EXPECT_EQ(reg::EventControl::mask::mask, bits(31, 31));
  EXPECT_EQ(reg::EventControl::pending::mask, bits(30, 30));
  EXPECT_EQ(reg::QueueAddress::wide::mask, bits(11, 11));
  EXPECT_EQ(reg::QueueAddress::size::mask, bits(2, 0));
  EXPECT_EQ(reg::ContextCommand::invalidate::mask, bits(63, 63));
  EXPECT_EQ(reg::ContextCommand::request::mask, bits(62, 61));
  EXPECT_EQ(reg::ContextCommand::actual::mask, bits(60, 59));
  EXPECT_EQ(reg::IotlbCommand::invalidate::mask, bits(63, 63));
  EXPECT_EQ(reg::IotlbCommand::request::mask, bits(61, 60));
  EXPECT_EQ(reg::IotlbCommand::actual::mask, bits(58, 57));
}

}  // namespace
}  // namespace ioasim::iommu
