#include "cache/home_agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ioasim::cache {

HomeAgent::HomeAgent(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
                     const Params& params, const Topology& topology,
                     const std::vector<unsigned>& io_sockets, std::vector<Range<Hpa>> memory_map)
    : sc_module{name},
      memory{"memory", clock, *this},
      clock_{clock},
      bus_{bus},
      params_{params},
      memory_map_{std::move(memory_map)},
      placement_{memory_map_, topology.sockets},
      coherence_{params, topology, *this, bus, clock.seed()},
      write_buffers_(topology.sockets, WriteBuffer{params.home.write_buffers}),
      io_ways_(
          topology.sockets,
          params.llc.ddio ? static_cast<std::uint32_t>((1ull << params.llc.ddio_ways) - 1) : 0),
      flushes_{*this} {
  for (unsigned socket = 0; socket < topology.sockets; ++socket) {
    for (unsigned n = 0; n < params.llc.slices; ++n) {
      slices_.push_back(std::make_unique<Slice>(
          clock, fmt::format("{}.slice{}.{}", this->name(), socket, n), params.llc.misses));
    }
  }
  for (unsigned n = 0; n < io_sockets.size(); ++n) {
    io_.push_back(
        {std::make_unique<sim::TargetSocket>(fmt::format("io{}", n).c_str(), clock, *this, n),
         io_sockets[n]});
  }
}

// ---- cores ----

void HomeAgent::fetch(unsigned core, std::uint64_t line, Want want, const Reply& reply) {
  ++(want == Want::read ? stats_.core_reads : stats_.core_writes);
  Access access = begin(topology().socket_of(core), line);
  effect(access, [&] { return coherence_.fetch(core, line, want); });
  if (const auto done = end(access, reply)) reply(*done);
}

HomeAgent::Hold HomeAgent::lock(unsigned core, std::uint64_t line) {
  return hold(topology().socket_of(core), line, true);
}

void HomeAgent::flush(unsigned core, std::uint64_t line, trace::Flush instruction,
                      const Reply& reply) {
  const unsigned socket = topology().socket_of(core);
  Access access = begin(socket, line);
  const bool keep = instruction == trace::Flush::clwb;
  effect(access, [&] { return coherence_.flush(socket, line, keep); });
  TRACE(bus_, clock_.now(),
        trace::LineFlushed{core, Hpa{line * line_bytes}, instruction, access.outcome.dirty});
  if (const auto done = end(access, reply)) reply(*done);
}

sim::Task<> HomeAgent::flush_all(unsigned core, trace::Flush instruction) {
  return flushes_.run(core, instruction);
}

void HomeAgent::access(unsigned core, const Piece& piece, bool write, Around around,
                       const Reply& reply) {
  const auto report = [&](const Outcome& outcome) {
    const Hpa address{piece.line * line_bytes + piece.offset};
    const bool coherent = around != Around::bypass;
    if (write) {
      TRACE(bus_, clock_.now(),
            trace::MemoryWrite{trace::Agent::core, core, address, piece.data, coherent});
    } else {
      TRACE(bus_, clock_.now(),
            trace::MemoryRead{trace::Agent::core, core, address, piece.data, coherent,
                              outcome.place, outcome.number});
    }
  };
  if (around == Around::bypass) {
    const auto done = bypass(piece, write);
    report({});
    return reply(done);
  }
  Access access = begin(topology().socket_of(core), piece.line);
  effect(access, [&] {
    if (!write) {
      return around == Around::uncached ? coherence_.read_uncached(core, piece)
                                        : coherence_.read_without_fill(core, piece);
    }
    return around == Around::write_through ? coherence_.write_through(core, piece)
                                           : coherence_.write_uncached(core, piece);
  });
  report(access.outcome);
  access.until_written = write;
  if (const auto done = end(access, reply)) reply(*done);
}

// No snoop: memory alone is looked at, whatever the caches hold.
Picoseconds HomeAgent::bypass(const Piece& piece, bool write) {
  catch_up();
  return timed(write, piece.line * line_bytes + piece.offset, piece.data, clock_.now());
}

