#include "scenarios/lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/quantity.hpp"
#include "scenarios/refused.hpp"

namespace ioasim::scenarios {

Hva memory_of(World& world, std::uint64_t bytes) {
  const Hva memory = world.user().allocate(bytes);
  for (std::uint64_t at = 0; at < bytes; at += page_bytes) {
    if (world.user().physical(memory + at)) continue;
    const auto text = config::Text<Bytes>::print;
    throw Refused{fmt::format("memory: {} asked for; memory.capacity is {}", text({bytes}),
                              text(world.machine().description().memory.capacity))};
  }
  return memory;
}

void store_lines(kernel::Thread& thread, Hva from, std::uint64_t bytes, std::uint64_t value) {
  std::array<std::uint64_t, page_bytes / sizeof value> page;
  page.fill(value);
  for (std::uint64_t at = 0; at < bytes; at += page_bytes) {
    const auto part = std::min(bytes - at, page_bytes);
    CHECK(thread.store(from + at, std::as_bytes(std::span{page}).first(part)) == 0);
  }
  thread.mfence();
}

void flush_caches(kernel::Thread& thread, bool invalidate) {
  thread.call_driver([=](cpu::Instructions& cpu) { invalidate ? cpu.wbinvd() : cpu.wbnoinvd(); });
}

}  // namespace ioasim::scenarios
