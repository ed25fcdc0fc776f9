#include "trace/hash_sink.hpp"

#include <type_traits>

namespace ioasim::trace {
namespace {

constexpr std::uint64_t fnv_prime = 0x100000001b3ull;

}  // namespace

void HashSink::on(Picoseconds at, const Event& event) {
  ++events_;
  const auto hash_field = [this](const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_integral_v<Value> || std::is_enum_v<Value>) {
      mix(static_cast<std::uint64_t>(value), sizeof value);
    } else if constexpr (std::is_same_v<Value, Data>) {
      mix(value);
    } else if constexpr (std::is_same_v<Value, std::string_view>) {
      mix(std::as_bytes(std::span{value}));
    } else if constexpr (std::is_same_v<Value, Picoseconds>) {
      mix(static_cast<std::uint64_t>(value.count()), 8);
    } else if constexpr (requires { value.base.value; }) {
      mix(value.base.value, sizeof value.base.value);
      mix(value.bytes, sizeof value.bytes);
    } else {
      mix(value.value, sizeof value.value);
    }
  };
  mix(static_cast<std::uint64_t>(at.count()), 8);
  mix(event.index(), 1);
  std::visit(
      [&]<class Kind>(const Kind& kind) {
        for_each_field<Kind>([&](const auto& field) { hash_field(kind.*field.member); });
      },
      event);
}

// Least significant byte first, whatever the host's order.
void HashSink::mix(std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) hash_ = (hash_ ^ (value >> 8 * i & 0xff)) * fnv_prime;
}

void HashSink::mix(std::span<const std::byte> bytes) {
  mix(bytes.size(), 8);
  for (const std::byte byte : bytes) {
    hash_ = (hash_ ^ std::to_integer<std::uint64_t>(byte)) * fnv_prime;
  }
}

}  // namespace ioasim::trace
