// Primary fault recording (VT-d 7.2.1): a ring of records, overflow, and the collapse of repeated
// faults of one source. Plain C++.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.hpp"
#include "iommu/formats.hpp"
#include "iommu/registers.hpp"

namespace ioasim::iommu {

struct Fault {
  RequesterId source;
  bool has_pasid = false;
  Pasid pasid{};
  Iova address{};
  bool write = false;
  FaultReason reason = FaultReason::none;
};

class FaultLog {
 public:
  enum class Outcome : std::uint8_t { recorded, collapsed, overflow, lost };

  explicit FaultLog(unsigned records) : records_(records) {}

  Outcome record(const Fault& fault);

  // FRCD registers, 8 bytes at `offset` from the first record. Writing 1 to F clears it.
  Qword read(std::uint64_t offset) const;
  void write(std::uint64_t offset, Qword value);
  std::uint64_t bytes() const { return records_.size() * reg::fault_record_bytes; }

  bool pending() const;            // PPF
  unsigned first_pending() const;  // FRI; 0 while nothing is pending
  bool overflowed() const { return overflow_; }
  void clear_overflow() { overflow_ = false; }

 private:
  struct Record {
    Qword low = 0;
    Qword high = 0;
    bool in_use() const { return reg::FaultRecord::fault::test(high); }
  };

  std::vector<Record> records_;
  std::size_t next_ = 0;
  bool overflow_ = false;
};

}  // namespace ioasim::iommu
