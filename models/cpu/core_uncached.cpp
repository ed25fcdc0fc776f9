// Accesses that go round the core's caches: to memory of uncached, write-combining, write-through
// and write-protected types, and to devices.
#include <algorithm>
#include <array>
#include <cstring>

#include "cpu/core.hpp"
#include "cpu/msr.hpp"
#include "pcie/tlp_extension.hpp"

namespace ioasim::cpu {

// ---- memory ----

struct Core::GoAround {
  cache::Piece piece;
  bool write;
  Around around;
  bool owned;  // first the core looks whether it owns the line
};

// Strongly ordered: after every earlier store, and one after the other.
void Core::access_uncached(Hpa address, std::span<std::byte> data, bool write, const Route& route) {
  empty_write_combining();
  wait_for([&] { return stores_visible(); });
  if (!route.memory) {
    for (std::uint64_t from = 0; from < data.size();) {  // naturally aligned, up to 8 bytes
      const auto at = address + from;
      std::uint64_t bytes = 8;
      while (at.value % bytes != 0 || bytes > data.size() - from) bytes /= 2;
      std::uint64_t value = 0;
      const auto size = static_cast<unsigned>(bytes);
      if (write) {
        std::memcpy(&value, data.data() + from, bytes);
        write_uncached(at, value, size);
      } else {
        value = read_uncached(at, size);
        std::memcpy(data.data() + from, &value, bytes);
      }
      from += bytes;
    }
    return;
  }
  wait_for([&] { return combined_writes_ == 0; });
  // A write-back store comes here while caches are off: it writes the line that the core owns, or
  // through a copy of it.
  const bool write_back = write && route.type == MemoryType::write_back;
  const bool through = write_back || (write && route.type == MemoryType::write_through);
  const auto around = through          ? Around::write_through
                      : route.coherent ? Around::uncached
                                       : Around::bypass;
  cache::for_each_piece(address, data, [&](const Piece& piece) {
    GoAround access{piece, write, around, write_back};
    clock_.at<&Core::go_around>(clock_.now() + l1_lookup_ + l2_lookup_, this, &access);
    await_finish();
  });
}

void Core::go_around(GoAround* access) {
  const auto& piece = access->piece;
  if (access->owned) {
    home_.catch_up();
    if (const auto hit = caches_.access(piece.line, true); hit.data != nullptr) {
      commit(piece, hit.data);
      return finish(clock_.now());
    }
  }
  home_.access(number_, piece, access->write, access->around, {&Core::finish_at, this, 0});
}

// ---- write combining ----

void Core::store_nt(Hpa address, std::span<const std::byte> from, PatIndex pat) {
  ++stats_.stores;
  for_each_page(address, from, pat, [&](Hpa at, auto part, const Route& way) {
    if (way.type == MemoryType::uncached || way.type == MemoryType::write_protected) {
      return store(at, part, pat);  // the type overrules the hint (SDM vol. 1, 10.4.6.2)
    }
    combine(at, part, way.coherent || way.type != MemoryType::write_combining);
  });
}

// Coherent: the line is taken out of the caches when its buffer is emptied.
void Core::combine(Hpa address, std::span<const std::byte> from, bool coherent) {
  cache::for_each_piece(address, only_read(from), [&](const Piece& piece) {
    wait_for([&] { return !stores_.holds_line(piece.line) && !filling(piece.line); });
    if (home_.holds(piece.address(), piece.data.size())) {
      TRACE(bus_, clock_.now(), trace::StoreHeld{number_, piece.address(), piece.data});
    }
    const auto out = combining_.add(piece.address(), piece.data, coherent, clock_.now());
    if (out) write_out(*out);
    thread_.sleep(cycle_);
  });
}

void Core::write_out(const WriteCombining::Contents& contents) {
  if (combined_.full()) combined_.set_capacity(2 * combined_.capacity());
  combined_.push_back(contents);
  ++combined_writes_;
  clock_.at<&Core::write_combined>(clock_.now() + l1_lookup_ + l2_lookup_, this);
}

// Each run of bytes that were stored becomes a write.
void Core::write_combined() {
  const auto contents = combined_.front();
  combined_.pop_front();
  const bool memory = home_.holds(contents.line, line_bytes);
  if (!memory) {
    TRACE(bus_, clock_.now(), trace::UncachedStore{number_, contents.line, contents.stored});
  }
  for (std::size_t begin = 0; begin < line_bytes;) {
    if (!contents.written[begin]) {
      ++begin;
      continue;
    }
    auto end = begin;
    while (end < line_bytes && contents.written[end]) ++end;
    const auto data = std::span{contents.data}.subspan(begin, end - begin);
    if (memory) {
      const Piece piece{contents.line.line(), begin, only_read(data)};
      const auto around = contents.coherent ? Around::uncached : Around::bypass;
      ++combined_writes_;
      home_.access(number_, piece, true, around, {&Core::combined_at, this, 0});
    } else {
      device_write(contents.line + begin, data);
    }
    begin = end;
  }
  combined();
}

void Core::combined_at(void* core, std::uint64_t, Picoseconds done) {
  auto& self = *static_cast<Core*>(core);
  self.clock_.at<&Core::combined>(std::max(done, self.clock_.now()), &self);
}

void Core::combined() {
  --combined_writes_;
  advance();
}

void Core::empty_write_combining() {
  while (const auto out = combining_.take_oldest()) write_out(*out);
}

// An access that is not weakly ordered meets its line there, or on its way from there.
void Core::empty_write_combining(std::uint64_t line) {
  if (const auto out = combining_.take(line)) write_out(*out);
  wait_for([&] {
    return std::none_of(combined_.begin(), combined_.end(),
                        [&](const auto& contents) { return contents.line.line() == line; });
  });
}

// ---- devices ----

std::uint64_t Core::read_uncached(Hpa address, unsigned bytes) {
  check_operand(bytes);
  ++stats_.uncached_reads;
  empty_write_combining();
  wait_for([&] { return stores_visible() && combined_writes_ == 0; });
  std::uint64_t value = 0;
  auto& payload = pool_.take();
  payload.prepare(tlm::TLM_READ_COMMAND, address.value,
                  std::as_writable_bytes(std::span{&value, 1}).first(bytes));
  pcie::tlp_of(payload).kind = pcie::TlpKind::memory_read;
  send_and_wait(payload);
  const bool answered = payload.is_response_ok();
  payload.release();
  return answered ? value : ~0ull >> (64 - 8 * bytes);
}

// Posted: the core goes on when the write has left it. Weakly ordered stores and flushes may still
// be on their way.
void Core::write_uncached(Hpa address, std::uint64_t value, unsigned bytes) {
  check_operand(bytes);
  ++stats_.uncached_writes;
  empty_write_combining();
  // What was combined for a device is posted before this write, and stays before it.
  wait_for([&] {
    return stores_visible() &&
           std::none_of(combined_.begin(), combined_.end(),
                        [&](const auto& out) { return !home_.holds(out.line, line_bytes); });
  });
  thread_.sleep_until(next_uncached_write_);
  next_uncached_write_ = clock_.now() + params_.uncached_write;
  TRACE(bus_, clock_.now(), trace::UncachedStore{number_, address, clock_.now()});
  device_write(address, std::as_bytes(std::span{&value, 1}).first(bytes));
  thread_.sleep(cycle_);
}

void Core::device_write(Hpa address, std::span<const std::byte> from) {
  auto& payload = pool_.take();
  payload.prepare(tlm::TLM_WRITE_COMMAND, address.value, from.size());
  pcie::tlp_of(payload).kind = pcie::TlpKind::memory_write;
  std::ranges::copy(from, sim::data_of(payload).begin());
  if (mmio.send(payload, clock_.now())) payload.release();
}

void Core::send_and_wait(sim::Payload& payload) {
  awaited_ = &payload;
  if (const auto done = mmio.send(payload, clock_.now())) {
    thread_.sleep_until(*done);
  } else {
    await_finish();
  }
  awaited_ = nullptr;
}

// What nobody waits for was posted.
void Core::response(unsigned, sim::Transaction& transaction, Picoseconds at) {
  if (&transaction == awaited_) {
    finish(at);
  } else {
    transaction.release();
  }
}

// ---- 64-byte commands ----

void Core::check_command(const char* instruction, Hpa address) {
  if (address.value % line_bytes == 0) return;
  fault(Exception::general_protection, std::string{instruction} + " needs a multiple of 64");
}

void Core::movdir64b(Hpa address, Command command) {
  check_command("movdir64b", address);
  ++stats_.stores;
  empty_write_combining(address.line());
  combine(address, command, true);
}

bool Core::enqcmd(Hpa address, Command command) {
  check_command("enqcmd", address);
  if ((pasid_ & msr::pasid_valid) == 0) {
    fault(Exception::general_protection, "enqcmd needs a valid IA32_PASID");
  }
  std::array<std::byte, line_bytes> with_pasid;
  std::ranges::copy(command, with_pasid.begin());
  // Bits 19:0 the PASID, 30:20 reserved, 31 privileged: clear.
  const auto word = static_cast<std::uint32_t>(pasid_ & 0xf'ffff);
  std::memcpy(with_pasid.data(), &word, sizeof word);
  return enqueue(address, with_pasid);
}

bool Core::enqcmds(Hpa address, Command command) {
  supervisor_only("enqcmds");
  check_command("enqcmds", address);
  std::array<std::byte, line_bytes> own;
  std::ranges::copy(command, own.begin());
  return enqueue(address, own);
}

// What is no device's to answer, memory for one, is not accepted.
bool Core::enqueue(Hpa address, const std::array<std::byte, line_bytes>& command) {
  ++stats_.uncached_writes;
  empty_write_combining();
  wait_for([&] { return stores_visible(); });
  if (home_.holds(address, line_bytes)) {
    execute(l1_lookup_ + l2_lookup_);
    return false;
  }
  TRACE(bus_, clock_.now(), trace::UncachedStore{number_, address, clock_.now()});
  auto& payload = pool_.take();
  payload.prepare(tlm::TLM_WRITE_COMMAND, address.value, line_bytes);
  pcie::tlp_of(payload).kind = pcie::TlpKind::deferrable_write;
  std::ranges::copy(command, sim::data_of(payload).begin());
  send_and_wait(payload);
  const bool accepted = payload.is_response_ok();
  payload.release();
  return accepted;
}

}  // namespace ioasim::cpu
