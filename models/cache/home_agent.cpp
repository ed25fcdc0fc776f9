#include "cache/home_agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "memory/byte_enables.hpp"

namespace ioasim::cache {
namespace {

using LineBuffer = std::array<std::byte, line_bytes>;

constexpr std::uint64_t bit(unsigned core) { return std::uint64_t{1} << core; }

}  // namespace

HomeAgent::HomeAgent(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
                     const Params& params, unsigned cores, unsigned io_ports,
                     std::vector<Range<Hpa>> memory_map)
    : sc_module{name},
      memory{"memory", clock, *this},
      clock_{clock},
      bus_{bus},
      params_{params},
      memory_map_{std::move(memory_map)},
      llc_{params.llc.capacity, params.llc.ways} {
  for (unsigned n = 0; n < cores; ++n) cores_.push_back(std::make_unique<PrivateCaches>(params));
  for (unsigned n = 0; n < io_ports; ++n) {
    io_.push_back(
        std::make_unique<sim::TargetSocket>(fmt::format("io{}", n).c_str(), clock, *this, n));
  }
}

// ---- cores ----

Picoseconds HomeAgent::fetch(unsigned core, std::uint64_t line, bool write) {
  ++(write ? stats_.core_writes : stats_.core_reads);
  auto done = clock_.now() + params_.llc.lookup;
  Slot slot = llc_.find(line);
  if (slot != llc_.none) {
    ++stats_.llc_hits;
    llc_.touch(slot);
    done = recall(slot, core, write, done);
  } else {
    ++stats_.llc_misses;
    slot = allocate(line, TagArray::every_way, done);
    done = read_memory(line, 0, llc_.data(slot), done);
  }
  const bool exclusive = write || (llc_.state(slot).holders & ~bit(core)) == 0;
  const Mesi granted = write ? Mesi::modified : exclusive ? Mesi::exclusive : Mesi::shared;
  if (const auto victim = cores_[core]->fill(line, granted, llc_.data(slot))) {
    take_back(core, *victim);
  }
  Entry& entry = llc_.state(slot);
  entry.holders |= bit(core);
  entry.owner = exclusive ? core : nobody;
  return done;
}

// Makes the LLC's copy the newest and, to `invalidate`, the only one but for `except`'s. Without
// it, an owner keeps a shared copy. Returns when.
Picoseconds HomeAgent::recall(Slot slot, unsigned except, bool invalidate, Picoseconds at) {
  Entry& entry = llc_.state(slot);
  LineBuffer newest;
  bool snooped = false;
  if (entry.owner != nobody && entry.owner != except) {
    auto& owner = *cores_[entry.owner];
    const auto line = llc_.line(slot);
    const bool dirty = invalidate ? owner.invalidate(line, newest) : owner.share(line, newest);
    if (dirty) {
      copy_line(llc_.data(slot), newest);
      entry.dirty = true;
    }
    if (invalidate) entry.holders &= ~bit(entry.owner);
    entry.owner = nobody;
    snooped = true;
    ++stats_.snoops;
  }
  const auto others = except == nobody ? entry.holders : entry.holders & ~bit(except);
  if (invalidate && others != 0) {
    for (auto left = others; left != 0; left &= left - 1) {
      cores_[static_cast<unsigned>(std::countr_zero(left))]->invalidate(llc_.line(slot), newest);
      ++stats_.snoops;
    }
    entry.holders &= ~others;
    snooped = true;
  }
  return snooped ? at + params_.llc.snoop : at;
}

// A line that left a core's caches comes back to the LLC, which holds it by inclusion.
void HomeAgent::take_back(unsigned core, const PrivateCaches::Victim& victim) {
  const Slot slot = llc_.find(victim.line);
  CHECK(slot != llc_.none);
  Entry& entry = llc_.state(slot);
  if (victim.dirty) {
    copy_line(llc_.data(slot), victim.data);
    entry.dirty = true;
  }
  entry.holders &= ~bit(core);
  if (entry.owner == core) entry.owner = nobody;
}

// A slot for a line that is absent, emptied of what it held, in one of the allowed ways.
HomeAgent::Slot HomeAgent::allocate(std::uint64_t line, std::uint32_t ways, Picoseconds at) {
  const Slot slot = llc_.victim(line, ways);
  if (llc_.valid(slot)) {
    ++stats_.evictions;
    drop(slot, at);
  }
  llc_.fill(slot, line, Entry{});
  return slot;
}

void HomeAgent::write_back(Slot slot, Picoseconds at) {
  if (!llc_.state(slot).dirty) return;
  ++stats_.writebacks;
  write_memory(llc_.line(slot), 0, llc_.data(slot), at);
  llc_.state(slot).dirty = false;
}

// Takes the line out of every cache; its newest data go to memory.
void HomeAgent::drop(Slot slot, Picoseconds at) {
  recall(slot, nobody, true, at);
  write_back(slot, at);
  llc_.clear(slot);
}

Picoseconds HomeAgent::flush(unsigned core, std::uint64_t line) {
  const auto at = clock_.now() + params_.llc.lookup;
  const Slot slot = llc_.find(line);
  bool dirty = false;
  auto done = at;
  if (slot != llc_.none) {
    done = recall(slot, nobody, true, at);
    dirty = llc_.state(slot).dirty;
    write_back(slot, done);
    llc_.clear(slot);
    ++stats_.lines_flushed;
  }
  TRACE(bus_, clock_.now(), trace::LineFlushed{core, Hpa{line * line_bytes}, dirty});
  return done;
}

// ---- wbinvd: the executing core's caches and the shared level ----

// Sets of the LLC that are scanned between two waits.
static constexpr std::uint32_t sets_per_chunk = 64;

sim::Task<> HomeAgent::flush_all(unsigned core) {
  flush_own(core);
  std::uint64_t lines = 0;
  std::uint64_t written = 0;
  const auto sets = llc_.slots() / llc_.ways();
  for (std::uint32_t set = 0; set < sets; set += sets_per_chunk) {
    const auto end = std::min(sets, set + sets_per_chunk);
    auto memory_done = clock_.now();
    for (Slot slot = set * llc_.ways(); slot < end * llc_.ways(); ++slot) {
      if (!llc_.valid(slot)) continue;
      if (llc_.state(slot).dirty) {
        ++written;
        ++stats_.writebacks;
        memory_done =
            std::max(memory_done, write_memory(llc_.line(slot), 0, llc_.data(slot), clock_.now()));
        llc_.state(slot).dirty = false;
      }
      // A line that another core holds stays: wbinvd does not reach its private caches.
      if ((llc_.state(slot).holders & ~bit(core)) != 0) continue;
      llc_.clear(slot);
      ++lines;
      ++stats_.lines_flushed;
    }
    const auto scanned = clock_.now() + params_.llc.tag_scan * (end - set);
    co_await sim::Until{clock_, std::max(scanned, memory_done)};
  }
  TRACE(bus_, clock_.now(), trace::CachesFlushed{core, lines, written});
}

void HomeAgent::flush_own(unsigned core) {
  auto& caches = *cores_[core];
  for (std::uint32_t slot = 0; slot < caches.slots(); ++slot) {
    const auto line = caches.line_at(slot);
    if (!line) continue;
    PrivateCaches::Victim victim{.line = *line, .dirty = false, .data = {}};
    victim.dirty = caches.invalidate(*line, victim.data);
    take_back(core, victim);
  }
}

// ---- devices and walkers ----

// Calls visit(piece) for each line that the bytes touch.
template <class Visit>
void HomeAgent::for_each_piece(Hpa address, std::span<std::byte> data, Visit visit) {
  for (std::uint64_t from = 0; from < data.size();) {
    const auto offset = (address + from).value % line_bytes;
    const auto bytes = std::min(line_bytes - offset, data.size() - from);
    visit(Piece{(address + from).line(), offset, data.subspan(from, bytes)});
    from += bytes;
  }
}

std::optional<Picoseconds> HomeAgent::request(unsigned, sim::Transaction& transaction,
                                              Picoseconds at) {
  const Hpa address{transaction.get_address()};
  if (!holds(address, transaction.get_data_length())) {
    transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return at + params_.llc.lookup;
  }
  transaction.set_response_status(tlm::TLM_OK_RESPONSE);
  return io_access(transaction, sim::extension<memory::Origin>(transaction), at);
}

Picoseconds HomeAgent::io_access(sim::Transaction& transaction, const memory::Origin& origin,
                                 Picoseconds at) {
  const Hpa address{transaction.get_address()};
  const auto data = sim::data_of(transaction);
  const bool write = transaction.is_write();
  auto done = at;
  memory::for_each_enabled_run(transaction, [&](std::uint64_t from, std::uint64_t bytes) {
    const auto run = data.subspan(from, bytes);
    for_each_piece(address + from, run, [&](const Piece& piece) {
      const auto piece_done = !origin.snoop ? bypass(piece, write, at)
                              : write       ? io_write(piece, at)
                                            : io_read(piece, at);
      done = std::max(done, piece_done);
    });
    if (write) {
      TRACE(bus_, at,
            trace::MemoryWrite{origin.agent, origin.who, address + from, run, origin.snoop});
    } else {
      TRACE(bus_, at,
            trace::MemoryRead{origin.agent, origin.who, address + from, run, origin.snoop});
    }
  });
  return done;
}

// RdCur: a snapshot; nobody's state changes, nothing is allocated.
Picoseconds HomeAgent::io_read(const Piece& piece, Picoseconds at) {
  ++stats_.io_reads;
  at += params_.llc.lookup;
  const Slot slot = llc_.find(piece.line);
  if (slot == llc_.none) {
    ++stats_.llc_misses;
    return read_memory(piece.line, piece.offset, piece.data, at);
  }
  ++stats_.llc_hits;
  llc_.touch(slot);
  LineBuffer newest;
  const auto owner = llc_.state(slot).owner;
  const bool dirty_in_core = owner != nobody && cores_[owner]->peek(piece.line, newest);
  const auto* source = dirty_in_core ? newest.data() : llc_.data(slot).data();
  std::memcpy(piece.data.data(), source + piece.offset, piece.data.size());
  if (owner == nobody) return at;
  ++stats_.snoops;
  return at + params_.llc.snoop;
}

// ItoM for a whole line, read-for-ownership and merge for a part. With DDIO the line stays in
// the LLC, else it goes to memory.
Picoseconds HomeAgent::io_write(const Piece& piece, Picoseconds at) {
  ++stats_.io_writes;
  auto done = at + params_.llc.lookup;
  Slot slot = llc_.find(piece.line);
  if (slot != llc_.none) {
    ++stats_.llc_hits;
    llc_.touch(slot);
    done = recall(slot, nobody, true, done);
  } else {
    ++stats_.llc_misses;
    if (!params_.llc.ddio) return write_memory(piece.line, piece.offset, piece.data, done);
    const auto ddio_ways = static_cast<std::uint32_t>((1ull << params_.llc.ddio_ways) - 1);
    slot = allocate(piece.line, ddio_ways, done);
    if (piece.data.size() < line_bytes) {
      done = read_memory(piece.line, 0, llc_.data(slot), done);
    }
  }
  std::memcpy(llc_.data(slot).data() + piece.offset, piece.data.data(), piece.data.size());
  llc_.state(slot).dirty = true;
  if (!params_.llc.ddio) {
    write_back(slot, done);
    llc_.clear(slot);
  }
  return done;
}

// No snoop: memory alone is looked at, whatever the caches hold.
Picoseconds HomeAgent::bypass(const Piece& piece, bool write, Picoseconds at) {
  ++(write ? stats_.io_no_snoop_writes : stats_.io_no_snoop_reads);
  if (write) return write_memory(piece.line, piece.offset, piece.data, at);
  return read_memory(piece.line, piece.offset, piece.data, at);
}

// ---- memory ----

Picoseconds HomeAgent::read_memory(std::uint64_t line, std::uint64_t offset,
                                   std::span<std::byte> into, Picoseconds at) {
  auto& payload = pool_.take();
  payload.prepare(tlm::TLM_READ_COMMAND, line * line_bytes + offset, into);
  const auto done = memory.send(payload, at);
  CHECK(done.has_value());
  payload.release();
  return *done;
}

Picoseconds HomeAgent::write_memory(std::uint64_t line, std::uint64_t offset,
                                    std::span<const std::byte> from, Picoseconds at) {
  auto& payload = pool_.take();
  // TLM has one data pointer for both directions; a target does not write to it for a write.
  const std::span<std::byte> data{const_cast<std::byte*>(from.data()), from.size()};
  payload.prepare(tlm::TLM_WRITE_COMMAND, line * line_bytes + offset, data);
  const auto done = memory.send(payload, at);
  CHECK(done.has_value());
  payload.release();
  return *done;
}

void HomeAgent::response(unsigned, sim::Transaction&, Picoseconds) { UNREACHABLE(); }

// ---- back door: what a coherent reader would see; a write reaches every copy ----

unsigned HomeAgent::debug(unsigned, sim::Transaction& transaction) {
  const Hpa address{transaction.get_address()};
  const auto data = sim::data_of(transaction);
  if (!holds(address, data.size())) return 0;
  for_each_piece(address, data,
                 [&](const Piece& piece) { debug_piece(piece, transaction.is_write()); });
  if (transaction.is_write()) {
    TRACE(bus_, clock_.now(), trace::MemoryWrite{trace::Agent::debug, 0, address, data, true});
  }
  return transaction.get_data_length();
}

void HomeAgent::debug_piece(const Piece& piece, bool write) {
  debug_memory(write, piece.line * line_bytes + piece.offset, piece.data);
  const Slot slot = llc_.find(piece.line);
  if (slot == llc_.none) return;
  if (write) {
    std::memcpy(llc_.data(slot).data() + piece.offset, piece.data.data(), piece.data.size());
    for (auto& core : cores_) core->poke(piece.line, piece.offset, piece.data);
    return;
  }
  LineBuffer newest;
  const auto owner = llc_.state(slot).owner;
  const bool dirty_in_core = owner != nobody && cores_[owner]->peek(piece.line, newest);
  const auto* source = dirty_in_core ? newest.data() : llc_.data(slot).data();
  std::memcpy(piece.data.data(), source + piece.offset, piece.data.size());
}

void HomeAgent::debug_memory(bool write, std::uint64_t address, std::span<std::byte> data) {
  auto& payload = pool_.take();
  payload.prepare(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, data);
  memory.debug(payload);
  payload.release();
}

}  // namespace ioasim::cache
