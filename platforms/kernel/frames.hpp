// The allocator of physical memory: 4 KiB frames, and naturally aligned runs of them.
//
// Frames come in rising order, so that pages touched one after the other are neighbours; freed
// frames are handed out again, the last one first. On a machine of several sockets they come from
// the memory of the socket whose core asks, as long as there is some (first touch).
#pragma once

#include <optional>
#include <vector>

#include "cpu/instructions.hpp"

namespace ioasim::kernel {

class Frames {
 public:
  // `sockets`: where each one's memory lies; none if there is one socket. `cores`: of the machine.
  explicit Frames(const std::vector<Range<Hpa>>& memory,
                  const std::vector<Range<Hpa>>& sockets = {}, unsigned cores = 1);

  enum class Content {
    any,           // whatever the frames held
    zero,          // cleared by cached stores of 64 bytes
    zero_if_used,  // cleared if they have been in use before
  };

  // 2^order frames, aligned to their size. Nothing if memory is short.
  std::optional<Hpa> allocate(cpu::Instructions& cpu, Content content, unsigned order = 0);
  void free(Hpa base, unsigned order = 0);

  std::uint64_t in_use() const { return in_use_; }

 private:
  struct Piece {
    Hpa base;
    bool used;
  };

  std::optional<Piece> take(Range<Hpa> from, unsigned order);
  Range<Hpa> memory_of(const cpu::Instructions& cpu) const;

  std::vector<Range<Hpa>> sockets_;
  unsigned cores_;
  std::vector<Range<Hpa>> fresh_;           // never used, in rising order, each at one socket
  std::vector<std::vector<Hpa>> recycled_;  // by order
  std::uint64_t in_use_ = 0;
};

}  // namespace ioasim::kernel
