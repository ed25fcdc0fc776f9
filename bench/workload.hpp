// What devices ask for.
#pragma once

#include <fmt/format.h>

#include "base/address.hpp"
#include "base/prng.hpp"

namespace ioasim::bench {

// Buffers for DMA: 256 MiB of I/O virtual addresses.
inline constexpr Iova buffers{0x1000'0000};
inline constexpr std::uint64_t buffer_bytes = 256u << 20;

struct Request {
  Iova iova;
  std::uint32_t bytes;
  bool write;
};

enum class Workload {
  stream,  // W0: 256-byte writes, one after the other
  mix,   // W2: one in eight reads 64 bytes anywhere; the others are a stream of 256-byte requests,
         // each a read or a write
  ring,  // 64-byte writes, round and round in 256 KiB: all lookups hit once it is warm
};

// The requests of one device. Each device has a stretch of the buffers for its stream.
class Requests {
 public:
  Requests(Workload workload, unsigned device)
      : workload_{workload},
        position_{device * stretch},
        prng_{1, fmt::format("device{}", device)} {}

  Request next() {
    switch (workload_) {
      case Workload::stream:
        return {advance(256), 256, true};
      case Workload::ring:
        return {advance(64, 256u << 10), 64, true};
      case Workload::mix:
        break;
    }
    const auto draw = prng_.next();
    if (draw % 8 == 0) return {buffers + (draw >> 16) % (buffer_bytes / 64) * 64, 64, false};
    return {advance(256), 256, (draw & 8) != 0};
  }

 private:
  // The next `bytes` of the stream, which returns to its start after `length`.
  Iova advance(std::uint32_t bytes, std::uint64_t length = buffer_bytes) {
    const auto start = position_ / length * length;
    const Iova at = buffers + position_;
    position_ = start + (position_ + bytes) % length;
    return at;
  }

  // Not a power of two, so that the devices do not all fall into the same sets of a cache.
  static constexpr std::uint64_t stretch = (16u << 20) + (256u << 10);

  Workload workload_;
  std::uint64_t position_;
  Prng prng_;
};

}  // namespace ioasim::bench
