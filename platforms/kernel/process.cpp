#include "kernel/process.hpp"

#include <algorithm>
#include <iterator>

#include "kernel/kernel.hpp"
#include "kernel/vfio_device.hpp"

namespace ioasim::kernel {
namespace {

struct RequestName {
  std::uint32_t request;
  std::string_view enter;
  std::string_view exit;
};

// Names on the timeline.
constexpr RequestName request_names[] = {
    {uapi::IOMMU_CHECK_EXTENSION, "check_extension.enter", "check_extension.exit"},
    {uapi::IOMMU_DEVICE_GET_INFO, "iommu_device_info.enter", "iommu_device_info.exit"},
    {uapi::IOMMU_IOASID_ALLOC, "ioasid_alloc.enter", "ioasid_alloc.exit"},
    {uapi::IOMMU_IOASID_FREE, "ioasid_free.enter", "ioasid_free.exit"},
    {uapi::IOMMU_MAP_DMA, "map_dma.enter", "map_dma.exit"},
    {uapi::IOMMU_UNMAP_DMA, "unmap_dma.enter", "unmap_dma.exit"},
    {uapi::VFIO_DEVICE_GET_INFO, "device_info.enter", "device_info.exit"},
    {uapi::VFIO_DEVICE_GET_REGION_INFO, "region_info.enter", "region_info.exit"},
    {uapi::VFIO_DEVICE_SET_IRQS, "set_irqs.enter", "set_irqs.exit"},
    {uapi::VFIO_DEVICE_BIND_IOMMU_FD, "bind.enter", "bind.exit"},
    {uapi::VFIO_DEVICE_ATTACH_IOASID, "attach.enter", "attach.exit"},
    {uapi::VFIO_DEVICE_DETACH_IOASID, "detach.enter", "detach.exit"},
    {0, "ioctl.enter", "ioctl.exit"},
};

const RequestName& name_of(std::uint32_t request) {
  const auto* at =
      std::find_if(std::begin(request_names), std::end(request_names),
                   [request](const RequestName& name) { return name.request == request; });
  return at == std::end(request_names) ? *std::prev(at) : *at;
}

// Runs in the kernel, from the entry to the exit of a system call.
class InKernel {
 public:
  InKernel(cpu::Instructions& cpu, const Params& params)
      : cpu_{cpu}, params_{params}, before_{cpu.privilege()} {
    cpu_.set_privilege(cpu::Privilege::supervisor);
    cpu_.execute(params_.syscall_entry);
  }
  ~InKernel() { cpu_.set_privilege(before_); }
  InKernel(const InKernel&) = delete;

  void leave() { cpu_.execute(params_.syscall_exit); }

