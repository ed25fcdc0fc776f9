#include "cache/oracle.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace ioasim::cache {
namespace {

using Kind = Location::Kind;

// Calls visit(line number, offset, piece) for each line that the bytes touch.
template <class Visit>
void for_each_line(Hpa address, trace::Data data, Visit visit) {
  while (!data.empty()) {
    const auto offset = address.value % line_bytes;
    const auto bytes = std::min<std::uint64_t>(line_bytes - offset, data.size());
    visit(address.line(), offset, data.first(bytes));
    data = data.subspan(bytes);
    address += bytes;
  }
}

constexpr std::uint64_t bit(std::uint64_t offset) { return std::uint64_t{1} << offset; }

// Bits of 1 to 64 bytes from an offset.
constexpr std::uint64_t bits(std::uint64_t offset, std::uint64_t bytes) {
  return ~std::uint64_t{0} >> (line_bytes - bytes) << offset;
}

bool is_core(const Party& party) { return party.agent == trace::Agent::core; }
bool is_core(const Party& party, std::uint32_t number) {
  return is_core(party) && party.who == number;
}

}  // namespace

void Oracle::on(Picoseconds at, const trace::Event& event) {
  std::visit(
      [&](const auto& kind) {
        if constexpr (requires { take(at, kind); }) take(at, kind);
      },
      event);
}

// ---- the newest values ----

void Oracle::take(Picoseconds at, const trace::MemoryWrite& write) {
  const Party writer{write.agent, write.who, write.snooped, at};
  const auto place = Location::of(write.to, write.to_number);
  for_each_line(write.address, write.data,
                [&](std::uint64_t number, std::uint64_t offset, trace::Data piece) {
                  Line& line = lines_[number];
                  const auto bytes = bits(offset, piece.size());
                  std::memcpy(line.newest.data() + offset, piece.data(), piece.size());
                  std::erase_if(line.writes,
                                [&](Write& old) { return (old.bytes &= ~bytes) == 0; });
                  line.writes.push_back({writer, place, bytes});
                  line.told.clear();
                  if (line.held) release(number, bytes, line);
                });
}

// Held bytes are no longer what should be read: they have become visible, or somebody's later
// write has.
void Oracle::release(std::uint64_t number, ByteSet bytes, Line& line) {
  line.held = false;
  std::erase_if(held_stores_, [&](HeldStore& store) {
    if (store.line != number) return false;
    store.bytes &= ~bytes;
    store.due &= ~bytes;
    line.held = line.held || store.bytes != 0;
    return store.bytes == 0;
  });
}

void Oracle::take(Picoseconds at, const trace::StoreHeld& held) {
  for_each_line(
      held.address, held.data, [&](std::uint64_t number, std::uint64_t offset, trace::Data piece) {
        auto store =
            std::find_if(held_stores_.begin(), held_stores_.end(), [&](const HeldStore& other) {
              return other.line == number && other.core == held.core;
            });
        if (store == held_stores_.end()) {
          store = held_stores_.insert(store, {.line = number, .core = held.core});
        }
        store->bytes |= bits(offset, piece.size());
        store->due &= ~bits(offset, piece.size());
        std::memcpy(store->data.data() + offset, piece.data(), piece.size());
        std::fill_n(store->at.data() + offset, piece.size(), at);
        lines_[number].held = true;
      });
}

void Oracle::take(Picoseconds, const trace::UncachedStore& doorbell) {
  for (auto& store : held_stores_) {
    if (store.core != doorbell.core) continue;
    const auto before = store.due;
    for (std::uint64_t byte = 0; byte < line_bytes; ++byte) {
      if (store.at[byte] <= doorbell.executed) store.due |= store.bytes & bit(byte);
    }
    if (store.due != before) lines_[store.line].told.clear();
  }
}

// ---- where they are ----

// A modified copy in a core is at least as new as an LLC's: where it goes, it replaces that too.
void Oracle::take(Picoseconds, const trace::LineMoved& moved) {
  const auto line = lines_.find(moved.address.line());
  if (line == lines_.end()) return;
  const auto from = Location::of(moved.from, moved.from_number);
  const auto to = Location::of(moved.to, moved.to_number);
  for (auto& write : line->second.writes) {
    auto& place = write.place;
    if (place == from || (from.kind == Kind::core && place.kind == Kind::llc)) {
      place = to;
    } else if (to.kind == Kind::memory && place.kind == Kind::memory) {
      place = {Kind::overwritten, 0};
    }
  }
}

void Oracle::take(Picoseconds, const trace::LineLost& lost) {
  const auto line = lines_.find(lost.address.line());
  if (line == lines_.end()) return;
  const auto from = Location::of(lost.from, lost.from_number);
  for (auto& write : line->second.writes) {
    if (write.place == from) write.place = {Kind::dropped, 0};
  }
}

void Oracle::take(Picoseconds at, const trace::FlushHeld& flush) {
  held_flushes_.push_back({flush.address.line(), flush.core, flush.instruction, at});
}

