// What an access of the core is, by memory type; its registers; interrupts; the passing of time.
#include <fmt/format.h>

#include <algorithm>

#include "cpu/core.hpp"
#include "cpu/msr.hpp"

namespace ioasim::cpu {

// ---- memory types ----

// Within one page.
Core::Route Core::route(Hpa address, std::uint64_t bytes, PatIndex pat) const {
  const auto mtrr = mtrrs_.type(address);
  Route route{.type = effective(mtrr, pat_[pat])};
  route.memory = home_.holds(address, bytes);
  // What no memory answers for cannot be cached.
  if (!route.memory && route.type != MemoryType::write_combining) {
    route.type = MemoryType::uncached;
  }
  const bool uncached =
      route.type == MemoryType::uncached || route.type == MemoryType::write_combining;
  route.coherent = !uncached || (params_.self_snoop && mtrr != MemoryType::uncached);
  route.fill = !caches_disabled_;
  return route;
}

// Which PAT entries make every byte of memory write-back: the common case, found at once.
void Core::types_changed() {
  plain_ = 0;
  if (caches_disabled_) return;
  const auto write_back = [&](const Range<Hpa>& range) {
    return mtrrs_.type(range) == MemoryType::write_back;
  };
  const auto& memory = home_.memory_map();
  if (!std::all_of(memory.begin(), memory.end(), write_back)) return;
  for (std::uint8_t n = 0; n < 8; ++n) {
    if (pat_[PatIndex{n}] == MemoryType::write_back) plain_ |= static_cast<std::uint8_t>(1u << n);
  }
}

void Core::disable_caches(bool disabled) {
  supervisor_only("mov to CR0");
  all_ended();
  caches_disabled_ = disabled;
  types_changed();
}

// ---- faults ----

void Core::fault(Exception exception, const std::string& reason) {
  ++stats_.faults;
  throw Fault{exception, reason};
}

void Core::supervisor_only(const char* instruction) {
  if (privilege_ == Privilege::supervisor) return;
  fault(Exception::general_protection, fmt::format("{} needs CPL 0", instruction));
}

// ---- model-specific registers ----

namespace {

constexpr std::uint64_t write_combining_supported = 1u << 10;

// The number of a variable range, if `index` is one of its registers.
std::optional<unsigned> range_of(std::uint32_t index) {
  const auto n = index - msr::mtrr_phys_base0;
  if (index < msr::mtrr_phys_base0 || n >= 2 * Mtrrs::ranges) return std::nullopt;
  return n / 2;
}

}  // namespace

std::uint64_t Core::rdmsr(std::uint32_t index) {
  supervisor_only("rdmsr");
  execute(cycle_);
  if (const auto range = range_of(index)) {
    return index % 2 == 0 ? mtrrs_.read_base(*range) : mtrrs_.read_mask(*range);
  }
  switch (index) {
    case msr::mtrr_cap:
      return write_combining_supported | Mtrrs::ranges;
    case msr::mtrr_def_type:
      return mtrrs_.read_default();
    case msr::pat:
      return pat_.read();
    case msr::pasid:
      return pasid_;
    case msr::iio_llc_ways:
      return home_.io_ways(home_.topology().socket_of(number_));
    default:
      fault(Exception::general_protection, fmt::format("rdmsr {:#x}: no such register", index));
  }
}

void Core::wrmsr(std::uint32_t index, std::uint64_t value) {
  supervisor_only("wrmsr");
  if (!write_msr(index, value)) {
    fault(Exception::general_protection,
          fmt::format("wrmsr {:#x}: no such register, or not {:#x}", index, value));
  }
  types_changed();
  execute(cycle_);
}

// False if the register does not exist, or does not take the value.
bool Core::write_msr(std::uint32_t index, std::uint64_t value) {
  all_ended();  // serialising, and types may change
  if (const auto range = range_of(index)) {
    return index % 2 == 0 ? mtrrs_.write_base(*range, value) : mtrrs_.write_mask(*range, value);
  }
  switch (index) {
    case msr::mtrr_def_type:
      return mtrrs_.write_default(value);
    case msr::pat:
      return pat_.write(value);
    case msr::pasid:
      if ((value & ~(msr::pasid_valid | 0xf'ffff)) != 0) return false;
      pasid_ = value;
      return true;
    case msr::iio_llc_ways:
      if ((value & ~std::uint64_t{home_.every_way()}) != 0) return false;
      home_.set_io_ways(home_.topology().socket_of(number_), static_cast<std::uint32_t>(value));
      return true;
    default:
      return false;
  }
}

// ---- time ----

void Core::execute(Picoseconds duration) { thread_.sleep(duration); }

void Core::finish(Picoseconds at) {
  finished_at_ = at;
  thread_.unpark(at);
}

// An interrupt may wake the thread meanwhile; it is taken later.
void Core::await_finish() {
  do {
    thread_.park();
  } while (!finished_at_ || clock_.now() < *finished_at_);
  finished_at_.reset();
}

// ---- interrupts ----

void Core::interrupt(std::uint8_t vector) {
  pending_interrupts_.set(vector);
  TRACE(bus_, clock_.now(), trace::Interrupt{number_, vector});
  thread_.unpark(clock_.now());
}

// Taking an interrupt empties the write-combining buffers (SDM vol. 3, 12.3.1).
bool Core::wait_for_interrupt(std::uint8_t vector, Picoseconds timeout) {
  const auto deadline = timeout == forever ? forever : clock_.now() + timeout;
  if (!pending_interrupts_.test(vector) && deadline != forever) thread_.unpark(deadline);
  while (!pending_interrupts_.test(vector)) {
    if (clock_.now() >= deadline) return false;
    thread_.park();
  }
  pending_interrupts_.reset(vector);
  empty_write_combining();
  ++stats_.interrupts;
  thread_.sleep(params_.interrupt);
  return true;
}

}  // namespace ioasim::cpu
