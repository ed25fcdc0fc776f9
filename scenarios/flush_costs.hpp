// What it costs to make a buffer in memory agree with the caches: line by line, by a flush of whole
// caches, or by letting the device snoop. And whether that is done: a device then reads the buffer.
#pragma once

#include <array>
#include <vector>

#include "base/prng.hpp"
#include "scenarios/dma_driver.hpp"

namespace ioasim::scenarios {

enum class LineFlush { clflush, clflushopt, clwb };
inline constexpr std::size_t line_flushes = 3;

// Of one buffer.
struct FlushResult {
  std::array<Picoseconds, line_flushes> loop{};  // over its lines, and sfence, by LineFlush
  Picoseconds wbinvd{};
  Picoseconds snooped_read{};   // mean of a device's reads that look at the caches, before a flush
  Picoseconds no_snoop_read{};  // of those that go past them, after a clflush loop
  bool arrived = true;          // whatever the device read was what the lines held last
};

class FlushCosts {
 public:
  struct State {
    std::uint64_t largest;     // buffer
    unsigned dirty_percent;    // lines of a buffer that are modified; the others are clean
    std::uint64_t background;  // bytes beside it that are modified when wbinvd begins
  };

  FlushCosts(World& world, const State& state);

  // Of the first `bytes` of the buffer, all of it cached.
  FlushResult measure(std::uint64_t bytes);

 private:
  struct Reads {
    Picoseconds mean{};
    bool arrived = true;
  };

  void prepare(std::uint64_t bytes);
  Picoseconds flush_lines(LineFlush instruction, std::uint64_t bytes);
  Picoseconds wbinvd(std::uint64_t bytes);
  void draw_sample(std::uint64_t bytes);
  Reads read_sample(std::uint32_t flags);

  World& world_;
  State state_;
  DmaDriver driver_;
  Prng random_;
  Buffer buffer_;
  Buffer target_;
  Hva background_{};
  std::vector<std::uint64_t> sample_;  // offsets of the lines that the device reads
  std::uint64_t value_ = 0;            // every preparation stores a new one
  std::vector<std::uint64_t> stored_;  // the last in each line of the buffer
};

}  // namespace ioasim::scenarios