void Oracle::take(Picoseconds, const trace::LineFlushed& flush) {
  const auto held =
      std::find_if(held_flushes_.begin(), held_flushes_.end(), [&](const HeldFlush& other) {
        return other.line == flush.address.line() && other.core == flush.core &&
               other.instruction == flush.instruction;
      });
  if (held != held_flushes_.end()) held_flushes_.erase(held);
}

// ---- judgement ----

void Oracle::take(Picoseconds at, const trace::MemoryRead& read) {
  const Party reader{read.agent, read.who, read.snooped, at};
  const auto source = Location::of(read.from, read.from_number);
  for_each_line(read.address, read.data,
                [&](std::uint64_t number, std::uint64_t offset, trace::Data piece) {
                  judge(reader, source, Hpa{number * line_bytes + offset}, piece);
                });
}

void Oracle::judge(const Party& reader, const Location& source, Hpa address, trace::Data got) {
  Line& line = lines_[address.line()];
  const auto offset = address.value % line_bytes;
  if (!line.held && std::memcmp(got.data(), line.newest.data() + offset, got.size()) == 0) return;
  auto newest = line.newest;
  if (line.held) apply_held_stores(newest, reader, address, got);
  StaleRead stale;
  stale.reader = reader;
  stale.source = source;
  for (std::uint64_t i = 0; i < got.size(); ++i) {
    if (got[i] == newest[offset + i]) continue;
    if (stale.bytes++ != 0) continue;
    stale.address = address + i;
    stale.got = got[i];
    stale.newest = newest[offset + i];
  }
  if (stale.bytes == 0) return;
  const bool told = std::any_of(line.told.begin(), line.told.end(), [&](const Party& party) {
    return party.agent == reader.agent && party.who == reader.who &&
           party.snooped == reader.snooped;
  });
  if (told) return;
  line.told.push_back(reader);
  explain(stale, line);
  stale_.push_back(stale);
}

// The core that holds a store may get its value, by forwarding, or the visible one.
void Oracle::apply_held_stores(LineData& newest, const Party& reader, Hpa address,
                               trace::Data got) const {
  const auto offset = address.value % line_bytes;
  for (const auto& store : held_stores_) {
    if (store.line != address.line()) continue;
    const bool own = is_core(reader, store.core);
    for (std::uint64_t i = 0; i < got.size(); ++i) {
      const auto byte = offset + i;
      const bool newer = own ? (store.bytes & bit(byte)) != 0 && got[i] == store.data[byte]
                             : (store.due & bit(byte)) != 0;
      if (newer) newest[byte] = store.data[byte];
    }
  }
}

// Who wrote the newest value of the first stale byte, where it is, and why it did not arrive.
void Oracle::explain(StaleRead& stale, const Line& line) const {
  const auto byte = stale.address.value % line_bytes;
  for (const auto& write : line.writes) {
    if ((write.bytes & bit(byte)) == 0) continue;
    stale.writer = write.writer;
    stale.place = write.place;
  }
  // Memory itself gave an older value: something has been written over the newest.
  if (stale.place == stale.source && stale.place.kind == Kind::memory) {
    stale.place.kind = Kind::overwritten;
  }
  for (const auto& store : held_stores_) {
    if (store.line != stale.address.line() || (store.due & bit(byte)) == 0) continue;
    if (is_core(stale.reader, store.core)) continue;
    stale.writer = {trace::Agent::core, store.core, false, store.at[byte]};
    stale.place = {Kind::write_combining, store.core};
  }
  stale.missing = missing(stale);
}

// A core that reads or writes past the caches does so by a mapping that is not write-back.
Missing Oracle::missing(const StaleRead& stale) const {
  const auto& reader = stale.reader;
  const auto& writer = stale.writer;
  switch (stale.place.kind) {
    case Kind::core:
    case Kind::llc:
      if (reader.snooped) return Missing::nothing;
      if (flush_is_held(stale)) return Missing::fence_after_flush;
      return is_core(reader) ? Missing::one_memory_type : Missing::flush_before_read;
    case Kind::memory:
      if (writer.snooped) return Missing::nothing;
      if (flush_is_held(stale)) return Missing::fence_after_flush;
      return is_core(writer) ? Missing::one_memory_type : Missing::invalidate_before_read;
    case Kind::overwritten:
      if (writer.snooped) return Missing::nothing;
      return is_core(writer) ? Missing::one_memory_type : Missing::flush_before_device_write;
    case Kind::write_combining:
      return Missing::fence_after_store;
    case Kind::dropped:
      return Missing::do_not_invd;
  }
  UNREACHABLE();
}

// A flush that would have made the difference has been executed and waits. Where the newest value
// is in a cache, it must come after the write; one of the writer's own core does in any case, since
// it is ordered behind older stores to the line, which become visible later than they are executed.
// Where an older copy must go, CLWB does not help.
bool Oracle::flush_is_held(const StaleRead& stale) const {
  return std::any_of(held_flushes_.begin(), held_flushes_.end(), [&](const HeldFlush& flush) {
    if (flush.line != stale.address.line()) return false;
    if (stale.place.kind == Kind::memory) return flush.instruction != trace::Flush::clwb;
    return is_core(stale.writer, flush.core) || flush.at >= stale.writer.at;
  });
}

}  // namespace ioasim::cache
