// A device that writes lines of a window at random, and reads each back at once.
//
// It does so by itself: each line that the copy engine writes holds its next descriptor, which it
// then fetches from there. The images of the descriptors lie in memory, one line each; to read one
// brings nothing into a cache.
#pragma once

#include "base/prng.hpp"
#include "scenarios/dma_driver.hpp"

namespace ioasim::scenarios {

class WriteThenRead {
 public:
  // Lines of [0, bytes), or of it those in the first part of the sets of every slice.
  struct Window {
    std::uint64_t bytes;
    std::uint64_t parts = 1;
    bool written = false;  // the device has written all of it just before

    std::uint64_t lines() const { return bytes / line_bytes / parts; }
  };

  struct Result {
    Picoseconds latency{};    // mean, from the write to the end of the read
    std::uint64_t hits = 0;   // writes that found their line in the last level
    std::uint64_t walks = 0;  // requests that no IOTLB knew
    bool finished = false;    // without an error
  };

  // Of a device of that name. `window`: the largest that there will be.
  WriteThenRead(World& world, std::string_view device, std::uint64_t window, unsigned accesses);

  unsigned accesses() const { return accesses_; }
  // The device writes every line once, in order.
  void write(const Window& window);
  // Accesses at random.
  Result measure(const Window& window);

 private:
  void store_images(const Window& window);
  std::uint64_t offset(const Window& window, std::uint64_t line) const;
  Hva at(std::uint64_t offset) const { return lines_.address + offset; }
  Iova seen(std::uint64_t offset) const { return lines_.iova + offset; }

  World& world_;
  DmaDriver driver_;
  Prng random_;
  unsigned accesses_;
  std::uint64_t stride_;  // of lines of one set in each slice
  std::uint64_t images_;  // offset of the images, behind the largest window
  Buffer lines_{};
};

}  // namespace ioasim::scenarios
