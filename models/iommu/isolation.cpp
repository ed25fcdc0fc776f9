#include "iommu/isolation.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ioasim::iommu {
namespace {

using Interval = boost::icl::interval<std::uint64_t>;

auto interval_of(Range<Iova> range) {
  return Interval::right_open(range.base.value, range.end().value);
}

}  // namespace

void IsolationChecker::on(Picoseconds at, const trace::Event& event) {
  if (const auto* access = std::get_if<trace::DmaAccess>(&event)) {
    check(at, *access);
  } else if (const auto* mapping = std::get_if<trace::MappingAdded>(&event)) {
    added(*mapping);
  } else if (const auto* unmapped = std::get_if<trace::MappingRemoved>(&event)) {
    removed(*unmapped);
  } else if (const auto* done = std::get_if<trace::InvalidationCompleted>(&event)) {
    completed(domains_[done->domain]);
  } else if (const auto* attached = std::get_if<trace::DomainAttached>(&event)) {
    domains_[attached->domain].requesters[attached->requester] = true;
  } else if (const auto* detached = std::get_if<trace::DomainDetached>(&event)) {
    domains_[detached->domain].requesters[detached->requester] = false;
  }
}

void IsolationChecker::added(const trace::MappingAdded& mapping) {
  const Target target{mapping.address.value - mapping.iova.base.value, mapping.write};
  domains_[mapping.domain].live.set({interval_of(mapping.iova), target});
}

void IsolationChecker::removed(const trace::MappingRemoved& mapping) {
  Domain& domain = domains_[mapping.domain];
  const auto gone = interval_of(mapping.iova);
  const auto [first, last] = domain.live.equal_range(gone);
  for (auto it = first; it != last; ++it) {
    domain.removed.emplace_back(it->first & gone, it->second);
  }
  domain.live.erase(gone);
}

void IsolationChecker::completed(Domain& domain) {
  domain.removed.clear();
  std::erase_if(domain.requesters, [](const auto& requester) { return !requester.second; });
}

void IsolationChecker::check(Picoseconds at, const trace::DmaAccess& access) {
  ++accesses_;
  const bool allowed = std::any_of(domains_.begin(), domains_.end(), [&](const auto& entry) {
    return entry.second.requesters.contains(access.requester) && allows(entry.second, access);
  });
  if (allowed) return;
  violations_.push_back(fmt::format(
      "at {}.{:03} ns 0000:{:02x}:{:02x}.{} {} {} bytes at iova {:#x}, memory {:#x}, which was not "
      "mapped for it",
      at.count() / 1000, at.count() % 1000, access.requester.bus(), access.requester.device(),
      access.requester.function(), access.write ? "wrote" : "read", access.bytes, access.iova.value,
      access.address.value));
}

// Every byte of the access lies in a mapping that leads where the access went.
bool IsolationChecker::allows(const Domain& domain, const trace::DmaAccess& access) {
  const auto offset = access.address.value - access.iova.value;
  const auto fits = [&](const Target& target) {
    return target.offset == offset && (target.write || !access.write);
  };
  boost::icl::interval_set<std::uint64_t> missing;
  missing.add(interval_of({access.iova, access.bytes}));
  for (const auto& [interval, target] : domain.removed) {
    if (fits(target)) missing.subtract(interval);
  }
  const auto [first, last] = domain.live.equal_range(interval_of({access.iova, access.bytes}));
  for (auto it = first; it != last; ++it) {
    if (fits(it->second)) missing.subtract(it->first);
  }
  return missing.empty();
}

}  // namespace ioasim::iommu
