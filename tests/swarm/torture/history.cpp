#include "swarm/torture/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace ioasim::test::torture {
namespace {

// Calls visit(line number, offset, piece) for each line that the bytes touch.
template <class Visit>
void in_lines(Hpa address, trace::Data data, Visit visit) {
  for (std::size_t from = 0; from < data.size();) {
    const auto offset = (address.value + from) % line_bytes;
    const auto bytes = std::min<std::size_t>(line_bytes - offset, data.size() - from);
    visit((address.value + from) / line_bytes, offset, data.subspan(from, bytes));
    from += bytes;
  }
}

std::string who(const Stale& reader) {
  return fmt::format("agent {} number {}, {}", static_cast<int>(reader.agent), reader.who,
                     reader.snooped ? "snooped" : "no snoop");
}

}  // namespace

// ---- what a byte of a mixed line may be ----

History::Possible::Possible() {
  for (auto& values : cached) values.set(0);
  for (auto& values : memory) values.set(0);
}

void History::Possible::write(std::uint64_t offset, trace::Data data, bool snooped) {
  if (snooped) {
    modified = true;
    for (std::size_t i = 0; i < line_bytes; ++i) memory[i] |= cached[i];
  }
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto value = static_cast<std::size_t>(data[i]);
    Values& in_caches = cached[offset + i];
    Values& in_memory = memory[offset + i];
    if (snooped) {
      in_caches.reset();
    } else if (!modified) {
      in_memory.reset();
    }
    in_caches.set(value);
    in_memory.set(value);
  }
}

void History::Possible::flush(bool keep) {
  modified = false;
  for (std::size_t i = 0; i < line_bytes; ++i) {
    memory[i] &= cached[i];
    if (!keep) cached[i] = memory[i];
  }
}

void History::Possible::unite(const Possible& other) {
  modified |= other.modified;
  for (std::size_t i = 0; i < line_bytes; ++i) {
    cached[i] |= other.cached[i];
    memory[i] |= other.memory[i];
  }
}

void History::Possible::intersect(const Possible& other) {
  modified &= other.modified;
  for (std::size_t i = 0; i < line_bytes; ++i) {
    cached[i] &= other.cached[i];
    memory[i] &= other.memory[i];
  }
}

// ---- events ----

History::History(const std::vector<Region>& regions, unsigned cores, Complaints& complaints)
    : complaints_{complaints} {
  for (const Region& region : regions) {
    for (const auto number : {region.base.line(), region.base.line() + 1}) {
      Line& line = lines_.emplace_back();
      line.number = number;
      if (region.mixed) line.possible = std::make_unique<Possible>();
    }
  }
  std::ranges::sort(lines_, {}, &Line::number);
  for (unsigned core = 0; core < cores; ++core) orders_.emplace_back(core, complaints);
}

History::Line& History::line(std::uint64_t number) {
  const auto found = std::ranges::lower_bound(lines_, number, {}, &Line::number);
  CHECK(found != lines_.end() && found->number == number);
  return *found;
}

void History::on(Picoseconds at, const trace::Event& event) {
  if (const auto* read = std::get_if<trace::MemoryRead>(&event)) {
    take(at, *read);
  } else if (const auto* write = std::get_if<trace::MemoryWrite>(&event)) {
    take(at, *write);
  }
}

void History::take(Picoseconds at, const trace::MemoryWrite& write) {
  ++events_;
  ++writes_;
  const bool by_core = write.agent == trace::Agent::core;
  const auto unchanged_since = by_core ? orders_[write.who].locked_since() : events_;
  in_lines(write.address, write.data, [&](auto number, auto offset, trace::Data piece) {
    Line& line = this->line(number);
    for (std::size_t i = 0; i < piece.size(); ++i) {
      if (line.written[offset + i] > unchanged_since) {
        complaints_.add(
            fmt::format("{} ps: a write to {:#x} came between the read and the write "
                        "of core {}'s locked operation",
                        at.count(), number * line_bytes + offset + i, write.who));
      }
      line.written[offset + i] = events_;
    }
    std::memcpy(line.newest.data() + offset, piece.data(), piece.size());
    line.told.clear();
    if (line.possible == nullptr) {
      if (!write.snooped) complaints_.add("a coherent line was written past the caches");
      return;
    }
    line.possible->write(offset, piece, write.snooped);
    for (UnderWay& flush : line.flushes) {
      if (!flush.begun) continue;
      flush.after.write(offset, piece, write.snooped);
      Possible flushed_now = *line.possible;
      flushed_now.flush(flush.keep);
      flush.after.unite(flushed_now);
    }
  });
  if (!by_core) return;
  orders_[write.who].wrote(write.address, write.data, write.to);
  in_lines(write.address, write.data,
           [&](auto number, auto, auto) { begin_flushes(line(number)); });
}