// ---- one access: what it does, and when that is done ----

HomeAgent::Access HomeAgent::begin(unsigned socket, std::uint64_t line) {
  catch_up();
  const auto now = clock_.now();
  Slice& slice = slice_of(socket, line);
  const auto busy = slice.misses.busy_until(line, now);
  Access access{.socket = socket, .line = line, .slice = &slice};
  access.waits = busy == forever;
  access.start = slice.pipeline.take(now, params_.llc.pipeline);
  if (busy > now) ++stats_.waited_for_line;
  if (!access.waits) access.start = std::max(access.start, busy);
  access.looked_up = access.start + params_.llc.lookup;
  access.direct =
      busy <= now && slice.queue.empty() && !slice.misses.full() && home_of(line) == socket;
  return access;
}

// A line of a flush of whole caches: its time, which may be past, or when it can go on.
HomeAgent::Access HomeAgent::begin_flush(unsigned socket, std::uint64_t line, Picoseconds at) {
  Slice& slice = slice_of(socket, line);
  Access access{.socket = socket, .line = line, .slice = &slice, .of_flush = true};
  const auto busy = slice.misses.idle() ? at : slice.misses.busy_until(line, at);
  access.waits = busy == forever;
  access.looked_up = busy;
  if (access.waits || !coherence_.modified(socket, line)) return access;
  access.looked_up = write_buffers_[socket].room(busy);
  return access;
}

std::optional<Picoseconds> HomeAgent::end(Access& access, const Reply& reply) {
  clock_.progress();
  if (access.outcome.snooped) access.looked_up += params_.llc.snoop;
  const bool miss = access.outcome.beyond();
  if (miss && (access.outcome.sockets != 0 || home_of(access.line) != access.socket)) {
    ++stats_.other_sockets;
  }
  if (access.waits || (miss && !access.direct)) {
    access.hold = hold(access.socket, access.line, miss);
    follow(access, reply).start();
    return std::nullopt;
  }
  auto done = std::max(access.looked_up, access.ready);
  const auto at_home = access.start + params_.llc.lookup;
  auto directory = at_home;
  if (topology().sockets == 1) {
    if (access.outcome.asked_home) done = std::max(done, access.looked_up + params_.home.grant);
  } else if (miss) {
    directory = access.outcome.memory ? access.ready : look_at_home(access, at_home);
    done = std::max(done, beyond_slice(access, at_home, directory));
  }
  if (!access.late.empty()) {
    access.hold = hold(access.socket, access.line, miss);
    if (miss) access.slice->misses.take_register(access.hold.ticket);
    follow_writes(access, directory, done, reply).start();
    return std::nullopt;
  }
  if (access.until_written) done = std::max(done, access.written);
  access.slice->misses.hold(access.line, done, miss);
  return done;
}

// A line has one request under way at a socket, and one that goes beyond it at the line's home.
HomeAgent::Hold HomeAgent::hold(unsigned socket, std::uint64_t line, bool at_home) {
  Hold hold{.slice = &slice_of(socket, line)};
  hold.ticket = hold.slice->misses.hold(line, forever, false);
  if (at_home && home_of(line) != socket) {
    hold.home = &slice_of(home_of(line), line);
    hold.ticket_at_home = hold.home->misses.hold(line, forever, false);
  }
  return hold;
}

void HomeAgent::settle(const Hold& hold, Picoseconds until) {
  hold.slice->misses.settle(hold.ticket, until);
  hold.slice->settled.signal();
  if (hold.home == nullptr) return;
  hold.home->misses.settle(hold.ticket_at_home, until);
  hold.home->settled.signal();
}

