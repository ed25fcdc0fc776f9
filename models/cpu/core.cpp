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
      fill_buffers_(params.fill_buffers),
      stores_{params.store_buffer},
      combining_{params.write_combining_buffers},
      combined_{params.write_combining_buffers + 1} {
  for (unsigned n = params.fill_buffers; n-- > 0;) free_buffers_.push_back(n);
  types_changed();
}

// ---- loads ----

void Core::load(Hpa address, std::span<std::byte> into, PatIndex pat) {
  ++stats_.loads;
  if (!load_hit(address, into, pat)) load_otherwise(address, into, pat);
}

void Core::load_otherwise(Hpa address, std::span<std::byte> into, PatIndex pat) {
  if (plain(address, into.size(), pat)) return load_cached(address, into, true);
  for_each_page(address, into, pat, [&](Hpa at, std::span<std::byte> part, const Route& way) {
    const bool cached = way.memory && way.type >= MemoryType::write_through;
    if (cached) {
      load_cached(at, part, way.fill);
    } else {
      access_uncached(at, part, false, way);
    }
  });
}

// The common case, in a few steps: plain memory, one line, in level 1, and nothing of this core
// under way. What level 1 holds is memory.
inline bool Core::load_hit(Hpa address, std::span<std::byte> into, PatIndex pat) {
  const auto offset = address.value % line_bytes;
  if (!plain_type(pat) || into.empty() || offset + into.size() > line_bytes || !stores_.empty() ||
      combining_in_use() || free_buffers_.size() != params_.fill_buffers) {
    return false;
  }
  home_.catch_up();
  const auto* held = caches_.read_l1(address.line());
  if (held == nullptr) return false;
  if (into.size() == sizeof(std::uint64_t)) {  // known to the compiler: no call
    std::copy_n(held + offset, sizeof(std::uint64_t), into.data());
  } else {
    std::copy_n(held + offset, into.size(), into.data());
  }
  TRACE(bus_, clock_.now(),
        trace::MemoryRead{trace::Agent::core, number_, address, into, true, trace::Place::core,
                          number_});
  thread_.sleep(l1_lookup_);
  return true;
}

// Lines go to level 1 one a cycle; a hit takes effect at once, a miss when it reaches the home
// agent. The load is done when its last line is.
void Core::load_cached(Hpa address, std::span<std::byte> into, bool fill) {
  auto issue = clock_.now();
  auto done = issue;
  cache::for_each_piece(address, into, [&](const Piece& piece) {
    load_line(piece, issue, done, fill);
    issue += cycle_;
  });
  if (uses_[index(Use::load)] != 0) wait_for([&] { return uses_[index(Use::load)] == 0; });
  thread_.sleep_until(done);
}

void Core::load_line(const Piece& piece, Picoseconds& issue, Picoseconds& done, bool fill) {
  using Forward = StoreBuffer::Forward;
  if (combining_in_use()) empty_write_combining(piece.line);
  if (!stores_.empty()) {
    auto found = Forward::none;
    wait_for([&] {
      found = stores_.forward(piece.line, piece.offset, piece.data);
      return found != Forward::partial;
    });
    issue = std::max(issue, clock_.now());
    if (found == Forward::whole) {
      ++stats_.forwarded;
      done = std::max(done, issue + l1_lookup_);
      return;
    }
  }
  const auto look_up = [&] {
    if (filling(piece.line)) wait_for([&] { return !filling(piece.line); });
    home_.catch_up();
    return caches_.access(piece.line, false);
  };
  auto hit = look_up();
  // While a miss waits for a buffer, a store may bring its line in, or begin to.
  while (hit.level == cache::Level::beyond && fill && free_buffers_.empty()) {
    wait_for([&] { return !free_buffers_.empty(); });
    hit = look_up();
  }
  if (hit.level != cache::Level::beyond) {
    deliver(piece, hit.data);
    const auto l2_time = hit.level == cache::Level::l2 ? l2_lookup_ : Picoseconds{};
    done = std::max({done, issue + l1_lookup_ + l2_time, clock_.now()});
    return;
  }
  if (!fill) {
    thread_.sleep_until(issue + l1_lookup_ + l2_lookup_);
    home_.access(number_, piece, false, Around::no_fill, {&Core::finish_at, this, 0});
    return await_finish();
  }
  const auto buffer = take_buffer(Use::load, piece);
  issue = std::max(issue, clock_.now());
  begin_fill(buffer, issue + l1_lookup_ + l2_lookup_);
}

void Core::deliver(const Piece& piece, const std::byte* held) {
  std::copy_n(held + piece.offset, piece.data.size(), piece.data.begin());
  TRACE(bus_, clock_.now(),
        trace::MemoryRead{trace::Agent::core, number_, piece.address(), piece.data, true,
                          trace::Place::core, number_});
}

// ---- stores ----

void Core::store(Hpa address, std::span<const std::byte> from, PatIndex pat) {
  ++stats_.stores;
  if (plain(address, from.size(), pat)) return store_cached(address, from);
  for_each_page(address, from, pat, [&](Hpa at, auto part, const Route& way) {
    if (way.memory && way.type == MemoryType::write_back && way.fill) {
      store_cached(at, part);
    } else if (way.type == MemoryType::write_combining) {
      combine(at, part, way.coherent);
    } else {
      access_uncached(at, only_read(part), true, way);
    }
  });
}

