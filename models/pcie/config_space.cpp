#include "pcie/config_space.hpp"

#include <cstring>

#include "base/check.hpp"

namespace ioasim::pcie {

std::uint32_t ConfigSpace::read(unsigned offset, unsigned bytes) const {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    const std::uint32_t byte = offset + i < size ? value_[offset + i] : 0xff;
    value |= byte << 8 * i;
  }
  return value;
}

void ConfigSpace::write(unsigned offset, unsigned bytes, std::uint32_t value) {
  for (unsigned i = 0; i < bytes && offset + i < size; ++i) {
    const unsigned mask = writable_[offset + i];
    const unsigned kept = value_[offset + i] & ~mask;
    value_[offset + i] = static_cast<std::uint8_t>(kept | ((value >> 8 * i) & mask));
  }
}

bool ConfigSpace::serve(unsigned offset, std::span<std::byte> data, bool is_write) {
  constexpr unsigned dword = 4;
  if (data.empty() || offset % dword + data.size() > dword) return false;
  const auto bytes = static_cast<unsigned>(data.size());
  std::uint32_t value = 0;
  if (is_write) {
    std::memcpy(&value, data.data(), bytes);
    write(offset, bytes, value);
  } else {
    value = read(offset, bytes);
    std::memcpy(data.data(), &value, bytes);
  }
  return true;
}

void ConfigSpace::define(unsigned offset, unsigned bytes, std::uint32_t value,
                         std::uint32_t writable) {
  CHECK(offset + bytes <= size);
  for (unsigned i = 0; i < bytes; ++i) {
    value_[offset + i] = static_cast<std::uint8_t>(value >> 8 * i);
    writable_[offset + i] = static_cast<std::uint8_t>(writable >> 8 * i);
  }
}

unsigned ConfigSpace::add_capability(std::uint8_t id, unsigned bytes) {
  const unsigned at = next_capability_;
  CHECK(at + bytes <= 0x100);
  next_capability_ += (bytes + 3) / 4 * 4;
  define(last_link_, 1, at);
  define(at, 2, id);
  last_link_ = at + 1;
  define(config::status, 2, config::capabilities_list::mask);
  return at;
}

}  // namespace ioasim::pcie
