#include "cpu/core.hpp"

#include <algorithm>

namespace ioasim::cpu {

Core::Core(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
           cache::HomeAgent& home, const Params& params, const cache::Params& caches,
           unsigned number)
    : sc_module{name},
      mmio{"mmio", clock, *this},
      clock_{clock},
      bus_{bus},
      home_{home},
      caches_{home.caches(number)},
      params_{params},
      cycle_{period(params.clock)},
      l1_lookup_{caches.l1d.lookup},
      l2_lookup_{caches.l2.lookup},
      number_{number},
      thread_{clock},
      fill_buffers_(params.fill_buffers) {
  for (std::uint64_t n = params.fill_buffers; n-- > 0;) free_buffers_.push_back(n);
}

// ---- cached accesses ----

void Core::load(Hpa address, std::span<std::byte> into) {
  ++stats_.loads;
  if (!home_.holds(address, into.size())) {
    std::fill(into.begin(), into.end(), std::byte{0xff});
    return execute(l1_lookup_ + l2_lookup_);
  }
  access(address, into, false);
}

void Core::store(Hpa address, std::span<const std::byte> from) {
  ++stats_.stores;
  if (!home_.holds(address, from.size())) return execute(l1_lookup_ + l2_lookup_);
  access(address, {const_cast<std::byte*>(from.data()), from.size()}, true);
}

// Lines go to level 1 one a cycle; a hit takes effect at once, a miss when it reaches the home
// agent. The access is done when its last line is.
void Core::access(Hpa address, std::span<std::byte> data, bool write) {
  auto issue = clock_.now();
  auto done = issue;
  for (std::uint64_t from = 0; from < data.size(); issue += cycle_) {
    const auto offset = (address + from).value % line_bytes;
    const auto bytes = std::min(line_bytes - offset, data.size() - from);
    const Piece piece{(address + from).line(), offset, data.data() + from, bytes, write};
    from += bytes;
    const auto level = caches_.access(piece.line, write);
    if (level == cache::Level::beyond) {
      start_miss(piece, issue + l1_lookup_ + l2_lookup_);
      issue = std::max(issue, clock_.now());
      continue;
    }
    move(piece);
    const auto l2_time = level == cache::Level::l2 ? l2_lookup_ : Picoseconds{};
    done = std::max(done, issue + l1_lookup_ + l2_time);
  }
  while (free_buffers_.size() < fill_buffers_.size()) thread_.park();
  thread_.sleep_until(done);
}

// The piece's line is in level 1, in the right state.
void Core::move(const Piece& piece) {
  std::byte* const held = caches_.data(piece.line).data() + piece.offset;
  const Hpa address{piece.line * line_bytes + piece.offset};
  const std::span<const std::byte> data{piece.data, piece.bytes};
  if (piece.write) {
    std::copy_n(piece.data, piece.bytes, held);
    TRACE(bus_, clock_.now(), trace::MemoryWrite{trace::Agent::core, number_, address, data, true});
  } else {
    std::copy_n(held, piece.bytes, piece.data);
    TRACE(bus_, clock_.now(), trace::MemoryRead{trace::Agent::core, number_, address, data, true});
  }
}

void Core::start_miss(const Piece& piece, Picoseconds at) {
  while (free_buffers_.empty()) thread_.park();
  const auto buffer = free_buffers_.back();
  free_buffers_.pop_back();
  fill_buffers_[buffer] = piece;
  clock_.at<&Core::miss>(std::max(at, clock_.now()), this, buffer);
}

void Core::miss(std::uint64_t buffer) {
  const Piece& piece = fill_buffers_[buffer];
  const auto done = home_.fetch(number_, piece.line, piece.write);
  move(piece);
  clock_.at<&Core::filled>(done, this, buffer);
}

void Core::filled(std::uint64_t buffer) {
  free_buffers_.push_back(buffer);
  thread_.unpark(clock_.now());
}

// ---- cache maintenance ----

void Core::clflush(Hpa address) {
  ++stats_.flushes;
  if (!home_.holds(address.line_base(), line_bytes)) return execute(params_.clflush);
  clock_.at<&Core::flush_line>(clock_.now() + l1_lookup_ + l2_lookup_, this, address.line());
  await_finish();
}

void Core::flush_line(std::uint64_t line) { finish(home_.flush(number_, line) + params_.clflush); }

void Core::wbinvd() {
  flush_caches().start();
  await_finish();
}

sim::Task<> Core::flush_caches() {
  co_await home_.flush_all(number_);
  finish(clock_.now());
}

void Core::mfence() { execute(params_.fence); }

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

void Core::execute(Picoseconds duration) { thread_.sleep(duration); }

// ---- MMIO ----

std::uint64_t Core::read_uncached(Hpa address, unsigned bytes) {
  ++stats_.uncached_reads;
  std::uint64_t value = 0;
  auto& payload = pool_.take();
  payload.prepare(tlm::TLM_READ_COMMAND, address.value,
                  std::as_writable_bytes(std::span{&value, 1}).first(bytes));
  if (const auto done = mmio.send(payload, clock_.now())) {
    thread_.sleep_until(*done);
  } else {
    await_finish();
  }
  const bool answered = payload.is_response_ok();
  payload.release();
  return answered ? value : ~0ull >> (64 - 8 * bytes);
}

// Posted: the core goes on when the write has left it.
void Core::write_uncached(Hpa address, std::uint64_t value, unsigned bytes) {
  ++stats_.uncached_writes;
  thread_.sleep_until(next_uncached_write_);
  next_uncached_write_ = clock_.now() + params_.uncached_write;
  auto& payload = pool_.take();
  payload.prepare(tlm::TLM_WRITE_COMMAND, address.value, bytes);
  std::copy_n(std::as_bytes(std::span{&value, 1}).data(), bytes, sim::data_of(payload).data());
  if (mmio.send(payload, clock_.now())) payload.release();
  thread_.sleep(cycle_);
}

void Core::response(unsigned, sim::Transaction& transaction, Picoseconds at) {
  if (transaction.is_write()) {
    transaction.release();
  } else {
    finish(at);
  }
}

// ---- interrupts ----

void Core::interrupt(std::uint8_t vector) {
  pending_interrupts_.set(vector);
  TRACE(bus_, clock_.now(), trace::Interrupt{number_, vector});
  thread_.unpark(clock_.now());
}

bool Core::wait_for_interrupt(std::uint8_t vector, Picoseconds timeout) {
  const auto deadline = timeout == forever ? forever : clock_.now() + timeout;
  if (!pending_interrupts_.test(vector) && deadline != forever) thread_.unpark(deadline);
  while (!pending_interrupts_.test(vector)) {
    if (clock_.now() >= deadline) return false;
    thread_.park();
  }
  pending_interrupts_.reset(vector);
  ++stats_.interrupts;
  thread_.sleep(params_.interrupt);
  return true;
}

}  // namespace ioasim::cpu
