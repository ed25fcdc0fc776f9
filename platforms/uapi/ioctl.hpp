// Encoding of ioctl requests, as asm-generic/ioctl.h publishes it.
#pragma once

#include <cstdint>

namespace ioasim::uapi {

// _IO(type, number): neither direction nor size is encoded; argsz carries the size instead.
constexpr std::uint32_t io(char type, std::uint32_t number) {
  return static_cast<std::uint32_t>(static_cast<unsigned char>(type)) << 8 | number;
}

}  // namespace ioasim::uapi
