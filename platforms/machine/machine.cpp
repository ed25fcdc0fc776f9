#include "machine/machine.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ioasim::machine {
namespace {

// Physical addresses, as PC firmware lays them out: memory below 3 GiB and from 4 GiB on.
constexpr std::uint64_t low_memory_end = 0xc000'0000;
constexpr std::uint64_t high_memory = 0x1'0000'0000;
constexpr Hpa windows_base{0xc000'0000};
constexpr std::uint64_t window_bytes = 1u << 20;
constexpr Hpa ecam{0xe000'0000};
constexpr std::uint64_t ecam_bus_bytes = 1u << 20;
constexpr std::uint64_t ecam_buses = 256;
constexpr Hpa iommu_registers{0xfed9'0000};

std::vector<Range<Hpa>> memory_map(Bytes capacity) {
  if (capacity.count <= low_memory_end) return {{Hpa{0}, capacity.count}};
  return {{Hpa{0}, low_memory_end}, {Hpa{high_memory}, capacity.count - low_memory_end}};
}

memory::Params memory_params(const Description& description) {
  auto params = description.memory;
  params.capacity = {memory_map(params.capacity).back().end().value};
  return params;
}

unsigned ports_of(const Description& description, std::string_view iommu) {
  return static_cast<unsigned>(
      std::count_if(description.root_ports.begin(), description.root_ports.end(),
                    [&](const RootPort& port) { return port.iommu == iommu; }));
}

// Each unit has two ports at its socket's home agent.
std::vector<unsigned> io_sockets(const Description& description) {
  std::vector<unsigned> sockets;
  for (const Iommu& unit : description.iommus) sockets.insert(sockets.end(), 2, unit.socket);
  return sockets;
}

Hpa window_of(std::size_t slot) { return windows_base + slot * window_bytes; }

Hpa function_config(RequesterId id) { return ecam + id.value * page_bytes; }

}  // namespace

struct Machine::Slot {
  const RootPort& description;
  const Device* device_description = nullptr;
  pcie::PortAssignment assignment;
  RequesterId device_id;
  std::unique_ptr<pcie::RootPort> port;
  std::unique_ptr<pcie::Link> link{};
  std::unique_ptr<devices::DmaEngine> device{};
};

Machine::Machine(const Description& description, const sim::ClockworkParams& clock_params)
    : description_{description},
      clock_{"clockwork", clock_params},
      memory_{"memory", clock_, memory_params(description),
              memory::Placement{memory_map(description.memory.capacity), description.sockets}},
      home_{"llc",
            clock_,
            bus_,
            description.cache,
            {.sockets = description.sockets, .cores = description.cores},
            io_sockets(description),
            memory_map(description.memory.capacity)} {
  home_.memory.bind(memory_.home);
  std::vector<cpu::Core*> cores;
  for (unsigned n = 0; n < description.cores; ++n) {
    cores_.push_back(std::make_unique<cpu::Core>(fmt::format("core{}", n).c_str(), clock_, bus_,
                                                 home_, description.cpu, description.cache, n));
    cores.push_back(cores_.back().get());
  }
  interrupts_ = std::make_unique<cpu::InterruptController>(
      "apic", clock_, cores, static_cast<unsigned>(description.iommus.size()));
  build_iommus();
  build_slots();
  wire_cores();
}

Machine::~Machine() = default;

void Machine::build_iommus() {
  for (unsigned n = 0; n < description_.iommus.size(); ++n) {
    const auto& unit = description_.iommus[n];
    iommus_.push_back(std::make_unique<iommu::Iommu>(unit.name.c_str(), clock_, bus_, unit.params,
                                                     n, ports_of(description_, unit.name)));
    auto& built = *iommus_.back();
    built.memory.bind(home_.io(2 * n));
    built.walker().bind(home_.io(2 * n + 1));
    built.interrupts.bind(interrupts_->messages(n));
  }
}

// Port n is device n + 1 of bus 0; the device below it is alone on bus n + 1.
void Machine::build_slots() {
  std::vector<unsigned> used(iommus_.size());
  for (unsigned n = 0; n < description_.root_ports.size(); ++n) {
    const RootPort& port = description_.root_ports[n];
    const auto bus = static_cast<std::uint8_t>(n + 1);
    auto slot = std::make_unique<Slot>(Slot{port,
                                            nullptr,
                                            {RequesterId::of(0, n + 1, 0), bus, ecam},
                                            RequesterId::of(bus, 0, 0),
                                            nullptr});
    slot->port =
        std::make_unique<pcie::RootPort>(port.name.c_str(), clock_, port.params, slot->assignment);
    const auto unit = static_cast<std::size_t>(
        std::find_if(description_.iommus.begin(), description_.iommus.end(),
                     [&](const Iommu& iommu) { return iommu.name == port.iommu; }) -
        description_.iommus.begin());
    slot->port->iommu.bind(iommus_[unit]->port(used[unit]++));
    for (const Device& device : description_.devices) {
      if (device.port != port.name) continue;
      slot->device_description = &device;
      slot->link =
          std::make_unique<pcie::Link>((port.name + "_link").c_str(), clock_, bus_, port.link,
                                       port.params.max_payload, port.params.latency);
      slot->device = std::make_unique<devices::DmaEngine>(
          device.name.c_str(), clock_, bus_, device.params,
          pcie::Assignment{.id = slot->device_id, .bar0 = window_of(n)});
      slot->device->upstream.bind(slot->link->from_device);
      slot->link->to_port.bind(slot->port->from_link);
      slot->port->to_link.bind(slot->link->from_port);
      slot->link->to_device.bind(slot->device->downstream);
    }
    slots_.push_back(std::move(slot));
  }
}

std::vector<Range<Hpa>> Machine::windows() const {
  std::vector<Range<Hpa>> ranges;
  for (std::size_t n = 0; n < iommus_.size(); ++n) {
    ranges.push_back({iommu_registers + n * page_bytes, page_bytes});
  }
  for (std::size_t n = 0; n < slots_.size(); ++n) {
    const auto& assignment = slots_[n]->assignment;
    ranges.push_back({function_config(assignment.id), page_bytes});
    ranges.push_back({ecam + assignment.secondary_bus * ecam_bus_bytes, ecam_bus_bytes});
    ranges.push_back({window_of(n), window_bytes});
  }
  return ranges;
}

void Machine::wire_cores() {
  mmio_ = std::make_unique<memory::MmioRouter>("mmio", clock_, cores(), windows());
  for (unsigned n = 0; n < cores(); ++n) cores_[n]->mmio.bind(mmio_->core(n));
  unsigned window = 0;
  for (auto& unit : iommus_) mmio_->window(window++).bind(unit->registers);
  for (auto& slot : slots_) {
    mmio_->window(window++).bind(slot->port->own_config);
    mmio_->window(window++).bind(slot->port->lower_config);
    mmio_->window(window++).bind(slot->port->window);
  }
}

cpu::Firmware Machine::firmware() const {
  cpu::Firmware firmware{.memory = memory_map(description_.memory.capacity),
                         .sockets = {},
                         .ecam = {ecam, ecam_buses * ecam_bus_bytes},
                         .units = {},
                         .cores = static_cast<unsigned>(cores_.size())};
  const memory::Placement placement{firmware.memory, description_.sockets};
  for (unsigned n = 0; n < description_.sockets; ++n) firmware.sockets.push_back(placement.part(n));
  for (std::size_t n = 0; n < description_.iommus.size(); ++n) {
    cpu::RemappingUnit unit{.registers = iommu_registers + n * page_bytes, .scope = {}};
    for (const auto& slot : slots_) {
      if (slot->description.iommu == description_.iommus[n].name) {
        unit.scope.push_back(slot->assignment.id);
      }
    }
    firmware.units.push_back(std::move(unit));
  }
  return firmware;
}

const Machine::Slot& Machine::slot_of(std::string_view device) const {
  for (const auto& slot : slots_) {
    if (slot->device_description != nullptr && slot->device_description->name == device) {
      return *slot;
    }
  }
  UNREACHABLE();
}

RequesterId Machine::device_id(std::string_view name) const { return slot_of(name).device_id; }

const devices::DmaEngine& Machine::device(std::string_view name) const {
  return *slot_of(name).device;
}

void Machine::add_to(stats::Registry& registry) const {
  registry.add("memory", memory_.stats());
  registry.add("llc", home_.stats());
  registry.add("llc", home_.coherence_stats());
  registry.add("apic", interrupts_->stats());
  for (unsigned n = 0; n < cores_.size(); ++n) {
    registry.add(fmt::format("core{}", n), cores_[n]->stats());
    registry.add(fmt::format("core{}.cache", n), cores_[n]->cache_stats());
  }
  for (std::size_t n = 0; n < iommus_.size(); ++n) {
    const auto& name = description_.iommus[n].name;
    registry.add(name, iommus_[n]->stats());
    registry.add(name, iommus_[n]->translator_stats());
    registry.add(name + ".queue", iommus_[n]->queue_stats());
  }
  for (const auto& slot : slots_) {
    registry.add(slot->description.name, slot->port->stats());
    if (!slot->device) continue;
    registry.add(slot->description.name + ".link", slot->link->stats());
    registry.add(slot->device_description->name, slot->device->stats());
    registry.add(slot->device_description->name + ".function", slot->device->function_stats());
  }
}

}  // namespace ioasim::machine
