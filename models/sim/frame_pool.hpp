// Memory for coroutine frames: free lists by size class over slabs that are never given back, so
// that a task costs no allocation in steady state.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace ioasim::sim {

class FramePool {
 public:
  // The pool of this host thread. A simulation runs on one.
  static FramePool& instance() {
    thread_local FramePool pool;
    return pool;
  }

  void* take(std::size_t bytes) {
    const auto size_class = (bytes + granule - 1) / granule;
    if (size_class >= classes) return ::operator new(bytes);
    if (free_[size_class] == nullptr) refill(size_class);
    Link* const frame = free_[size_class];
    free_[size_class] = frame->next;
    return frame;
  }

  void give(void* frame, std::size_t bytes) {
    const auto size_class = (bytes + granule - 1) / granule;
    if (size_class >= classes) return ::operator delete(frame);
    free_[size_class] = ::new (frame) Link{free_[size_class]};
  }

 private:
  struct Link {
    Link* next;
  };
  static constexpr std::size_t granule = 64;
  static constexpr std::size_t classes = 64;  // frames of up to 4 KiB
  static constexpr std::size_t frames_per_slab = 16;

  void refill(std::size_t size_class) {
    const auto bytes = size_class * granule;
    slabs_.push_back(std::make_unique<std::byte[]>(bytes * frames_per_slab));
    for (std::size_t i = 0; i < frames_per_slab; ++i) {
      give(slabs_.back().get() + i * bytes, bytes);
    }
  }

  std::array<Link*, classes> free_{};
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
};

}  // namespace ioasim::sim
