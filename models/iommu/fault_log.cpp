#include "iommu/fault_log.hpp"

#include <algorithm>

namespace ioasim::iommu {

FaultLog::Outcome FaultLog::record(const Fault& fault) {
  using Fields = reg::FaultRecord;
  if (overflow_) return Outcome::lost;
  for (const Record& record : records_) {
    if (record.in_use() && Fields::source::get(record.high) == fault.source.value) {
      return Outcome::collapsed;
    }
  }
  Record& record = records_[next_];
  if (record.in_use()) {
    overflow_ = true;
    return Outcome::overflow;
  }
  record.low = fault.address.page_base().value;
  record.high = Fields::source::of(fault.source.value) |
                Fields::pasid_present::of(fault.has_pasid) | Fields::pasid::of(fault.pasid.value) |
                Fields::reason::of(static_cast<Qword>(fault.reason)) |
                Fields::read::of(!fault.write) | Fields::fault::mask;
  next_ = (next_ + 1) % records_.size();
  return Outcome::recorded;
}

Qword FaultLog::read(std::uint64_t offset) const {
  const auto& record = records_[offset / reg::fault_record_bytes];
  return offset % reg::fault_record_bytes == 0 ? record.low : record.high;
}

void FaultLog::write(std::uint64_t offset, Qword value) {
  if (offset % reg::fault_record_bytes == 0 || !reg::FaultRecord::fault::test(value)) return;
  auto& record = records_[offset / reg::fault_record_bytes];
  record.high &= ~reg::FaultRecord::fault::mask;
}

bool FaultLog::pending() const {
  return std::any_of(records_.begin(), records_.end(),
                     [](const Record& record) { return record.in_use(); });
}

// The oldest pending record: records are used in ring order.
unsigned FaultLog::first_pending() const {
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const auto index = (next_ + i) % records_.size();
    if (records_[index].in_use()) return static_cast<unsigned>(index);
  }
  return 0;
}

}  // namespace ioasim::iommu
