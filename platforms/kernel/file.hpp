// An open file of a process.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>

#include "cpu/instructions.hpp"

namespace ioasim::kernel {

class Process;

// Who makes a call, and the core it runs on.
struct Caller {
  cpu::Instructions& cpu;
  Process& process;
};

// Calls return a value that is not negative, or a negative errno. The defaults are what a file
// without that operation answers.
class File {
 public:
  virtual ~File() = default;

  virtual int ioctl(Caller, std::uint32_t /*request*/, void* /*arg*/) { return -ENOTTY; }
  virtual int read(Caller, std::span<std::byte>, std::uint64_t /*offset*/) { return -EINVAL; }
  virtual int write(Caller, std::span<const std::byte>, std::uint64_t /*offset*/) {
    return -EINVAL;
  }
  // Access to the file through a mapping: one uncached instruction, no system call.
  virtual int mapped_read(cpu::Instructions&, std::uint64_t /*offset*/, unsigned /*bytes*/,
                          std::uint64_t& /*value*/) {
    return -ENODEV;
  }
  virtual int mapped_write(cpu::Instructions&, std::uint64_t /*offset*/, unsigned /*bytes*/,
                           std::uint64_t /*value*/) {
    return -ENODEV;
  }
  // 1: an event came; 0: the time passed.
  virtual int wait(Caller, Picoseconds /*timeout*/) { return -EINVAL; }
  // The last reference is gone.
  virtual void release(Caller) {}
};

// Copies a struct that begins with argsz in. A longer one is fine: it is from a newer user.
template <class Struct>
int copy_in(const void* arg, Struct& to) {
  if (arg == nullptr) return -EFAULT;
  std::uint32_t argsz = 0;
  std::memcpy(&argsz, arg, sizeof argsz);
  if (argsz < sizeof to) return -EINVAL;
  std::memcpy(&to, arg, sizeof to);
  return 0;
}

template <class Struct>
int copy_out(const Struct& from, void* arg) {
  std::memcpy(arg, &from, sizeof from);
  return 0;
}

}  // namespace ioasim::kernel
