#include "scenarios/flush_costs.hpp"

#include <algorithm>

#include "scenarios/lines.hpp"

namespace ioasim::scenarios {
namespace {

// Lines that a device reads of a buffer: few enough for an IOTLB to hold all their pages.
constexpr std::uint64_t sampled = 16;

void flush_line(kernel::Thread& user, LineFlush instruction, Hva line) {
  if (instruction == LineFlush::clflush) user.clflush(line);
  if (instruction == LineFlush::clflushopt) user.clflushopt(line);
  if (instruction == LineFlush::clwb) user.clwb(line);
}

}  // namespace

FlushCosts::FlushCosts(World& world, const State& state)
    : world_{world}, state_{state}, driver_{world, "dma0", EnforceSnoop::off} {
  buffer_ = driver_.map(state.largest);
  target_ = driver_.map(page_bytes);
  if (state.background > 0) background_ = memory_of(world, state.background);
}

// Modified lines lie evenly between clean ones.
void FlushCosts::prepare(std::uint64_t bytes) {
  auto& user = world_.user();
  if (state_.dirty_percent == 100) return store_lines(user, buffer_.address, bytes, ++value_);
  for (std::uint64_t n = 0; n < bytes / line_bytes; ++n) {
    const auto line = buffer_.address + n * line_bytes;
    if ((n + 1) * state_.dirty_percent / 100 > n * state_.dirty_percent / 100) {
      user.store<std::uint64_t>(line, n);
    } else {
      user.load<std::uint64_t>(line);
    }
  }
  user.mfence();
}

Picoseconds FlushCosts::flush(LineFlush instruction, std::uint64_t bytes) {
  prepare(bytes);
  return flush_lines(instruction, bytes);
}

Picoseconds FlushCosts::flush_lines(LineFlush instruction, std::uint64_t bytes) {
  auto& user = world_.user();
  const auto begin = world_.now();
  for (std::uint64_t at = 0; at < bytes; at += line_bytes) {
    flush_line(user, instruction, buffer_.address + at);
  }
  user.sfence();
  return world_.now() - begin;
}

Picoseconds FlushCosts::wbinvd(std::uint64_t bytes) {
  auto& user = world_.user();
  flush_caches(user);  // nothing else is cached
  store_lines(user, background_, state_.background, ++value_);
  prepare(bytes);
  const auto begin = world_.now();
  flush_caches(user);
  return world_.now() - begin;
}

FlushCosts::Snooped FlushCosts::clflush(std::uint64_t bytes) {
  read_ps(bytes, 0);  // its translations come in
  prepare(bytes);
  const auto snooped = read_ps(bytes, 0);
  const auto time = flush_lines(LineFlush::clflush, bytes);
  const auto past = read_ps(bytes, devices::DmaDescriptor::source_no_snoop);
  const auto lines = static_cast<std::int64_t>(bytes / line_bytes);
  const auto read = std::min(static_cast<std::int64_t>(sampled), lines);
  const auto adder = static_cast<std::int64_t>(snooped) - static_cast<std::int64_t>(past);
  return {time, Picoseconds{adder * lines / read}};
}

// The device's reads of lines that lie evenly in the buffer, together.
std::uint64_t FlushCosts::read_ps(std::uint64_t bytes, std::uint32_t flags) {
  const auto before = driver_.engine().function_stats().read_ps.sum();
  const auto lines = bytes / line_bytes;
  for (std::uint64_t n = 0; n < std::min(sampled, lines); ++n) {
    const auto line = lines * n / std::min(sampled, lines);
    driver_.copy(buffer_.iova + line * line_bytes, target_.iova, line_bytes, flags);
  }
  return driver_.engine().function_stats().read_ps.sum() - before;
}

}  // namespace ioasim::scenarios
