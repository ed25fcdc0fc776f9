// What it costs to make a buffer in memory agree with the caches: line by line, by a flush of whole
// caches, or by letting the device snoop.
#pragma once

#include <string_view>

#include "scenarios/dma_driver.hpp"

namespace ioasim::scenarios {

enum class LineFlush { clflush, clflushopt, clwb };

class FlushCosts {
 public:
  struct State {
    std::uint64_t largest;     // buffer
    unsigned dirty_percent;    // lines of a buffer that are modified; the others are clean
    std::uint64_t background;  // bytes beside it that are modified when wbinvd begins
  };

  FlushCosts(World& world, const State& state);

  // Of the first `bytes` of the buffer, all of it cached.
  Picoseconds flush(LineFlush instruction, std::uint64_t bytes);
  Picoseconds wbinvd(std::uint64_t bytes);
  struct Snooped {
    Picoseconds clflush;
    // What a device's reads of all these lines take more if they look at the caches, before the
    // flush, than if they go past them, after it; by the mean of some.
    Picoseconds snooping;
  };
  Snooped clflush(std::uint64_t bytes);

 private:
  void prepare(std::uint64_t bytes);
  Picoseconds flush_lines(LineFlush instruction, std::uint64_t bytes);
  std::uint64_t read_ps(std::uint64_t bytes, std::uint32_t flags);

  World& world_;
  State state_;
  DmaDriver driver_;
  Buffer buffer_{};
  Buffer target_{};
  Hva background_{};
  std::uint64_t value_ = 0;  // every preparation stores a new one
};

}  // namespace ioasim::scenarios
