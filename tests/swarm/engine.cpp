#include "swarm/engine.hpp"

#include <algorithm>

namespace ioasim::test {
namespace {

namespace reg = devices::dma_register;

constexpr Picoseconds poll_interval = 300_ns;
constexpr unsigned polls_max = 100'000;

}  // namespace

Engine::Engine(Stage& stage, kernel::Thread& thread, std::string device, std::uint64_t number)
    : name{std::move(device)}, cookie{number}, stage_{stage}, thread_{thread} {
  const auto named = [](const std::string& wanted) {
    return [&wanted](const auto& one) { return one.name == wanted; };
  };
  const auto& machine = stage.configuration.machine;
  const auto& described =
      *std::find_if(machine.devices.begin(), machine.devices.end(), named(name));
  const auto& port =
      *std::find_if(machine.root_ports.begin(), machine.root_ports.end(), named(described.port));
  const auto& unit = *std::find_if(machine.iommus.begin(), machine.iommus.end(), named(port.iommu));
  id = stage.world.machine().device_id(name);
  can_no_snoop = described.params.function.no_snoop;
  port_honors = port.params.honor_no_snoop;
  snoop_control = unit.params.snoop_control;
}

bool Engine::open(int iommu) {
  const auto path = stage_.world.kernel().vfio_path(id);
  const bool exposed = stage_.kernel().dma_no_snoop || snoop_control;
  if (path.empty() == exposed) stage_.journal.complain("{}: node \"{}\"", name, path);
  if (path.empty()) return false;
  fd = thread_.open(path);
  if (fd < 0) stage_.journal.complain("open of {} returned {}", path, fd);
  check(bind_device(thread_, fd, iommu, cookie), "bind");
  if (stage_.features.interrupts) {
    event = thread_.eventfd();
    check(set_irq(thread_, fd, event), "set_irqs");
  }
  return true;
}

void Engine::close() {
  check(thread_.close(fd), "close");
  if (event >= 0) check(thread_.close(event), "close of the eventfd");
  fd = event = -1;
  space = nullptr;
}

void Engine::start(Areas& areas, std::vector<Descriptor> chain) {
  CHECK(chain.size() <= descriptors_max);
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    chain[i].flags |= Descriptor::chain;
    chain[i].next = (descriptors_at + (i + 1) * sizeof(Descriptor)).value;
  }
  const auto bytes = std::as_bytes(std::span{chain});
  areas.store({descriptors.area, descriptors.offset, bytes.size()}, bytes);
  thread_.mfence();
  check(thread_.mmio_write(fd, reg::descriptor, descriptors_at.value), "descriptor");
  check(thread_.mmio_write(fd, reg::doorbell, std::uint32_t{1}), "doorbell");
}

Engine::Status Engine::status() {
  std::uint32_t value = 0;
  check(thread_.mmio_read(fd, reg::status, value), "status");
  return static_cast<Status>(value);
}

Engine::Status Engine::wait() {
  for (unsigned poll = 0; poll < polls_max; ++poll) {
    if (const auto now = status(); now != Status::running) return now;
    thread_.cpu().execute(poll_interval);
  }
  stage_.journal.complain("{} never ends", name);
  return Status::running;
}

std::uint64_t Engine::error_address() {
  std::uint64_t value = 0;
  check(thread_.mmio_read(fd, reg::error_address, value), "error address");
  return value;
}

}  // namespace ioasim::test
