// A user-space driver of one copy engine, as somebody would write it against /dev/iommu and
// /dev/vfio: what scenarios drive devices with. A refused call is thrown as Refused.
#pragma once

#include <string>
#include <string_view>

#include "devices/dma_engine.hpp"
#include "kernel/process.hpp"
#include "scenarios/simulation.hpp"

namespace ioasim::scenarios {

// Memory of the process, mapped for the device.
struct Buffer {
  Hva address;
  Iova iova;
  std::uint64_t bytes = 0;
};

enum class EnforceSnoop { off, on, automatic };

class DmaDriver {
 public:
  // Opens the device of that name in the machine, binds it to /dev/iommu and attaches it to a new
  // I/O address space.
  DmaDriver(World& world, std::string_view device, EnforceSnoop enforce);
  ~DmaDriver();
  DmaDriver(const DmaDriver&) = delete;

  RequesterId device() const { return id_; }

  // The function that firmware and requests know, and what it has measured itself.
  const devices::DmaEngine& engine() const { return engine_; }

  // Whole pages, mapped one after the other from I/O virtual address 4 GiB on.
  Buffer map(std::uint64_t bytes);
  // The same for memory that the process has already.
  Buffer map(Hva memory, std::uint64_t bytes);
  // Returns 0 or -errno.
  int unmap(const Buffer& buffer);

  // Starts a copy, of `flags` of the descriptor; a repeated one goes on until stop().
  void start(Iova source, Iova target, std::uint64_t bytes, std::uint32_t flags,
             bool repeat = false);
  // Starts at a descriptor that the caller has laid out.
  void start_at(Iova descriptor);
  // Polls the status until the engine has ended; true unless it halted on an error.
  bool finish();
  void stop();
  // Stores a pattern through the cache, and whether a buffer holds it.
  void fill(const Buffer& buffer, std::uint64_t bytes);
  bool filled(const Buffer& buffer, std::uint64_t bytes);

  // One copy, from its start to its end; whether the engine did not halt.
  bool try_copy(Iova source, Iova target, std::uint64_t bytes, std::uint32_t flags);
  // The same; Refused if the engine halts.
  void copy(Iova source, Iova target, std::uint64_t bytes, std::uint32_t flags);

 private:
  // Of a device with nothing opened yet.
  DmaDriver(World& world, std::string_view device);

  // The result of a call, unless it was refused.
  int granted(std::string_view call, int result) const;

  std::string name_;
  kernel::Thread& user_;
  const devices::DmaEngine& engine_;
  RequesterId id_;
  int device_ = -1;
  int iommu_ = -1;
  int ioasid_ = -1;
  Iova next_{0x1'0000'0000};
  Buffer descriptor_{};
};

}  // namespace ioasim::scenarios