// The way of an access that could not be answered at once.
sim::Task<> HomeAgent::follow(Access access, Reply reply) {
  Slice& slice = *access.slice;
  auto& misses = slice.misses;
  const bool miss = access.outcome.beyond();

  // 1. The requests before it for the line end; then it is its turn for a register, if it needs
  //    one. Who has a register waits for no line.
  auto at = clock_.now();
  for (bool queued = false, counted = false;;) {
    Slice* blocking = &slice;
    auto until = misses.busy_until(access.line, at, access.hold.ticket);
    if (until <= at && access.hold.home != nullptr) {
      blocking = access.hold.home;
      until = blocking->misses.busy_until(access.line, at, access.hold.ticket_at_home);
    }
    if (until <= at && miss) {
      blocking = &slice;
      if (!std::exchange(queued, true)) slice.queue.push_back(access.hold.ticket);
      if (slice.queue.front() != access.hold.ticket) {
        until = forever;
      } else if (misses.full()) {
        until = misses.next_free();
      }
      if (until > at && !std::exchange(counted, true)) ++stats_.waited_for_miss;
    }
    if (until <= at) break;
    if (until != forever) clock_.at<&sim::Signal::signal>(until, &blocking->settled);
    co_await blocking->settled.wait();
    catch_up();
    at = clock_.now();
  }
  if (access.waits) {
    access.start = at;
    access.looked_up = at + params_.llc.lookup;
    if (access.outcome.snooped) access.looked_up += params_.llc.snoop;
  }
  if (miss) {
    slice.queue.erase(slice.queue.begin());
    misses.take_register(access.hold.ticket);
    slice.settled.signal();
  }
  auto done = std::max(access.looked_up, access.ready);

  // 2. To the line's home, which may be at another socket; there memory, or the directory in it.
  auto directory = std::max(at, access.start + params_.llc.lookup);
  if (miss) {
    const auto at_home = directory + way_home(access);
    co_await sim::Until{clock_, at_home};
    catch_up();
    directory = look_at_home(access, at_home);
    done = std::max(done, beyond_slice(access, at_home, directory));
  }
  done = std::max(done, access.ready);
  if (!access.late.empty()) co_return co_await write_late(access, directory, done, reply);
  if (access.until_written) done = std::max(done, access.written);
  return_to(access, done, reply);
}

// The way of an access that wants only to write.
sim::Task<> HomeAgent::follow_writes(Access access, Picoseconds directory, Picoseconds done,
                                     Reply reply) {
  co_await write_late(access, directory, done, reply);
}

void HomeAgent::return_to(const Access& access, Picoseconds done, const Reply& reply) {
  settle(access.hold, done);
  reply(done);
}

Picoseconds HomeAgent::way_home(const Access& access) const {
  return home_of(access.line) == access.socket ? Picoseconds{} : params_.home.hop / 2;
}

// What the home agent must read before it can answer: data, or the directory that lies beside
// them. Returns when it has.
Picoseconds HomeAgent::look_at_home(const Access& access, Picoseconds at) {
  const bool directory = topology().sockets > 1 && params_.home.snoop == SocketSnoop::directory;
  if (!access.outcome.memory && !directory) return at;
  LineBuffer read_before;  // in the order of effects; this is its time
  return timed(false, access.line * line_bytes, read_before, at);
}

// When the answers of home and of other sockets are at the requester.
Picoseconds HomeAgent::beyond_slice(const Access& access, Picoseconds at_home,
                                    Picoseconds directory) const {
  const auto half = params_.home.hop / 2;
  const Outcome& outcome = access.outcome;
  const unsigned home = home_of(access.line);
  auto done = directory + way_home(access);
  if (outcome.asked_home) done += params_.home.grant;
  const bool broadcast = params_.home.snoop == SocketSnoop::broadcast;
  for (unsigned other = 0; other < topology().sockets; ++other) {
    const auto asked_bit = 1u << other;
    if (other == access.socket || (!broadcast && (outcome.sockets & asked_bit) == 0)) continue;
    const auto asked = broadcast       ? at_home - way_home(access) + half
                       : other == home ? at_home
                                       : directory + half;
    const auto snoop = (outcome.deep & asked_bit) != 0 ? params_.llc.snoop : Picoseconds{};
    done = std::max(done, asked + params_.llc.lookup + snoop + half);
  }
  return done;
}

