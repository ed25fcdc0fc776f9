// An open /dev/iommu.
#pragma once

#include <memory>

#include "kernel/file.hpp"
#include "kernel/iommu_context.hpp"

namespace ioasim::kernel {

class IommuFile final : public File {
 public:
  IommuFile(const Runtime& runtime, IommuDriver& driver)
      : runtime_{runtime}, context_{std::make_shared<IommuContext>(runtime, driver)} {}

  int ioctl(Caller caller, std::uint32_t request, void* arg) override;
  void release(Caller caller) override;

  // Lives for as long as a device is bound to it.
  const std::shared_ptr<IommuContext>& context() const { return context_; }

 private:
  int check_extension(std::uintptr_t extension) const;
  int device_info(void* arg) const;
  int allocate(void* arg) const;
  int free(Caller caller, const void* arg) const;
  int map(Caller caller, const void* arg) const;
  int unmap(Caller caller, void* arg) const;

  const Runtime& runtime_;
  std::shared_ptr<IommuContext> context_;
};

}  // namespace ioasim::kernel
