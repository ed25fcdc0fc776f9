// The real modules with data, without software: endpoints stream through links, root ports, the
// IOMMU and the home agent to DRAM. What software would have set up (tables, registers,
// configuration space) comes in by the back door.
//
// The chain may also begin further down, with a plain initiator in place of the endpoint; the
// difference between two beginnings is the cost of the stage between them.
#include "chain.hpp"

#include <fmt/format.h>

#include "iommu/registers.hpp"

namespace ioasim::bench {
namespace {

using iommu::Qword;

// Where software would have put things.
constexpr Hpa root_table{0x10'0000};
constexpr Hpa context_tables{0x11'0000};  // one a bus
constexpr Hpa pasid_directory{0x12'0000};
constexpr Hpa pasid_table{0x13'0000};
constexpr Hpa second_stage{0x20'0000};
constexpr Hpa frames{0x1000'0000};
constexpr Hpa ecam{0xe000'0000};
constexpr Bytes capacity{1u << 30};
constexpr std::uint64_t domain = 1;

constexpr std::uint8_t bus_of(unsigned port) { return static_cast<std::uint8_t>(port + 1); }

iommu::Params iommu_params() {
  iommu::Params params;
  params.iotlb = {.entries = 512, .ways = 8};
  params.walkers = 8;
  return params;
}

}  // namespace

Chain::Chain(unsigned ports, Depth depth)
    : clock{"clockwork"},
      memory_{"memory", clock, {.capacity = capacity}},
      loader_{"loader", clock, *this},
      registers_{"registers", clock, *this},
      messages_{"messages", clock, *this} {
  if (depth == Depth::dram) return;
  home_ = std::make_unique<cache::HomeAgent>("llc", clock, bus, cache::Params{}, 0, 3,
                                             std::vector<Range<Hpa>>{{Hpa{0}, capacity.count}});
  home_->memory.bind(memory_.home);
  loader_.bind(home_->io(loader_port));
  if (depth == Depth::home) return;
  iommu_ = std::make_unique<iommu::Iommu>("iommu", clock, bus, iommu_params(), 0, ports);
  iommu_->memory.bind(home_->io(0));
  iommu_->walker().bind(home_->io(1));
  iommu_->interrupts.bind(messages_);
  registers_.bind(iommu_->registers);
  if (depth == Depth::iommu) return;
  for (unsigned n = 0; n < ports; ++n) {
    const pcie::RootPortParams params;
    ports_.push_back(std::make_unique<pcie::RootPort>(
        fmt::format("port{}", n).c_str(), clock, params,
        pcie::PortAssignment{RequesterId::of(0, n + 1, 0), bus_of(n), ecam}));
    ports_[n]->iommu.bind(iommu_->port(n));
    if (depth == Depth::port) continue;
    links_.push_back(std::make_unique<pcie::Link>(fmt::format("link{}", n).c_str(), clock, bus,
                                                  pcie::LinkParams{}, params.max_payload,
                                                  params.latency));
    links_[n]->to_port.bind(ports_[n]->from_link);
  }
}

RequesterId Chain::requester(unsigned port) { return RequesterId::of(bus_of(port), 0, 0); }

sim::TargetSocket& Chain::entry(Depth depth) {
  switch (depth) {
    case Depth::dram:
      return memory_.home;
    case Depth::home:
      return home_->io(0);
    case Depth::iommu:
      return iommu_->port(0);
    case Depth::port:
      return ports_[0]->from_link;
    case Depth::link:
      return links_[0]->from_device;
  }
  UNREACHABLE();
}
