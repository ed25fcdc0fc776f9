// The home agent's device ports: accesses of devices, page walks and invalidation queues, cut into
// lines, snooped or not; and the back door.
#include <algorithm>

#include "cache/defects.hpp"
#include "cache/home_agent.hpp"
#include "memory/byte_enables.hpp"

namespace ioasim::cache {

std::optional<Picoseconds> HomeAgent::request(unsigned port, sim::Transaction& transaction,
                                              Picoseconds at) {
  DCHECK(at == clock_.now());
  const Hpa address{transaction.get_address()};
  if (!holds(address, transaction.get_data_length())) {
    transaction.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return at + params_.llc.lookup;
  }
  transaction.set_response_status(tlm::TLM_OK_RESPONSE);
  const auto& origin = sim::extension<memory::Origin>(transaction);
  const auto data = sim::data_of(transaction);
  IoRequest& io = take_io_request();
  io.transaction = &transaction;
  io.port = port;
  io.pending = 1;
  io.done = at;
  memory::for_each_enabled_run(transaction, [&](std::uint64_t from, std::uint64_t bytes) {
    io_run(address + from, data.subspan(from, bytes), origin, io);
  });
  if (--io.pending > 0) return std::nullopt;
  free_io_requests_.push_back(&io);
  return io.done;
}

void HomeAgent::io_run(Hpa address, std::span<std::byte> data, const memory::Origin& origin,
                       IoRequest& io) {
  const bool write = io.transaction->is_write();
  for_each_piece(address, data, [&](const Piece& piece) {
    const auto outcome = io_piece(piece, write, origin, io);
    const Hpa at{piece.line * line_bytes + piece.offset};
    if (write) {
      TRACE(bus_, clock_.now(),
            trace::MemoryWrite{origin.agent, origin.who, at, piece.data, origin.snoop,
                               outcome.place, outcome.number});
    } else {
      TRACE(bus_, clock_.now(),
            trace::MemoryRead{origin.agent, origin.who, at, piece.data, origin.snoop, outcome.place,
                              outcome.number});
    }
  });
}

Outcome HomeAgent::io_piece(const Piece& piece, bool write, const memory::Origin& origin,
                            IoRequest& io) {
  if (!origin.snoop) {
    ++(write ? stats_.io_no_snoop_writes : stats_.io_no_snoop_reads);
    Piece done = piece;
    if (has(Defect::byte_enables_ignored) && write && !piece.whole()) done.offset = 0;
    if (has(Defect::no_snoop_hits) && write) coherence_.poke(piece);
    io.done = std::max(io.done, bypass(done, write));
    return {};
  }
  ++(write ? stats_.io_writes : stats_.io_reads);
  const unsigned socket = io_[io.port].at;
  Access access = begin(socket, piece.line);
  if (write) {
    const auto ways = ways_for(socket, origin);
    effect(access, [&] { return coherence_.device_write(socket, piece, ways); });
    access.until_written = ways == 0;
  } else {
    effect(access, [&] { return coherence_.device_read(socket, piece); });
  }
  const Reply reply{&HomeAgent::piece_done, this, reinterpret_cast<std::uint64_t>(&io)};
  ++io.pending;
  if (const auto done = end(access, reply)) {
    io.done = std::max(io.done, *done);
    --io.pending;
  }
  return access.outcome;
}

std::uint32_t HomeAgent::ways_for(unsigned socket, const memory::Origin& origin) const {
  if (io_ways_[socket] == 0 || origin.io_ways == ~0u) return io_ways_[socket];
  return origin.io_ways & every_way();
}

HomeAgent::IoRequest& HomeAgent::take_io_request() {
  if (free_io_requests_.empty()) {
    io_requests_.push_back(std::make_unique<IoRequest>());
    return *io_requests_.back();
  }
  IoRequest& io = *free_io_requests_.back();
  free_io_requests_.pop_back();
  return io;
}

// One line's part of a request is done; the last one answers it, unless request() still does.
void HomeAgent::piece_done(void* home, std::uint64_t word, Picoseconds done) {
  auto& agent = *static_cast<HomeAgent*>(home);
  auto& io = *reinterpret_cast<IoRequest*>(word);
  io.done = std::max(io.done, done);
  if (--io.pending > 0) return;
  agent.io_[io.port].socket->respond(*io.transaction, std::max(io.done, agent.clock_.now()));
  agent.free_io_requests_.push_back(&io);
}

// ---- back door: what a coherent reader would see; a write reaches every copy ----

unsigned HomeAgent::debug(unsigned, sim::Transaction& transaction) {
  const Hpa address{transaction.get_address()};
  const auto data = sim::data_of(transaction);
  if (!holds(address, data.size())) return 0;
  catch_up();
  const bool write = transaction.is_write();
  for_each_piece(address, data, [&](const Piece& piece) {
    write ? coherence_.poke(piece) : coherence_.peek(piece);
  });
  if (write) {
    TRACE(bus_, clock_.now(), trace::MemoryWrite{trace::Agent::debug, 0, address, data, true});
  }
  return transaction.get_data_length();
}

}  // namespace ioasim::cache
