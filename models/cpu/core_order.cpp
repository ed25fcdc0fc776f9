// What orders memory: flushes of lines and whole caches, fences, locked operations.
#include <algorithm>
#include <boost/container/static_vector.hpp>
#include <cstring>

#include "cpu/core.hpp"

namespace ioasim::cpu {

// ---- one line ----

// Ordered with stores and with each other: one after the other.
void Core::clflush(Hpa address) {
  ++stats_.flushes;
  if (!home_.holds(address.line_base(), line_bytes)) return execute(params_.clflush);
  empty_write_combining();
  wait_for([&] { return stores_visible() && combined_writes_ == 0; });
  begin_flush(address.line(), trace::Flush::clflush);
  wait_for([&] { return uses_[index(Use::flush)] == 0; });
}

void Core::clflushopt(Hpa address) { flush_weakly(address, false); }
void Core::clwb(Hpa address) { flush_weakly(address, true); }

// Goes through the store buffer, and so after older stores to its line, which also leave the
// write-combining buffers first; it is done some time after it has left.
void Core::flush_weakly(Hpa address, bool keep) {
  ++stats_.flushes;
  if (!home_.holds(address.line_base(), line_bytes)) return execute(cycle_);
  if (combining_in_use()) empty_write_combining(address.line());
  if (stores_.full()) wait_for([&] { return !stores_.full(); });
  TRACE(bus_, clock_.now(),
        trace::FlushHeld{number_, address.line_base(),
                         keep ? trace::Flush::clwb : trace::Flush::clflushopt});
  stores_.push_flush(address.line(), keep);
  drain_stores();
  execute(cycle_);
}

void Core::begin_flush(std::uint64_t line, trace::Flush instruction) {
  const auto buffer = take_buffer(Use::flush, Piece{line, 0, {}});
  fill_buffers_[buffer].instruction = instruction;
  clock_.at<&Core::flush_line>(clock_.now() + l1_lookup_ + l2_lookup_, this, std::uint64_t{buffer});
}

void Core::flush_line(std::uint64_t buffer) {
  const FillBuffer& fill = fill_buffers_[buffer];
  home_.flush(number_, fill.piece.line, fill.instruction, {&Core::flushed_at, this, buffer});
}

void Core::flushed_at(void* core, std::uint64_t buffer, Picoseconds done) {
  auto& self = *static_cast<Core*>(core);
  filled_at(core, buffer, done + self.params_.clflush);
}

// ---- whole caches: serialising, and not interruptible ----

void Core::wbinvd() {
  supervisor_only("wbinvd");
  flush_caches(trace::Flush::wbinvd);
}

void Core::wbnoinvd() {
  supervisor_only("wbnoinvd");
  flush_caches(trace::Flush::wbnoinvd);
}

void Core::invd() {
  supervisor_only("invd");
  flush_caches(trace::Flush::invd);
}

void Core::flush_caches(trace::Flush instruction) {
  ++stats_.cache_flushes;
  all_ended();
  flush_all(instruction).start();
  await_finish();
}

sim::Task<> Core::flush_all(trace::Flush instruction) {
  co_await home_.flush_all(number_, instruction);
  finish(clock_.now());
}

// ---- fences ----

// Every store and flush of this core has ended. A prefetch is ordered with neither fences nor
// locked operations (SDM vol. 2, PREFETCHh).
void Core::all_visible() {
  empty_write_combining();
  wait_for(
      [&] { return stores_visible() && combined_writes_ == 0 && uses_[index(Use::flush)] == 0; });
}

// And prefetches: nothing will be brought in.
void Core::all_ended() {
  all_visible();
  wait_for([&] { return free_buffers_.size() == fill_buffers_.size(); });
}

void Core::mfence() {
  all_visible();
  execute(params_.fence);
}

// No load begins before the one before it has ended: there is none to hold back.
void Core::sfence() { mfence(); }

void Core::lfence() { execute(params_.fence); }

void Core::release() {
  wait_for([&] { return stores_visible(); });
}

// ---- locked operations ----

std::uint64_t Core::lock_add(Hpa address, std::uint64_t value, unsigned bytes) {
  return locked(address, bytes, [=](std::uint64_t old) { return old + value; });
}

std::uint64_t Core::lock_exchange(Hpa address, std::uint64_t value, unsigned bytes) {
  return locked(address, bytes, [=](std::uint64_t) { return value; });
}

std::uint64_t Core::lock_compare_exchange(Hpa address, std::uint64_t expected,
                                          std::uint64_t desired, unsigned bytes) {
  return locked(address, bytes, [=](std::uint64_t old) { return old == expected ? desired : old; });
}

// What a locked operation does once it has its lines.
struct Core::Locked {
  Hpa address;
  unsigned bytes;
  std::uint64_t (*apply)(const void* operation, std::uint64_t old);
  const void* operation;
  Core* core = nullptr;
  bool cached = true;  // else the value is read and written round the caches
  Around around{};     // then, how
  std::uint64_t old = 0;
  bool missed = false;
  unsigned pending = 0;  // lines that are under way, and lock_lines() itself
  Picoseconds done{};    // the last of them is here
  Picoseconds extra{};   // and then it takes this
  boost::container::static_vector<cache::HomeAgent::Hold, 2> held{};  // its lines, until it ends
};

template <class Operation>
std::uint64_t Core::locked(Hpa address, unsigned bytes, Operation operation) {
  check_operand(bytes);
  all_visible();
  const auto last = (address + (bytes - 1)).line();
  wait_for([&] { return !filling(address.line()) && !filling(last); });
  const auto apply = [](const void* what, std::uint64_t old) {
    return (*static_cast<const Operation*>(what))(old);
  };
  Locked request{
      .address = address, .bytes = bytes, .apply = apply, .operation = &operation, .core = this};
  bool caches_off = false;
  if (!plain(address, bytes, {})) {
    const Route way = route(address, bytes, {});
    const Route end = route(address + (bytes - 1), 1, {});
    const bool write_back = way.type == MemoryType::write_back && end.type == way.type;
    request.cached = write_back && way.fill;
    caches_off = write_back && !way.fill;
    request.around = way.coherent ? Around::uncached : Around::bypass;
    if (!way.memory) return lock_device(address, bytes, operation);
  }
  const auto at = clock_.now() + l1_lookup_;
  if (caches_off) {
    clock_.at<&Core::lock_owned_lines>(at, this, &request);
  } else {
    clock_.at<&Core::lock_lines>(at, this, &request);
  }
  await_finish();
  return request.old;
}

// Nothing is brought in, and the lines that the core owns stay.
void Core::lock_owned_lines(Locked* request) {
  home_.catch_up();
  request->cached = lines_held(*request);
  lock_lines(request);
}

// PCIe knows no lock of ours: a device sees a read and a write.
template <class Operation>
std::uint64_t Core::lock_device(Hpa address, unsigned bytes, Operation operation) {
  std::uint64_t old = 0;
  load(address, std::as_writable_bytes(std::span{&old, 1}).first(bytes));
  const std::uint64_t value = operation(old);
  store(address, std::as_bytes(std::span{&value, 1}).first(bytes));
  execute(params_.bus_lock);
  return old;
}

// In one step, so that nobody comes between the read and the write.
void Core::lock_lines(Locked* request) {
  std::uint64_t wide = 0;
  const auto value = std::as_writable_bytes(std::span{&wide, 1}).first(request->bytes);
  request->done = clock_.now();
  request->pending = 1;
  home_.catch_up();
  const auto each = [&](auto visit) { cache::for_each_piece(request->address, value, visit); };
  const auto around = [&](const Piece& piece, bool write) {
    ++request->pending;
    home_.access(number_, piece, write, request->around, {&Core::line_locked, request, 0});
  };
  if (request->cached) {
    do {  // of two lines, one may displace the other
      each([&](const Piece& piece) { lock_line(*request, piece.line); });
    } while (!lines_held(*request));
    each([&](const Piece& piece) { deliver(piece, caches_.data(piece.line).data()); });
  } else {
    each([&](const Piece& piece) { around(piece, false); });
  }
  request->old = wide;
  wide = request->apply(request->operation, wide);
  if (request->cached) {
    each([&](const Piece& piece) {
      commit(piece, caches_.data(piece.line).data());
      request->held.push_back(home_.lock(number_, piece.line));
    });
  } else {
    each([&](const Piece& piece) { around(piece, true); });
  }
  const bool split = request->address.line() != (request->address + (request->bytes - 1)).line();
  request->extra = params_.locked;
  if (split || !request->cached) request->extra += params_.bus_lock;
  if (request->missed) request->extra += l2_lookup_;
  line_locked(request, 0, clock_.now());
}

bool Core::lines_held(const Locked& request) {
  const auto last = (request.address + (request.bytes - 1)).line();
  return caches_.access(request.address.line(), true).data != nullptr &&
         caches_.access(last, true).data != nullptr &&
         caches_.access(request.address.line(), true).level == cache::Level::l1;
}

// Brings a line in to be written.
void Core::lock_line(Locked& request, std::uint64_t line) {
  if (caches_.access(line, true).data != nullptr) return;
  ++request.pending;
  request.missed = true;
  home_.fetch(number_, line, Want::write, {&Core::line_locked, &request, 0});
}

void Core::line_locked(void* locked, std::uint64_t, Picoseconds done) {
  auto& request = *static_cast<Locked*>(locked);
  request.done = std::max(request.done, done);
  if (--request.pending > 0) return;
  Core& self = *request.core;
  const auto end = std::max(request.done, self.clock_.now()) + request.extra;
  for (const auto& hold : request.held) self.home_.unlock(hold, end);
  self.finish(end);
}

}  // namespace ioasim::cpu
