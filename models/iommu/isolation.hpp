// The isolation checker on the trace bus: no DMA reaches memory that is not mapped for its
// requester at the time, nor after software has seen the end of the invalidation that followed the
// removal of the mapping.
//
// What software means is told by the kernel's events; what happens by the hardware's. Mappings
// and attachments that were removed stay valid until the InvalidationCompleted of their domain.
#pragma once

#include <boost/icl/interval_map.hpp>
#include <map>
#include <string>
#include <vector>

#include "trace/bus.hpp"

namespace ioasim::iommu {

class IsolationChecker final : public trace::Listener {
 public:
  void on(Picoseconds at, const trace::Event& event) override;

  std::uint64_t accesses() const { return accesses_; }
  // One line for each access that was not allowed.
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  // Where an interval of I/O virtual addresses leads: address + offset, modulo 2^64.
  struct Target {
    std::uint64_t offset = 0;
    bool write = false;
    bool operator==(const Target&) const = default;
    Target& operator+=(const Target& newer) { return *this = newer; }
  };
  using Map = boost::icl::interval_map<std::uint64_t, Target, boost::icl::partial_enricher>;
  struct Domain {
    Map live;
    std::vector<std::pair<Map::interval_type, Target>> removed;
    // tidy: allow std::map: a checker, on no path of a TLP
    std::map<RequesterId, bool> requesters;  // false: detached, not yet invalidated
  };

  void added(const trace::MappingAdded& mapping);
  void removed(const trace::MappingRemoved& mapping);
  void completed(Domain& domain);
  void check(Picoseconds at, const trace::DmaAccess& access);
  static bool allows(const Domain& domain, const trace::DmaAccess& access);

  // tidy: allow std::map: a checker, on no path of a TLP
  std::map<std::uint32_t, Domain> domains_;
  std::uint64_t accesses_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace ioasim::iommu
