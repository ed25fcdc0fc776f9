// A remapping unit between fakes: a requester for each root port and for the cores, a memory that
// answers after 20 ns, and a place where interrupt messages end.
//
// Times: lookup 2 ns; a structure read 100 (walker) + 40 (there) + 20 (memory) + 40 (back) ns.
#pragma once

#include "iommu/iommu.hpp"
#include "support/bench.hpp"
#include "support/requester.hpp"
#include "support/responder.hpp"
#include "support/vtd_tables.hpp"

namespace ioasim::test {

class IommuBench : public Bench {
 protected:
  static constexpr Picoseconds lookup{2'000};
  static constexpr Picoseconds memory_latency{20'000};
  static constexpr Picoseconds step{200'000};
  static constexpr Picoseconds register_access{20'000};
  static constexpr Picoseconds descriptor_time{60'000};
  // Fetch and decoding of one descriptor.
  static constexpr Picoseconds fetch{40'000 + 20'000 + 40'000 + 60'000};
  static constexpr unsigned cold_steps = 8;  // root, context, directory, PASID, four levels

  static constexpr std::uint16_t requester = 0x0108;  // 01:01.0
  static constexpr std::uint64_t queue_base = 0x20'0000;
  static constexpr std::uint64_t status_address = 0x21'0000;

  static iommu::Params simple() {
    iommu::Params params;
    params.walkers = 2;
    params.fault_records = 4;
    params.lookup = lookup;
    params.fabric = 40_ns;
    params.walk_step = 100_ns;
    params.register_access = register_access;
    params.descriptor = descriptor_time;
    return params;
  }

  explicit IommuBench(const iommu::Params& params = simple());

  // Root table pointer, translation on, wide invalidation queue of one page; 256-bit descriptors.
  void enable(std::uint64_t root);
  // build() and enable(), with PASID 0 in domain 1.
  void enable_default(vtd::PasidEntry pasid = {}, vtd::Context context = {});

  // Registers, without time.
  std::uint64_t get(std::uint64_t offset, unsigned bytes = 8);
  void set(std::uint64_t offset, std::uint64_t value, unsigned bytes = 8);
  // Puts descriptors behind those before and moves the tail.
  void submit(const std::vector<vtd::Descriptor>& descriptors);
  // submit(), followed by a wait that is waited for.
  void invalidate(std::vector<vtd::Descriptor> descriptors);
  std::uint64_t offset_of_next() const { return tail_; }

  // A request of `device`, waited for.
  const Request& read(std::uint64_t iova, std::size_t bytes = 64);
  const Request& write(std::uint64_t iova, std::size_t bytes = 64, unsigned value = 1);
  // Where the last request of a device went in memory.
  std::uint64_t target() const { return memory.seen_by(0).back().address; }
  bool last_snooped() const { return memory.seen_by(0).back().snoop; }
  std::size_t accesses() const { return memory.seen_by(0).size(); }
  std::size_t walk_reads() const;

  struct FaultRecord {
    std::uint64_t low;
    std::uint64_t high;
    unsigned reason() const { return static_cast<unsigned>(high >> 32 & 0xff); }
    std::uint16_t source() const { return static_cast<std::uint16_t>(high); }
    bool is_read() const { return (high >> 62 & 1) != 0; }
    bool pending() const { return (high >> 63) != 0; }
    bool has_pasid() const { return (high >> 31 & 1) != 0; }
    std::uint32_t pasid() const { return static_cast<std::uint32_t>(high >> 40 & 0xf'ffff); }
  };
  // Read where CAP.FRO says that the records are.
  FaultRecord fault(unsigned index = 0);
  void clear_fault(unsigned index = 0);

  iommu::Iommu unit;
  Requester device{"device", clock};    // port 0
  Requester device1{"device1", clock};  // port 1
  Requester cores{"cores", clock};
  Responder memory{"memory", clock, 2};  // port 0: requests, port 1: the unit's own
  Responder interrupts{"interrupts", clock};
  vtd::Tables tables;

 private:
  std::uint64_t tail_ = 0;
  std::uint32_t waits_ = 0;
};

}  // namespace ioasim::test
