// A user-space driver of one copy engine, as one thread of the swarm has it.
#pragma once

#include <string>

#include "devices/dma_engine.hpp"
#include "swarm/areas.hpp"

namespace ioasim::test {

// One mapping that a thread made.
struct Mapping {
  Piece memory;
  Iova iova{};
  bool read = true;
  bool write = true;
  bool fixed = false;  // stays to the end: descriptors, shared memory
};

struct Space {
  Ioasid id{};
  bool enforced = false;  // every access of an attached device is snooped
  bool formed = false;    // a device was attached once, which decided how
  bool automatic = false;
  std::vector<Mapping> mappings{};
};

// What was asked of an engine and has not been waited for.
struct Job {
  struct Part {
    Piece source{};  // no bytes: not memory of ours
    Piece target{};  // no bytes: nothing of ours will be written
    bool known = true;
  };
  std::vector<Part> parts{};
  bool halts = false;  // a read of it will fault
  bool interrupts = false;
};

class Engine {
 public:
  using Status = devices::DmaEngine::Status;
  using Descriptor = devices::DmaDescriptor;
  static constexpr std::size_t descriptors_max = page_bytes / sizeof(Descriptor);

  // Bound under `cookie`, which no other engine has.
  Engine(Stage& stage, kernel::Thread& thread, std::string device, std::uint64_t cookie);

  // Opens the device and binds it; false if the kernel does not expose it.
  bool open(int iommu);
  void close();
  bool is_open() const { return fd >= 0; }

  // Writes the chain to the descriptor page and rings the doorbell.
  void start(Areas& areas, std::vector<Descriptor> chain);
  void stop() {
    check(thread_.mmio_write(fd, devices::dma_register::stop, std::uint32_t{1}), "stop");
  }
  Status status();
  // Polls until the engine does not run.
  Status wait();
  std::uint64_t error_address();

  // A request with No Snoop, in the space it is attached to, may go past the caches.
  bool may_bypass() const { return can_no_snoop && port_honors && !space->enforced; }

  const std::string name;
  const std::uint64_t cookie;
  RequesterId id{};
  bool can_no_snoop = false;
  bool port_honors = true;
  bool snoop_control = false;  // of its IOMMU
  int fd = -1;
  int event = -1;  // eventfd of its interrupt
  Space* space = nullptr;
  Piece descriptors{};     // a page of memory
  Iova descriptors_at{};   // where it is mapped, in every space
  std::optional<Job> job;  // in flight

 private:
  void check(int result, std::string_view what) {
    stage_.journal.expect(result, 0, fmt::format("{} of {}", what, name));
  }

  Stage& stage_;
  kernel::Thread& thread_;
};

}  // namespace ioasim::test