void History::take(Picoseconds at, const trace::MemoryRead& read) {
  ++events_;
  ++reads_;
  const Stale reader{.agent = read.agent, .who = read.who, .snooped = read.snooped, .at = at};
  in_lines(read.address, read.data, [&](auto number, auto offset, trace::Data piece) {
    judge(line(number), offset, piece, reader);
  });
  if (read.agent == trace::Agent::core) {
    orders_[read.who].read(read.address, read.data, events_);
  } else {
    device_read_.insert(device_read_.end(), read.data.begin(), read.data.end());
  }
}

// Whether some legal order explains what was read.
void History::judge(Line& line, std::uint64_t offset, trace::Data got, const Stale& reader) {
  compare(line, offset, got, reader);
  if (line.possible == nullptr && !reader.snooped) {
    return complaints_.add("a coherent line was read past the caches");
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto newest = line.newest[offset + i];
    if (got[i] == newest) continue;
    if (line.possible != nullptr) {
      const auto& sets = reader.snooped ? line.possible->cached : line.possible->memory;
      if (sets[offset + i].test(static_cast<std::size_t>(got[i]))) continue;
    }
    complaints_.add(
        fmt::format("{} ps: {} read {:#04x} at {:#x}, which no legal order explains; "
                    "the newest value is {:#04x}",
                    reader.at.count(), who(reader), static_cast<unsigned>(got[i]),
                    line.number * line_bytes + offset + i, static_cast<unsigned>(newest)));
    return;
  }
}

// A reader is told of a line once, until somebody writes to it.
void History::compare(Line& line, std::uint64_t offset, trace::Data got, Stale stale) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto newest = line.newest[offset + i];
    if (got[i] == newest) continue;
    if (stale.bytes++ != 0) continue;
    stale.address = Hpa{line.number * line_bytes + offset + i};
    stale.got = got[i];
    stale.newest = newest;
  }
  if (stale.bytes == 0) return;
  const auto same = [&](const Stale& other) { return stale.same_reader(other); };
  if (std::ranges::any_of(line.told, same)) return;
  line.told.push_back(stale);
  stale_.push_back(stale);
}

// ---- flushes ----

History::Flush History::flushing(unsigned core, std::uint64_t number, bool keep) {
  Line& line = this->line(number);
  if (line.possible == nullptr) return 0;
  line.flushes.push_back(
      {.number = ++flushes_, .core = core, .age = orders_[core].age(), .keep = keep});
  begin_flushes(line);
  return flushes_;
}

void History::begin_flushes(Line& line) {
  for (UnderWay& flush : line.flushes) {
    if (flush.begun || orders_[flush.core].waits(line.number, flush.age)) continue;
    flush.begun = true;
    flush.after = *line.possible;
    flush.after.flush(flush.keep);
  }
}

void History::flushed(std::uint64_t number, Flush flush) {
  Line& line = this->line(number);
  const auto found = std::ranges::find(line.flushes, flush, &UnderWay::number);
  if (found == line.flushes.end()) return;  // of a coherent line
  if (!found->begun) {
    complaints_.add(fmt::format("a flush of {:#x} has ended before an older store of core {}",
                                number * line_bytes, found->core));
  }
  line.possible->intersect(found->after);
  line.flushes.erase(found);
}

void History::settled(std::uint64_t number, std::span<const std::byte> memory, bool empty) {
  Line& line = this->line(number);
  if (line.possible != nullptr) line.possible->flush(!empty);
  for (std::size_t i = 0; i < line_bytes; ++i) {
    const auto value = static_cast<std::size_t>(memory[i]);
    const bool explained = line.possible != nullptr ? line.possible->memory[i].test(value)
                                                    : memory[i] == line.newest[i];
    if (!explained) {
      complaints_.add(
          fmt::format("memory holds {:#04x} at {:#x} after everything was written "
                      "back; the newest value is {:#04x}",
                      value, number * line_bytes + i, static_cast<unsigned>(line.newest[i])));
      return;
    }
    if (line.possible == nullptr) continue;
    line.possible->memory[i].reset().set(value);
    if (empty) line.possible->cached[i] = line.possible->memory[i];
  }
}

}  // namespace ioasim::test::torture
