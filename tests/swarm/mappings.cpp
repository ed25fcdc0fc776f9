// Mapping and unmapping, in order and out of order.
#include "swarm/actor.hpp"

namespace ioasim::test {
namespace {

constexpr auto may_read = uapi::VFIO_DMA_MAP_FLAG_READ;
constexpr auto may_write = uapi::VFIO_DMA_MAP_FLAG_WRITE;

bool overlaps(const Mapping& mapping, Iova iova, std::uint64_t bytes) {
  return Range<Iova>{mapping.iova, mapping.memory.bytes}.overlaps(Range<Iova>{iova, bytes});
}

std::uint32_t flags_of(const Mapping& mapping) {
  return (mapping.read ? may_read : 0) | (mapping.write ? may_write : 0);
}

}  // namespace

// In this thread's window, often next to what is mapped already.
std::optional<Iova> Actor::free_iova(const Space& space, std::uint64_t bytes) {
  const auto page = random_.between(1024, window_bytes / page_bytes - 1024);
  Iova iova = window() + (chance(4) ? page & ~std::uint64_t{511} : page) * page_bytes;
  if (!space.mappings.empty() && chance(2)) {
    const auto& near = space.mappings[below(space.mappings.size())];
    if (!near.fixed) iova = near.iova + near.memory.bytes;
  }
  const bool taken = std::any_of(space.mappings.begin(), space.mappings.end(),
                                 [&](const Mapping& m) { return overlaps(m, iova, bytes); });
  return taken ? std::nullopt : std::optional{iova};
}

void Actor::map_something(Space& space) {
  const auto area = private_areas_[below(private_areas_.size())];
  const auto pages = areas_.bytes_of(area) / page_bytes;
  const auto first = chance(2) ? 0 : random_.between(0, pages - 1);
  const auto count = chance(2) ? pages - first : random_.between(1, pages - first);
  Mapping mapping{.memory = {area, first * page_bytes, count * page_bytes}};
  const bool twice = std::any_of(
      space.mappings.begin(), space.mappings.end(),
      [&](const Mapping& other) { return other.memory.touches_line_of(mapping.memory); });
  if (twice && !stage_.features.aliases) return;
  auto iova = free_iova(space, mapping.memory.bytes);
  if (!iova) iova = free_iova(space, mapping.memory.bytes);
  if (!iova) return;
  mapping.iova = *iova;
  mapping.read = !chance(8);
  mapping.write = !mapping.read || !chance(6);
  map(space, mapping);
}

bool Actor::map(Space& space, const Mapping& mapping) {
  const int result = map_dma(thread_, space.id, flags_of(mapping),
                             areas_.address_of(mapping.memory), mapping.iova, mapping.memory.bytes);
  const bool attached = std::any_of(engines_.begin(), engines_.end(),
                                    [&](const Engine& e) { return e.space == &space; });
  const bool may_refuse = !attached && !stage_.kernel().map_without_device;
  if (result == -EINVAL && may_refuse) return false;
  journal_.expect(result, 0, "MAP_DMA");
  if (result != 0) return false;
  did("map");
  space.mappings.push_back(mapping);
  return true;
}

bool Actor::unmap(Space& space, std::size_t index) {
  const Mapping mapping = space.mappings[index];
  auto bytes = mapping.memory.bytes;
  const int result = unmap_dma(thread_, space.id, mapping.iova, bytes);
  const bool attached = std::any_of(engines_.begin(), engines_.end(),
                                    [&](const Engine& e) { return e.space == &space; });
  if (result == -EINVAL && !attached && !stage_.kernel().map_without_device) return false;
  journal_.expect(result, 0, "UNMAP_DMA");
  if (bytes != mapping.memory.bytes) {
    journal_.complain("unmapped {} of {} bytes", bytes, mapping.memory.bytes);
  }
  space.mappings.erase(space.mappings.begin() + static_cast<std::ptrdiff_t>(index));
  did("unmap");
  return true;
}

void Actor::unmap_something() {
  auto& space = any_space();
  if (space.mappings.size() < 5) return map_something(space);
  const auto index = below(space.mappings.size());
  const auto& mapping = space.mappings[index];
  if (mapping.fixed || in_use(mapping)) return;
  unmap(space, index);
}

void Actor::unmap_all(Space& space) {
  for (std::size_t left = space.mappings.size(); left-- > 0;) unmap(space, left);
}

void Actor::switch_space() {
  if (auto* engine = idle_engine(true)) {
    detach(*engine);
    if (chance(3)) return;
    if (spaces_.size() < 3 && chance(2)) allocate_space();
    attach(*engine, any_space());
  } else if ((engine = idle_engine(false))) {
    attach(*engine, any_space());
  }
}

// ---- calls that must fail, and change nothing ----

void Actor::call_wrongly() {
  did("wrong call");
  auto& space = any_space();
  const auto expect = [&](int got, int wanted, const char* what) {
    journal_.expect(got, wanted, what);
  };
  std::uint64_t bytes = page_bytes;
  const Iova nothing = window() + (window_bytes - page_bytes);
  uapi::iommu_map_dma map{};
  switch (random_.between(0, 9)) {
    case 0:
      return expect(thread_.ioctl(999, uapi::IOMMU_MAP_DMA, map), -EBADF, "a call on no file");
    case 1:
      return expect(thread_.ioctl(iommu_, uapi::IOMMU_MAP_DMA, nullptr), -EFAULT, "no argument");
    case 2:
      return expect(thread_.ioctl(iommu_, uapi::IOMMU_MAP_DMA, map), -EINVAL, "an empty argument");
    case 3:
      return expect(thread_.ioctl(iommu_, 0x3bff, map), -EINVAL, "an unknown request");
    case 4:
      return expect(thread_.open("/dev/vfio/devices/none"), -ENOENT, "open of nothing");
    case 5:
      return expect(thread_.close(998), -EBADF, "close of nothing");
    case 6:
      return expect(free_ioasid(thread_, {iommu_, 12345}), -EINVAL, "IOASID_FREE of nothing");
    case 7:
      return expect(allocate_ioasid(thread_, iommu_, 3, 39), -EINVAL, "on and automatic");
    case 8:
      if (!stage_.kernel().map_without_device) return;
      expect(unmap_dma(thread_, space.id, nothing, bytes), 0, "UNMAP_DMA of nothing");
      return expect(static_cast<int>(bytes), 0, "bytes unmapped of nothing");
    default:
      if (!engines_.empty() && chance(2))
        return call_device_wrongly(engines_[below(engines_.size())]);
      return map_wrongly(space);
  }
}

void Actor::call_device_wrongly(Engine& engine) {
  if (!engine.is_open()) return;
  const auto expect = [&](int got, int wanted, const char* what) {
    journal_.expect(got, wanted, what);
  };
  std::uint32_t value = 0;
  std::byte nine[9];
  uapi::vfio_irq_set irqs{.argsz = sizeof irqs, .flags = 0, .index = 77, .start = 0, .count = 1};
  switch (random_.between(0, 8)) {
    case 0:
      return expect(bind_device(thread_, engine.fd, iommu_, 99), -EBUSY, "a second bind");
    case 1:
      return expect(bind_device(thread_, engine.fd, engine.fd, 99), -EINVAL, "bind to a device");
    case 2:
      return expect(attach_device(thread_, engine.fd, {iommu_, 4321}), -EINVAL, "attach to none");
    case 3:
      if (engine.space == nullptr) return;
      return expect(attach_device(thread_, engine.fd, engine.space->id), -EINVAL, "attach again");
    case 4:
      if (engine.space == nullptr) return;
      return expect(free_ioasid(thread_, engine.space->id), -EBUSY, "free of one that is attached");
    case 5:
      if (engine.space != nullptr) return;
      return expect(detach_device(thread_, engine.fd, {iommu_, 1}), -EINVAL, "detach from nothing");
    case 6:
      return expect(thread_.mmio_read(engine.fd, 0x16, value), -EINVAL, "a register askew");
    case 7:
      return expect(thread_.pread(engine.fd, nine, 0), -EINVAL, "nine bytes of a register");
    default:
      return expect(thread_.ioctl(engine.fd, uapi::VFIO_DEVICE_SET_IRQS, irqs), -EINVAL,
                    "an interrupt that is not there");
  }
}

void Actor::map_wrongly(Space& space) {
  const bool attached = std::any_of(engines_.begin(), engines_.end(),
                                    [&](const Engine& e) { return e.space == &space; });
  if (!attached && !stage_.kernel().map_without_device) return;
  const Hva memory = areas_.address_of({private_areas_[0], 0, 1});
  const Iova iova = window() + (window_bytes - page_bytes);
  const auto expect = [&](int wanted, const char* what, std::uint32_t flags, Hva at, Iova to,
                          std::uint64_t bytes) {
    journal_.expect(map_dma(thread_, space.id, flags, at, to, bytes), wanted, what);
  };
  switch (random_.between(0, 7)) {
    case 0:
      return expect(-EINVAL, "no rights", 0, memory, iova, page_bytes);
    case 1:
      return expect(-EINVAL, "half a page", may_read, memory, iova, page_bytes / 2);
    case 2:
      return expect(-EINVAL, "no bytes", may_read, memory, iova, 0);
    case 3:
      return expect(-EINVAL, "an address askew", may_read, memory, iova + 8, page_bytes);
    case 4:
      return expect(-EINVAL, "the interrupt range", may_read, memory, Iova{0xfee0'0000},
                    page_bytes);
    case 5:
      return expect(-EINVAL, "beyond the width", may_read, memory, Iova{1ull << 60}, page_bytes);
    case 6:
      return expect(-EFAULT, "no memory there", may_read, Hva{0x1000}, iova, page_bytes);
    default:
      if (space.mappings.empty()) return;
      return expect(-EEXIST, "mapped already", may_read, memory, space.mappings.front().iova,
                    page_bytes);
  }
}

}  // namespace ioasim::test
