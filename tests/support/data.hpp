// Bytes as tests like to write them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace ioasim::test {

using Data = std::vector<std::byte>;

// `bytes` bytes that all have that value.
inline Data filled(std::size_t bytes, unsigned value) {
  return Data(bytes, static_cast<std::byte>(value));
}

// Bytes that differ from each other and from those of another seed.
inline Data pattern(std::size_t bytes, unsigned seed) {
  Data data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(seed + 7 * i);
  return data;
}

// A little-endian word of that many bytes.
inline Data word(std::uint64_t value, std::size_t bytes = 8) {
  Data data(bytes);
  std::memcpy(data.data(), &value, bytes);
  return data;
}

// The first 8 bytes, or as many as there are.
inline std::uint64_t value_of(const Data& data) {
  std::uint64_t value = 0;
  std::memcpy(&value, data.data(), data.size() < 8 ? data.size() : 8);
  return value;
}

}  // namespace ioasim::test
