// The simulated operating system of the host: what a scenario, or a VMM, runs on.
//
// Models:         PCI enumeration, VT-d, VFIO devices, /dev/iommu (RFC v2), processes with
//                 memory and files. It reaches hardware only through the instructions of the core
//                 that the calling thread runs on.
// Does not model: scheduling, interrupt handlers that run by themselves, file systems.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cpu/firmware.hpp"
#include "kernel/params.hpp"
#include "kernel/process.hpp"
#include "trace/bus.hpp"

namespace ioasim::kernel {

class Kernel {
 public:
  Kernel(const Params& params, const cpu::Firmware& firmware, trace::Bus& trace);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // Finds the hardware and switches translation on, with the DMA of every device blocked. Fault
  // events go to this core. What does not work is in the log, and has no node.
  void boot(cpu::Instructions& cpu);

  // A process with this RLIMIT_MEMLOCK, or with that of Params.
  Process& spawn();
  Process& spawn(Bytes memlock);

  // Names of the nodes in /dev/vfio/devices: vfio0, vfio1, ..., in the order of enumeration. A
  // device without a node keeps its number.
  std::vector<std::string> vfio_names() const;
  // The node of a device; empty if it has none.
  std::string vfio_path(RequesterId device) const;
  std::unique_ptr<File> open(std::string_view path);

  // The vector of fault events, for wait_for_interrupt(), and what its handler does: logs the
  // recorded faults and clears them. Returns their number.
  static constexpr std::uint8_t fault_vector = 0x30;
  unsigned handle_faults(cpu::Instructions& cpu);

  // Device Control: whether the device may set No Snoop. Returns what the bit then reads; false
  // also if there is no such device.
  bool enable_no_snoop(cpu::Instructions& cpu, RequesterId device, bool on);

  // What dmesg would show.
  const std::vector<std::string>& log() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ioasim::kernel
