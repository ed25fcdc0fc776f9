// The mappings of one I/O address space: which user memory stands at which I/O virtual address.
#pragma once

#include <boost/icl/interval_map.hpp>
#include <memory>
#include <vector>

#include "base/address.hpp"
#include "kernel/iommu_ops.hpp"

namespace ioasim::kernel {

class UserMemory;

// One MAP_DMA.
struct Mapping {
  Range<Iova> iova;
  Hva user;
  Protection protection;
  UserMemory* owner = nullptr;     // whose pages they are, and whose account they are on
  std::vector<Range<Hpa>> memory;  // runs, in the order of their addresses
};

class IovaMap {
 public:
  using Entry = std::shared_ptr<const Mapping>;

  bool overlaps(Range<Iova> range) const { return boost::icl::intersects(map_, interval(range)); }
  // Mappings that have a byte in common with the range, in rising order.
  std::vector<Entry> within(Range<Iova> range) const;
  std::vector<Entry> all() const;

  void add(Mapping mapping);
  void remove(const Mapping& mapping) { map_.erase(interval(mapping.iova)); }
  std::size_t size() const { return map_.iterative_size(); }

 private:
  using Map = boost::icl::interval_map<std::uint64_t, Entry>;

  static Map::interval_type interval(Range<Iova> range) {
    return Map::interval_type::right_open(range.base.value, range.end().value);
  }

  Map map_;
};

}  // namespace ioasim::kernel
