// The bytes of main memory, in pieces of 2 MiB that come into being, as zeros, when first
// touched.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/address.hpp"
#include "base/quantity.hpp"

namespace ioasim::memory {

class BackingStore {
 public:
  explicit BackingStore(Bytes capacity);

  std::uint64_t capacity() const { return capacity_; }
  // [address, address + bytes) lies in memory.
  bool holds(Hpa address, std::uint64_t bytes) const {
    return bytes <= capacity_ && address.value <= capacity_ - bytes;
  }
  // Both require holds().
  void read(Hpa address, std::span<std::byte> into) const;
  void write(Hpa address, std::span<const std::byte> from);

 private:
  static constexpr std::uint64_t piece_bytes = 2u << 20;

  std::uint64_t capacity_;
  std::vector<std::unique_ptr<std::byte[]>> pieces_;
};

}  // namespace ioasim::memory
