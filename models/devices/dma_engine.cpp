#include "devices/dma_engine.hpp"

#include <algorithm>

namespace ioasim::devices {
namespace {

// Ids of no vendor: the function exists in simulation only.
constexpr pcie::Identity identity_of_engine{
    .vendor = 0x1af5, .device = 0x0010, .class_code = 0x08'80'00};
constexpr std::uint32_t identity_value = 0x444d'4101;

constexpr std::uint64_t half(std::uint64_t whole, std::uint64_t offset, unsigned bytes) {
  return bytes == 8 ? whole : (offset % 8 == 0 ? whole & 0xffff'ffff : whole >> 32);
}

}  // namespace

DmaEngine::DmaEngine(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
                     const Params& params, const pcie::Assignment& assignment)
    : Endpoint{name, clock, bus, params.function, assignment, identity_of_engine},
      params_{params},
      requests_{clock, std::string{this->name()} + ".requests", params.requests_max},
      pieces_{clock, std::string{this->name()} + ".pieces"},
      buffers_(params.requests_max) {
  for (auto& buffer : buffers_) {
    buffer.resize(page_bytes);
    free_buffers_.push_back(buffer.data());
  }
}

// ---- registers ----

std::uint64_t DmaEngine::read_register(std::uint64_t offset, unsigned bytes) {
  switch (offset / 4 * 4) {
    case dma_register::identity:
      return identity_value;
    case dma_register::descriptor:
    case dma_register::descriptor + 4:
      return half(first_.value, offset, bytes);
    case dma_register::status:
      return static_cast<std::uint64_t>(status_);
    case dma_register::completed:
    case dma_register::completed + 4:
      return half(completed_, offset, bytes);
    case dma_register::error_address:
    case dma_register::error_address + 4:
      return half(error_address_.value, offset, bytes);
    default:
      return 0;
  }
}

void DmaEngine::write_register(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
  switch (offset) {
    case dma_register::descriptor:
      first_.value = bytes == 8 ? value : (first_.value >> 32 << 32) | (value & 0xffff'ffff);
      break;
    case dma_register::descriptor + 4:
      first_.value = (first_.value & 0xffff'ffff) | value << 32;
      break;
    case dma_register::doorbell:
      if (status_ == Status::running) break;
      status_ = Status::running;
      stop_ = failed_ = false;
      run().start();
      break;
    case dma_register::stop:
      stop_ = true;
      break;
    default:
      break;
  }
}

// ---- work ----

// One descriptor after the other, until the chain ends, software stops it, or an error does.
sim::Task<> DmaEngine::run() {
  co_await sim::Delay{clock_, params_.setup};
  Iova at = first_;
  for (bool more = true; more;) {
    DmaDescriptor descriptor;
    const auto into = std::as_writable_bytes(std::span{&descriptor, 1});
    const auto begin = clock_.now();
    if (co_await read(at, into, {}) != pcie::CompletionStatus::successful) {
      fail(at);
      break;
    }
    co_await copy(descriptor);
    if (failed_) break;
    ++completed_;
    ++engine_stats_.descriptors;
    engine_stats_.copy_ps.sample(static_cast<std::uint64_t>((clock_.now() - begin).count()));
    if ((descriptor.flags & DmaDescriptor::interrupt) != 0) interrupt();
    more = (descriptor.flags & DmaDescriptor::chain) != 0 && !stop_;
    at = Iova{descriptor.next};
  }
  status_ = failed_ ? Status::halted : Status::done;
}

// The rounds of a cyclic copy follow one another without a gap.
sim::Task<> DmaEngine::copy(DmaDescriptor descriptor) {
  const bool cyclic = (descriptor.flags & DmaDescriptor::cyclic) != 0 && descriptor.bytes > 0;
  do {
    co_await copy_once(descriptor);
  } while (cyclic && !stop_ && !failed_);
  co_await pieces_.wait();
}

sim::Task<> DmaEngine::copy_once(DmaDescriptor descriptor) {
  Iova source{descriptor.source};
  Iova target{descriptor.target};
  const auto largest = max_read_request();
  for (std::uint64_t left = descriptor.bytes; left > 0;) {
    co_await requests_.take();
    if (failed_) {
      requests_.give();
      break;
    }
    co_await sim::Until{clock_, next_issue_};
    next_issue_ = clock_.now() + params_.issue;
    const auto bytes = pcie::request_split(source.value, left, largest);
    pieces_.add();
    move({source, target, bytes, descriptor.flags}).start();
    source += bytes;
    target += bytes;
    left -= bytes;
  }
}

sim::Task<> DmaEngine::move(Piece piece) {
  const auto buffer = take_buffer();
  const auto data = buffer.first(piece.bytes);
  const bool read_past_caches = (piece.flags & DmaDescriptor::source_no_snoop) != 0;
  const bool write_past_caches = (piece.flags & DmaDescriptor::target_no_snoop) != 0;
  const auto status = co_await read(piece.source, data, {.no_snoop = read_past_caches});
  if (status == pcie::CompletionStatus::successful) {
    co_await write(piece.target, data, {.no_snoop = write_past_caches});
    engine_stats_.bytes += piece.bytes;
  } else {
    fail(piece.source);
  }
  give_buffer(buffer);
  requests_.give();
  pieces_.done();
}

std::span<std::byte> DmaEngine::take_buffer() {
  std::byte* const buffer = free_buffers_.back();
  free_buffers_.pop_back();
  return {buffer, page_bytes};
}

void DmaEngine::give_buffer(std::span<std::byte> buffer) { free_buffers_.push_back(buffer.data()); }

void DmaEngine::fail(Iova at) {
  if (!failed_) error_address_ = at;
  failed_ = true;
}

}  // namespace ioasim::devices
