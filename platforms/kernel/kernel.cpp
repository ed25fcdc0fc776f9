#include "kernel/kernel.hpp"

#include <fmt/format.h>

#include <deque>

#include "base/check.hpp"
#include "base/format.hpp"
#include "kernel/iommu_file.hpp"
#include "kernel/pci.hpp"
#include "kernel/vfio_device.hpp"
#include "kernel/vtd/driver.hpp"

namespace ioasim::kernel {
namespace {

constexpr std::string_view iommu_path = "/dev/iommu";
constexpr std::string_view vfio_folder = "/dev/vfio/devices/";

// Vectors above those of exceptions and of fault events, below those of the system.
constexpr unsigned first_device_vector = 0x31;
constexpr unsigned last_device_vector = 0xef;

}  // namespace

struct Kernel::State {
  State(const Params& given, const cpu::Firmware& told, trace::Bus& trace)
      : params{given},
        firmware{told},
        frames{told.memory, told.sockets, told.cores},
        runtime{params, frames, trace, log},
        pci{told.ecam},
        iommu{runtime, told.units} {}

  // Whether user space gets to see a device: alone in its group, behind a working unit, and, in
  // RFC v2's first stage, one that can enforce snooping.
  bool exposes(const PciFunction& function) const {
    const auto capabilities = iommu.capable(function.id);
    return capabilities && pci.singleton(function) &&
           (params.dma_no_snoop || capabilities->enforce_cache_coherency);
  }

  const Params params;
  const cpu::Firmware firmware;
  std::vector<std::string> log;
  Frames frames;
  Runtime runtime;
  Pci pci;
  vtd::Driver iommu;
  std::deque<VfioDevice> devices;
  std::deque<Process> processes;
  bool booted = false;
};

Kernel::Kernel(const Params& params, const cpu::Firmware& firmware, trace::Bus& trace)
    : state_{std::make_unique<State>(params, firmware, trace)} {}

Kernel::~Kernel() = default;

void Kernel::boot(cpu::Instructions& cpu) {
  CHECK(!state_->booted);
  state_->booted = true;
  state_->pci.enumerate(cpu);
  state_->iommu.boot(cpu, state_->pci.functions(), fault_vector);
  for (const auto& function : state_->pci.functions()) {
    if (function.bridge) continue;
    const auto number = static_cast<unsigned>(state_->devices.size());
    const auto vector = first_device_vector + number;
    auto& device = state_->devices.emplace_back();
    device.function = function;
    device.name = fmt::format("vfio{}", number);
    device.vector = static_cast<std::uint8_t>(vector <= last_device_vector ? vector : 0);
    device.exposed = state_->exposes(function);
  }
}

Process& Kernel::spawn() { return spawn(state_->params.memlock); }

Process& Kernel::spawn(Bytes memlock) {
  return state_->processes.emplace_back(*this, state_->runtime, memlock);
}

std::vector<std::string> Kernel::vfio_names() const {
  std::vector<std::string> names;
  for (const auto& device : state_->devices) {
    if (device.exposed) names.push_back(device.name);
  }
  return names;
}

std::string Kernel::vfio_path(RequesterId id) const {
  for (const auto& device : state_->devices) {
    if (device.exposed && device.function.id == id) {
      return std::string{vfio_folder} + device.name;
    }
  }
  return {};
}

std::unique_ptr<File> Kernel::open(std::string_view path) {
  if (path == iommu_path) return std::make_unique<IommuFile>(state_->runtime, state_->iommu);
  if (!path.starts_with(vfio_folder)) return nullptr;
  const auto name = path.substr(vfio_folder.size());
  for (auto& device : state_->devices) {
    if (device.exposed && (device.name == name || to_text(device.function.id) == name)) {
      return std::make_unique<VfioFile>(state_->pci, device);
    }
  }
  return nullptr;
}

unsigned Kernel::handle_faults(cpu::Instructions& cpu) { return state_->iommu.handle_faults(cpu); }

bool Kernel::enable_no_snoop(cpu::Instructions& cpu, RequesterId device, bool on) {
  const PciFunction* function = state_->pci.find(device);
  return function != nullptr && state_->pci.set_no_snoop(cpu, *function, on);
}

const std::vector<std::string>& Kernel::log() const { return state_->log; }

}  // namespace ioasim::kernel