 private:
  cpu::Instructions& cpu_;
  const Params& params_;
  cpu::Privilege before_;
};

}  // namespace

File* Process::file(int fd) const {
  const auto open = find(fd);
  return open ? open->file.get() : nullptr;
}

std::shared_ptr<Process::Open> Process::find(int fd) const {
  const auto at = files_.find(fd);
  return at == files_.end() ? nullptr : at->second;
}

// The lowest number that is free; 0 to 2 are taken by standard input and outputs.
int Process::install(std::unique_ptr<File> file) {
  int fd = 3;
  while (files_.contains(fd)) ++fd;
  files_[fd] = std::make_shared<Open>(Open{.file = std::move(file)});
  return fd;
}

template <class Call>
int Thread::system_call(int fd, Call call) {
  InKernel kernel{*cpu_, process_.runtime_.params};
  int result = -EBADF;
  if (const auto open = process_.find(fd)) {
    ++open->calls;
    result = call(*open->file, Caller{*cpu_, process_});
    --open->calls;
    finish(*open);
  }
  kernel.leave();
  return result;
}

void Thread::call_driver(const std::function<void(cpu::Instructions&)>& driver) {
  InKernel kernel{*cpu_, process_.runtime_.params};
  driver(*cpu_);
  kernel.leave();
}

void Thread::finish(Process::Open& open) {
  if (open.calls == 0 && open.closed) open.file->release({*cpu_, process_});
}

int Thread::open(std::string_view path) {
  process_.runtime_.phase(*cpu_, "open.enter", 0);
  InKernel kernel{*cpu_, process_.runtime_.params};
  auto file = process_.kernel_.open(path);
  const int result = file ? process_.install(std::move(file)) : -ENOENT;
  kernel.leave();
  process_.runtime_.phase(*cpu_, "open.exit", result);
  return result;
}

int Thread::close(int fd) {
  process_.runtime_.phase(*cpu_, "close.enter", fd);
  InKernel kernel{*cpu_, process_.runtime_.params};
  const auto open = process_.find(fd);
  if (open) {
    process_.files_.erase(fd);
    open->closed = true;
    finish(*open);
  }
  const int result = open ? 0 : -EBADF;
  kernel.leave();
  process_.runtime_.phase(*cpu_, "close.exit", result);
  return result;
}

int Thread::eventfd() {
  cpu_->execute(process_.runtime_.params.syscall_entry + process_.runtime_.params.syscall_exit);
  return process_.install(std::make_unique<EventFile>());
}

int Thread::ioctl(int fd, std::uint32_t request, void* arg) {
  const auto& name = name_of(request);
  process_.runtime_.phase(*cpu_, name.enter, fd);
  const int result =
      system_call(fd, [&](File& file, Caller caller) { return file.ioctl(caller, request, arg); });
  process_.runtime_.phase(*cpu_, name.exit, result);
  return result;
}

int Thread::pread(int fd, std::span<std::byte> into, std::uint64_t offset) {
  return system_call(fd,
                     [&](File& file, Caller caller) { return file.read(caller, into, offset); });
}

int Thread::pwrite(int fd, std::span<const std::byte> from, std::uint64_t offset) {
  return system_call(fd,
                     [&](File& file, Caller caller) { return file.write(caller, from, offset); });
}

int Thread::wait(int fd, Picoseconds timeout) {
  return system_call(fd, [&](File& file, Caller caller) { return file.wait(caller, timeout); });
}

int Thread::mapped_read(int fd, std::uint64_t offset, unsigned bytes, std::uint64_t& value) {
  const auto open = process_.find(fd);
  return open ? open->file->mapped_read(*cpu_, offset, bytes, value) : -EBADF;
}

int Thread::mapped_write(int fd, std::uint64_t offset, unsigned bytes, std::uint64_t value) {
  const auto open = process_.find(fd);
  return open ? open->file->mapped_write(*cpu_, offset, bytes, value) : -EBADF;
}

Hva Thread::allocate(std::uint64_t bytes) {
  cpu_->execute(process_.runtime_.params.syscall_entry + process_.runtime_.params.syscall_exit);
  return process_.memory_.allocate(bytes);
}

template <class Access>
int Thread::for_each_page(Hva address, std::uint64_t bytes, Access access) {
  for (std::uint64_t done = 0; done < bytes;) {
    const Hva at = address + done;
    const auto part = std::min(bytes - done, page_bytes - at.page_offset());
    const auto where = process_.memory_.translate(*cpu_, at);
    if (!where) return where.error();
    access(*where, done, part);
    done += part;
  }
  return 0;
}

int Thread::load(Hva address, std::span<std::byte> into) {
  return for_each_page(address, into.size(), [&](Hpa at, std::uint64_t done, std::uint64_t bytes) {
    cpu_->load(at, into.subspan(done, bytes));
  });
}

int Thread::store(Hva address, std::span<const std::byte> from) {
  return for_each_page(address, from.size(), [&](Hpa at, std::uint64_t done, std::uint64_t bytes) {
    cpu_->store(at, from.subspan(done, bytes));
  });
}

int Thread::clflush(Hva address) {
  return for_each_page(address, 1,
                       [&](Hpa at, std::uint64_t, std::uint64_t) { cpu_->clflush(at); });
}

int Thread::clflushopt(Hva address) {
  return for_each_page(address, 1,
                       [&](Hpa at, std::uint64_t, std::uint64_t) { cpu_->clflushopt(at); });
}

int Thread::clwb(Hva address) {
  return for_each_page(address, 1, [&](Hpa at, std::uint64_t, std::uint64_t) { cpu_->clwb(at); });
}

}  // namespace ioasim::kernel
