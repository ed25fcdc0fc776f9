#include "kernel/iova_map.hpp"

#include "base/check.hpp"

namespace ioasim::kernel {

// Neighbours never join, because no two mappings are the same object.
void IovaMap::add(Mapping mapping) {
  CHECK(!overlaps(mapping.iova));
  const auto where = interval(mapping.iova);
  map_.set({where, std::make_shared<const Mapping>(std::move(mapping))});
}

std::vector<IovaMap::Entry> IovaMap::within(Range<Iova> range) const {
  std::vector<Entry> entries;
  const auto [begin, end] = map_.equal_range(interval(range));
  for (auto at = begin; at != end; ++at) entries.push_back(at->second);
  return entries;
}

std::vector<IovaMap::Entry> IovaMap::all() const {
  std::vector<Entry> entries;
  for (const auto& [where, entry] : map_) entries.push_back(entry);
  return entries;
}

}  // namespace ioasim::kernel
