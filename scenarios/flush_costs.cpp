#include "scenarios/flush_costs.hpp"

#include <algorithm>

#include "scenarios/lines.hpp"
#include "scenarios/observers.hpp"

namespace ioasim::scenarios {
namespace {

constexpr auto no_snoop = devices::DmaDescriptor::source_no_snoop;

// Lines that a device reads of a buffer: few enough for an IOTLB to hold all their pages.
constexpr std::uint64_t sampled = 16;

void flush_line(kernel::Thread& user, LineFlush instruction, Hva line) {
  if (instruction == LineFlush::clflush) user.clflush(line);
  if (instruction == LineFlush::clflushopt) user.clflushopt(line);
  if (instruction == LineFlush::clwb) user.clwb(line);
}

}  // namespace

FlushCosts::FlushCosts(World& world, const State& state)
    : world_{world},
      state_{state},
      driver_{world, "dma0", EnforceSnoop::off},
      random_{world.random("lines")},
      buffer_{driver_.map(state.largest)},
      target_{driver_.map(page_bytes)},
      stored_(state.largest / line_bytes) {
  if (state.background > 0) background_ = memory_of(world, state.background);
}

FlushResult FlushCosts::measure(std::uint64_t bytes) {
  FlushResult result;
  const auto device_reads = [&](std::uint32_t flags) {
    const auto reads = read_sample(flags);
    result.arrived = result.arrived && reads.arrived;
    return reads.mean;
  };
  draw_sample(bytes);
  read_sample(0);  // its translations come in
  for (const auto how : {LineFlush::clflush, LineFlush::clflushopt, LineFlush::clwb}) {
    prepare(bytes);
    if (how == LineFlush::clflush) result.snooped_read = device_reads(0);
    result.loop[static_cast<std::size_t>(how)] = flush_lines(how, bytes);
    const auto read = device_reads(no_snoop);
    if (how == LineFlush::clflush) result.no_snoop_read = read;
  }
  result.wbinvd = wbinvd(bytes);
  device_reads(no_snoop);
  return result;
}

// Modified lines lie evenly between clean ones.
void FlushCosts::prepare(std::uint64_t bytes) {
  auto& user = world_.user();
  ++value_;
  if (state_.dirty_percent == 100) {
    std::fill_n(stored_.begin(), bytes / line_bytes, value_);
    return store_lines(user, buffer_.address, bytes, value_);
  }
  for (std::uint64_t n = 0; n < bytes / line_bytes; ++n) {
    const auto line = buffer_.address + n * line_bytes;
    if ((n + 1) * state_.dirty_percent / 100 > n * state_.dirty_percent / 100) {
      user.store(line, value_);
      stored_[n] = value_;
    } else {
      user.load<std::uint64_t>(line);
    }
  }
  user.mfence();
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

// One in each part of the buffer. In even distances they would share a set of the IOTLB.
void FlushCosts::draw_sample(std::uint64_t bytes) {
  const auto lines = bytes / line_bytes;
  sample_.resize(std::min(sampled, lines));
  for (std::uint64_t n = 0; n < sample_.size(); ++n) {
    sample_[n] = (n * lines + random_.between(0, lines - 1)) / sample_.size() * line_bytes;
  }
}

// One after the other. The device must get what was stored, and so must the CPU.
FlushCosts::Reads FlushCosts::read_sample(std::uint32_t flags) {
  auto& user = world_.user();
  Picoseconds sum{};
  Reads result;
  for (const auto at : sample_) {
    const HopRecorder hops{world_, driver_.device()};
    driver_.copy(buffer_.iova + at, target_.iova, line_bytes, flags);
    sum += hops.passages()[1].total();  // the first is the descriptor
    const auto stored = stored_[at / line_bytes];
    for (const Hva copy : {target_.address, buffer_.address + at}) {
      result.arrived = (user.load<std::uint64_t>(copy) == stored) && result.arrived;
    }
  }
  result.mean = sum / static_cast<std::int64_t>(sample_.size());
  return result;
}

}  // namespace ioasim::scenarios
