// The write-combining buffers of a core: weakly ordered stores are gathered here, a line a buffer,
// until the line is full, the buffer is needed for another, or something orders them (SDM vol. 3,
// 12.3.1).
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/address.hpp"
#include "base/check.hpp"
#include "base/time.hpp"

namespace ioasim::cpu {

class WriteCombining {
 public:
  // What a buffer held when it was emptied. Bytes that no store wrote are not to be written.
  struct Contents {
    Hpa line{};
    std::array<std::byte, line_bytes> data{};
    std::bitset<line_bytes> written{};
    bool coherent = true;  // the line is taken out of the caches first
    Picoseconds stored{};  // when the last of its bytes was
    bool whole() const { return written.all(); }
  };

  explicit WriteCombining(unsigned buffers) : buffers_(buffers) { CHECK(buffers > 0); }

  bool empty() const { return used_ == 0; }
  // Adds bytes that lie in one line. Returns the buffer that had to be emptied for it: its own,
  // now full, or the oldest of the others. A whole line leaves at once, displacing none.
  std::optional<Contents> add(Hpa address, std::span<const std::byte> bytes, bool coherent = true,
                              Picoseconds now = {});
  // Empties the oldest buffer, or that of a line; nothing if there is none.
  std::optional<Contents> take_oldest();
  std::optional<Contents> take(std::uint64_t line);
  // Some byte of the line waits here.
  bool holds(std::uint64_t line) const;

 private:
  struct Buffer : Contents {
    std::uint64_t age = 0;  // order of its first store; 0 if it is free
  };

  // Where the line is; behind the last buffer if it is nowhere.
  std::size_t find(std::uint64_t line) const;
  Buffer& oldest();
  Contents release(Buffer& buffer);

  std::vector<Buffer> buffers_;
  unsigned used_ = 0;
  std::uint64_t first_stores_ = 0;  // stores that found no buffer of their line, so far
};

}  // namespace ioasim::cpu
