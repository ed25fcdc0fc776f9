// One number for all that was observed: two runs with the same hash had the same events, with the
// same data, at the same times.
#pragma once

#include <cstdint>
#include <span>

#include "trace/bus.hpp"

namespace ioasim::trace {

class HashSink final : public Listener {
 public:
  void on(Picoseconds at, const Event& event) override;

  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }

 private:
  void mix(std::uint64_t value, unsigned bytes);
  void mix(std::span<const std::byte> bytes);

  std::uint64_t hash_ = 0xcbf29ce484222325ull;  // FNV-1a
  std::uint64_t events_ = 0;
};

}  // namespace ioasim::trace