// ---- memory, as the access under way reaches it ----

// At once if DRAM may be reserved now; else the contents now, and the time later.
void HomeAgent::read_memory(std::uint64_t line, std::uint64_t offset, std::span<std::byte> into) {
  const auto address = line * line_bytes + offset;
  if (current_ == nullptr || !current_->direct) return untimed(false, address, into);
  const auto done = timed(false, address, into, current_->looked_up);
  current_->ready = std::max(current_->ready, done);
}

void HomeAgent::write_memory(std::uint64_t line, std::uint64_t offset,
                             std::span<const std::byte> from) {
  // TLM has one data pointer for both directions; a target does not write to it for a write.
  const std::span<std::byte> data{const_cast<std::byte*>(from.data()), from.size()};
  const auto address = line * line_bytes + offset;
  if (current_ == nullptr) return untimed(true, address, data);
  Access& access = *current_;
  const auto at = std::max(access.looked_up, access.asked);
  const bool may_be_of_others = topology().sockets > 1 && line == access.line;
  if (access.of_flush ||
      (access.direct && !may_be_of_others && write_buffers_[access.socket].takes(at))) {
    return reserve_write(access, address, data, at);
  }
  access.late.push_back({address, static_cast<std::uint32_t>(data.size())});
  untimed(true, address, data);
}

void HomeAgent::snoops(unsigned socket) {
  if (current_ == nullptr || current_->of_flush || socket != current_->socket) return;
  current_->asked = current_->looked_up + params_.llc.snoop;
}

void HomeAgent::reserve_write(Access& access, std::uint64_t address, std::span<std::byte> data,
                              Picoseconds at) {
  WriteBuffer& buffer = write_buffers_[access.socket];
  const auto written = timed(true, address, data, buffer.room(at));
  buffer.enter(written);
  access.written = std::max(access.written, written);
}

// What another socket gave up is written when home has had its answer; what gave way to the line,
// after the lookup; all of it when there is room, for which the access waits if it is not done by
// then. The contents are in memory, and stay as they are.
sim::Task<> HomeAgent::write_late(Access& access, Picoseconds directory, Picoseconds done,
                                  const Reply& reply) {
  WriteBuffer& buffer = write_buffers_[access.socket];
  bool returned = false;
  for (const LateWrite& late : access.late) {
    const bool from_others =
        access.outcome.sockets != 0 && late.address / line_bytes == access.line;
    const auto at =
        from_others ? directory + params_.home.hop / 2 : std::max(access.looked_up, access.asked);
    if (at > done && !access.until_written && !std::exchange(returned, true)) {
      return_to(access, done, reply);
    }
    co_await sim::Until{clock_, at};
    if (!buffer.takes(clock_.now())) {
      buffer.begin_wait();
      do {
        co_await sim::Until{clock_, buffer.room(clock_.now())};
      } while (buffer.room(clock_.now()) > clock_.now());
      buffer.end_wait();
      done = std::max(done, clock_.now());
    }
    catch_up();
    LineBuffer contents;
    const auto data = std::span{contents}.first(late.bytes);
    untimed(false, late.address, data);
    reserve_write(access, late.address, data, clock_.now());
  }
  if (access.until_written) done = std::max(done, access.written);
  if (!returned) return_to(access, done, reply);
}

Picoseconds HomeAgent::timed(bool write, std::uint64_t address, std::span<std::byte> data,
                             Picoseconds at) {
  auto& payload = pool_.take();
  payload.prepare(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, data);
  const auto done = memory.send(payload, at);
  CHECK(done.has_value());
  payload.release();
  return *done;
}

void HomeAgent::untimed(bool write, std::uint64_t address, std::span<std::byte> data) {
  auto& payload = pool_.take();
  payload.prepare(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, data);
  memory.debug(payload);
  payload.release();
}

void HomeAgent::response(unsigned, sim::Transaction&, Picoseconds) { UNREACHABLE(); }

}  // namespace ioasim::cache
