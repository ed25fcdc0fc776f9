// A simulated host process, and a thread of it: the system calls and the memory accesses that a
// user-space driver makes, under their usual names.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <type_traits>

#include "base/check.hpp"
#include "kernel/file.hpp"
#include "kernel/user_memory.hpp"

namespace ioasim::kernel {

class Kernel;

class Process {
 public:
  Process(Kernel& kernel, const Runtime& runtime, Bytes memlock)
      : kernel_{kernel}, runtime_{runtime}, memory_{runtime, memlock.count / page_bytes} {}

  UserMemory& memory() { return memory_; }
  // Null if it is not open.
  File* file(int fd) const;

 private:
  friend class Thread;

  // A close during another thread's call releases the file when that call returns.
  struct Open {
    std::unique_ptr<File> file;
    unsigned calls = 0;
    bool closed = false;
  };

  int install(std::unique_ptr<File> file);
  std::shared_ptr<Open> find(int fd) const;

  Kernel& kernel_;
  const Runtime& runtime_;
  UserMemory memory_;
  std::map<int, std::shared_ptr<Open>> files_;
};

// Calls return -errno on failure. Several threads of a process may run at a time, each on a core
// of its own.
class Thread {
 public:
  Thread(Process& process, cpu::Instructions& cpu) : process_{process}, cpu_{&cpu} {}

  // The scheduler moves it to another core.
  void migrate(cpu::Instructions& cpu) { cpu_ = &cpu; }
  cpu::Instructions& cpu() const { return *cpu_; }
  Process& process() const { return process_; }

  // "/dev/iommu", "/dev/vfio/devices/vfio0", "/dev/vfio/devices/0000:01:00.0".
  int open(std::string_view path);
  int close(int fd);
  int eventfd();

  int ioctl(int fd, std::uint32_t request, void* arg);
  // With a struct, or a plain int such as an IOASID: its address is passed.
  template <class Argument>
  requires std::is_class_v<Argument> || std::is_same_v<Argument, std::int32_t>
  int ioctl(int fd, std::uint32_t request, Argument& argument) {
    return ioctl(fd, request, static_cast<void*>(&argument));
  }
  // With a number that is passed itself.
  int ioctl_value(int fd, std::uint32_t request, std::uintptr_t value) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the third argument of ioctl(2) is either.
    return ioctl(fd, request, reinterpret_cast<void*>(value));
  }

  // At an offset in the file, as VFIO_DEVICE_GET_REGION_INFO tells it. The number of bytes.
  int pread(int fd, std::span<std::byte> into, std::uint64_t offset);
  int pwrite(int fd, std::span<const std::byte> from, std::uint64_t offset);
  // Waits for an event: 1, or 0 after `timeout`.
  int wait(int fd, Picoseconds timeout = forever);

  // Registers of a device through the mapping of its file; -ENODEV before it is bound.
  template <std::unsigned_integral Value>
  int mmio_read(int fd, std::uint64_t offset, Value& value) {
    std::uint64_t wide = 0;
    const int error = mapped_read(fd, offset, sizeof value, wide);
    value = static_cast<Value>(wide);
    return error;
  }
  template <std::unsigned_integral Value>
  int mmio_write(int fd, std::uint64_t offset, Value value) {
    return mapped_write(fd, offset, sizeof value, value);
  }

  // A call into a driver of the caller's own, loaded into the kernel: it runs on this core, at CPL
  // 0, and returns what it likes in what it captures.
  void call_driver(const std::function<void(cpu::Instructions&)>& driver);

  // Anonymous memory: mmap(2).
  Hva allocate(std::uint64_t bytes);
  // Where a byte of it is, once its page has come in, for a driver. -EFAULT, -ENOMEM.
  Result<Hpa, int> physical(Hva address) { return process_.memory().translate(*cpu_, address); }

  // Cached accesses, and flushes, which need no privilege. -EFAULT outside of allocated memory.
  int load(Hva address, std::span<std::byte> into);
  int store(Hva address, std::span<const std::byte> from);
  int clflush(Hva address);
  int clflushopt(Hva address);
  int clwb(Hva address);
  void mfence() { cpu_->mfence(); }
  void sfence() { cpu_->sfence(); }

  // The same for a value at an address that is known to be good.
  template <std::unsigned_integral Value>
  Value load(Hva address) {
    Value value{};
    CHECK(load(address, std::as_writable_bytes(std::span{&value, 1})) == 0);
    return value;
  }
  template <std::unsigned_integral Value>
  void store(Hva address, Value value) {
    CHECK(store(address, std::as_bytes(std::span{&value, 1})) == 0);
  }

 private:
  int mapped_read(int fd, std::uint64_t offset, unsigned bytes, std::uint64_t& value);
  int mapped_write(int fd, std::uint64_t offset, unsigned bytes, std::uint64_t value);
  // Runs a call on an open file between the entry to the kernel and the exit from it.
  template <class Call>
  int system_call(int fd, Call call);
  // Cuts at page boundaries: access(host address, offset, bytes).
  template <class Access>
  int for_each_page(Hva address, std::uint64_t bytes, Access access);
  void finish(Process::Open& open);

  Process& process_;
  cpu::Instructions* cpu_;
};

}  // namespace ioasim::kernel
