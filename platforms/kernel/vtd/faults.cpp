#include "kernel/vtd/faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernel/vtd/formats.hpp"

namespace ioasim::kernel::vtd {
namespace {

using Meaning = std::pair<unsigned, std::string_view>;

// VT-d 7.1, tables of legacy and scalable-mode fault conditions.
constexpr Meaning reasons[] = {
    {0x01, "root entry is not present"},
    {0x02, "context entry is not present"},
    {0x03, "context entry is invalid"},
    {0x04, "address is beyond the width of the table"},
    {0x05, "no write permission"},
    {0x06, "no read permission"},
    {0x07, "paging entry cannot be read"},
    {0x08, "root table cannot be read"},
    {0x09, "context table cannot be read"},
    {0x0a, "root entry has reserved bits set"},
    {0x0b, "context entry has reserved bits set"},
    {0x0c, "paging entry has reserved bits set"},
    {0x0d, "request type is blocked"},
    {0x0e, "translation leads to the interrupt range"},
    {0x30, "root table address is invalid"},
    {0x31, "legacy mode and a request with PASID"},
    {0x38, "SM: root entry cannot be read"},
    {0x39, "SM: root entry is not present"},
    {0x3a, "SM: root entry has reserved bits set"},
    {0x40, "SM: context entry cannot be read"},
    {0x41, "SM: context entry is not present"},
    {0x42, "SM: context entry has reserved bits set"},
    {0x43, "SM: context entry is invalid"},
    {0x44, "SM: ATS is not enabled in the context entry"},
    {0x45, "SM: PASID is not enabled in the context entry"},
    {0x46, "SM: PASID is larger than the directory"},
    {0x47, "SM: page requests are not enabled in the context entry"},
    {0x48, "SM: RID_PASID is invalid"},
    {0x50, "SM: PASID directory entry cannot be read"},
    {0x51, "SM: PASID directory entry is not present"},
    {0x52, "SM: PASID directory entry has reserved bits set"},
    {0x58, "SM: PASID table entry cannot be read"},
    {0x59, "SM: PASID table entry is not present"},
    {0x5a, "SM: PASID table entry has reserved bits set"},
    {0x5b, "SM: PASID table entry is invalid"},
    {0x70, "SM: first-stage entry cannot be read"},
    {0x71, "SM: first-stage entry is not present"},
    {0x78, "SM: second-stage entry cannot be read"},
    {0x79, "SM: second stage gives no such permission"},
    {0x7a, "SM: second-stage entry has reserved bits set"},
    {0x7b, "SM: second-stage table address is invalid"},
    {0x7c, "SM: second-stage A/D update in a walk that is not snooped"},
    {0x80, "SM: address is not canonical"},
    {0x83, "SM: address is beyond the host's width"},
    {0x84, "SM: address is beyond the second stage's width"},
    {0x85, "SM: no write permission"},
    {0x86, "SM: no read permission"},
    {0x87, "SM: translation leads to the interrupt range"},
};

// The kernel's line for one record.
std::string describe(std::uint64_t low, std::uint64_t high) {
  using namespace fault_record::high;
  const RequesterId source{static_cast<std::uint16_t>(Source::get(high))};
  const auto reason = static_cast<unsigned>(Reason::get(high));
  const auto pasid = PasidPresent::test(high) ? fmt::format("PASID {:#x}", ProcessId::get(high))
                                              : std::string{"NO_PASID"};
  return fmt::format(
      "DMAR: [DMA {} {}] Request device [{:02x}:{:02x}.{}] fault addr {:#x} "
      "[fault reason {:#04x}] {}",
      Read::test(high) ? "Read" : "Write", pasid, source.bus(), source.device(), source.function(),
      low & fault_record::Page::mask, reason, fault_reason(reason));
}

}  // namespace

std::string_view fault_reason(unsigned code) {
  const auto* at = std::find_if(std::begin(reasons), std::end(reasons),
                                [code](const Meaning& meaning) { return meaning.first == code; });
  return at == std::end(reasons) ? "unknown" : at->second;
}

unsigned handle_faults(cpu::Instructions& cpu, const Runtime& runtime, const Unit& unit) {
  const auto& registers = unit.registers();
  const auto status = registers.read32(cpu, reg::fault_status);
  if ((status & (fault_status::pending | fault_status::overflow)) == 0) return 0;
  runtime.log.push_back(fmt::format("DMAR: DRHD: handling fault status reg {:x}", status));

  const auto& features = unit.features();
  auto record = static_cast<unsigned>(fault_status::FirstRecord::get(status));
  unsigned handled = 0;
  // Records fill in a ring; the first that holds no fault ends the pending ones.
  for (; handled < features.fault_records; ++handled) {
    record %= features.fault_records;
    const unsigned at = features.fault_offset + record * fault_record::bytes;
    const auto high = registers.read64(cpu, at + 8);
    if (!fault_record::high::Fault::test(high)) break;
    const auto low = registers.read64(cpu, at);
    runtime.log.push_back(describe(low, high));
    // F is in the last doubleword of the record, and is cleared by writing 1.
    registers.write32(cpu, at + 12, 1u << 31);
    ++record;
  }
  if ((status & fault_status::overflow) != 0) {
    runtime.log.emplace_back("DMAR: primary fault overflow, faults were lost");
    registers.write32(cpu, reg::fault_status, fault_status::overflow);
  }
  return handled;
}

}  // namespace ioasim::kernel::vtd