// The instruction ends when the store is in the store buffer, a line a cycle. A store that is the
// oldest, and may write its line, is visible at once.
void Core::store_cached(Hpa address, std::span<const std::byte> from) {
  auto end = clock_.now();
  cache::for_each_piece(address, only_read(from), [&](const Piece& piece) {
    store_line(piece);
    end = std::max(end, clock_.now()) + cycle_;
  });
  thread_.sleep_until(end);
}

void Core::store_line(const Piece& piece) {
  if (combining_in_use()) empty_write_combining(piece.line);
  if (stores_.empty() && !filling(piece.line)) {
    home_.catch_up();
    if (const auto hit = caches_.access(piece.line, true); hit.data != nullptr) {
      return commit(piece, hit.data);
    }
  }
  if (stores_.full()) wait_for([&] { return !stores_.full(); });
  stores_.push(piece.line, piece.offset, piece.data);
  drain_stores();
}

// Globally visible.
void Core::commit(const Piece& piece, std::byte* held) {
  std::copy_n(piece.data.begin(), piece.data.size(), held + piece.offset);
  TRACE(bus_, clock_.now(),
        trace::MemoryWrite{trace::Agent::core, number_, piece.address(), piece.data, true,
                           trace::Place::core, number_});
}

// Stores become visible in order: the oldest goes when its line may be written. A flush goes when
// there is a buffer for it.
void Core::drain_stores() {
  while (!stores_.empty()) {
    const auto& oldest = stores_.oldest();
    if (oldest.flush()) {
      if (free_buffers_.empty() || filling(oldest.line)) break;
      begin_flush(oldest.line, oldest.keep ? trace::Flush::clwb : trace::Flush::clflushopt);
      stores_.pop();
      continue;
    }
    const Piece piece{oldest.line, oldest.offset, only_read(oldest.written())};
    if (filling(piece.line)) break;
    home_.catch_up();
    if (const auto hit = caches_.access(piece.line, true); hit.data != nullptr) {
      commit(piece, hit.data);
      stores_.pop();
      continue;
    }
    if (free_buffers_.empty()) break;
    begin_fill(take_buffer(Use::store, piece), clock_.now() + l1_lookup_ + l2_lookup_);
    break;
  }
  claim_ahead();
}

// Lines of later stores are brought in meanwhile, so that misses overlap. One may be lost again
// before its store's turn.
void Core::claim_ahead() {
  if (stores_.size() <= 1) return;
  home_.catch_up();
  for (std::size_t n = 1; n < stores_.size() && !free_buffers_.empty(); ++n) {
    const auto line = stores_.at(n).line;
    if (stores_.at(n).flush() || filling(line) || cache::writable(caches_.state(line))) continue;
    if (!stores_.claim(n)) continue;
    begin_fill(take_buffer(Use::claim, Piece{line, 0, {}}), clock_.now() + l1_lookup_ + l2_lookup_);
  }
}

void Core::prefetch(Hpa address, bool write) {
  const auto line = address.line();
  const Route way = route(address, 1, {});
  home_.catch_up();
  const bool cacheable = way.memory && way.fill && way.type >= MemoryType::write_through;
  if (cacheable && !free_buffers_.empty() && !filling(line) &&
      (write ? !cache::writable(caches_.state(line))
             : caches_.state(line) == cache::State::invalid)) {
    begin_fill(take_buffer(write ? Use::claim : Use::prefetch, Piece{line, 0, {}}),
               clock_.now() + l1_lookup_ + l2_lookup_);
  }
  execute(cycle_);
}

// ---- fill buffers ----

unsigned Core::take_buffer(Use use, const Piece& piece) {
  if (free_buffers_.empty()) wait_for([&] { return !free_buffers_.empty(); });
  const auto buffer = free_buffers_.back();
  free_buffers_.pop_back();
  fill_buffers_[buffer] = {.use = use, .piece = piece};
  ++uses_[index(use)];
  return buffer;
}

void Core::begin_fill(unsigned buffer, Picoseconds at) {
  clock_.at<&Core::fill>(std::max(at, clock_.now()), this, std::uint64_t{buffer});
}

// At the home agent: a load or store takes effect here.
void Core::fill(std::uint64_t buffer) {
  const FillBuffer& fill = fill_buffers_[buffer];
  const auto use = fill.use;
  const auto want = use == Use::store ? Want::write : use == Use::claim ? Want::claim : Want::read;
  home_.fetch(number_, fill.piece.line, want, {&Core::filled_at, this, buffer});
  if (use == Use::load) {
    deliver(fill.piece, caches_.data(fill.piece.line).data());
  } else if (use == Use::store) {
    commit(fill.piece, caches_.data(fill.piece.line).data());
    stores_.pop();
  }
}

void Core::filled_at(void* core, std::uint64_t buffer, Picoseconds done) {
  auto& self = *static_cast<Core*>(core);
  self.clock_.at<&Core::filled>(std::max(done, self.clock_.now()), &self, buffer);
}

void Core::filled(std::uint64_t buffer) {
  --uses_[index(std::exchange(fill_buffers_[buffer].use, Use::none))];
  free_buffers_.push_back(static_cast<unsigned>(buffer));
  drain_stores();
  advance();
}

bool Core::filling(std::uint64_t line) const {
  if (free_buffers_.size() == fill_buffers_.size()) return false;
  return std::any_of(fill_buffers_.begin(), fill_buffers_.end(), [&](const FillBuffer& fill) {
    return fill.use != Use::none && fill.use != Use::flush && fill.piece.line == line;
  });
}

}  // namespace ioasim::cpu
