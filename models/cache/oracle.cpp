#include "cache/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ioasim::cache {
namespace {

std::string name_of(const Party& party) {
  switch (party.agent) {
    case trace::Agent::core:
      return fmt::format("core {}", party.who);
    case trace::Agent::device: {
      const RequesterId id{static_cast<std::uint16_t>(party.who)};
      return fmt::format("0000:{:02x}:{:02x}.{}", id.bus(), id.device(), id.function());
    }
    case trace::Agent::walker:
      return fmt::format("iommu{}'s page walk", party.who);
    case trace::Agent::queue:
      return fmt::format("iommu{}'s invalidation queue", party.who);
    case trace::Agent::debug:
      return "the back door";
  }
  return "?";
}

std::string in_ns(Picoseconds time) {
  return fmt::format("{}.{:03} ns", time.count() / 1000, time.count() % 1000);
}

// What would have made the value arrive.
std::string_view missing(const Party& reader, const Party& writer) {
  if (!reader.snooped && writer.snooped) {
    return "the newer value is in a cache: write the line back first (clflush, wbinvd), or make "
           "the access snoop";
  }
  if (reader.snooped && !writer.snooped) {
    return "the write went past the caches, which hold an older copy: flush the line before the "
           "device writes and before it is read (clflush, wbinvd), or make the device snoop";
  }
  return "a write past the caches was overwritten by a modified line: flush the line before the "
         "device writes (clflush, wbinvd), or make the device snoop";
}

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

}  // namespace

std::string StaleRead::text() const {
  const auto written =
      writer.at == Picoseconds{} && writer.agent == trace::Agent::debug
          ? std::string{"memory started"}
          : fmt::format("{} had written {} before", name_of(writer), in_ns(reader.at - writer.at));
  return fmt::format("{} at {} read {:#04x} at {:#x}; {} with {:#04x}; {}", name_of(reader),
                     in_ns(reader.at), static_cast<unsigned>(got), address.value, written,
                     static_cast<unsigned>(newest), missing(reader, writer));
}

void Oracle::on(Picoseconds at, const trace::Event& event) {
  if (const auto* write = std::get_if<trace::MemoryWrite>(&event)) {
    wrote(at, *write);
  } else if (const auto* got = std::get_if<trace::MemoryRead>(&event)) {
    read(at, *got);
  }
}

void Oracle::wrote(Picoseconds at, const trace::MemoryWrite& write) {
  const Party writer{write.agent, write.who, write.snooped, at};
  for_each_line(write.address, write.data,
                [&](std::uint64_t number, std::uint64_t offset, trace::Data piece) {
                  Line& line = lines_[number];
                  std::copy(piece.begin(), piece.end(), line.newest.data() + offset);
                  std::fill_n(line.writers.data() + offset, piece.size(), writer);
                  line.told.clear();
                });
}

void Oracle::read(Picoseconds at, const trace::MemoryRead& read) {
  const Party reader{read.agent, read.who, read.snooped, at};
  for_each_line(read.address, read.data,
                [&](std::uint64_t number, std::uint64_t offset, trace::Data piece) {
                  judge(reader, lines_[number], Hpa{number * line_bytes + offset}, piece);
                });
}

void Oracle::judge(const Party& reader, Line& line, Hpa address, trace::Data got) {
  const auto offset = address.value % line_bytes;
  StaleRead stale;
  stale.reader = reader;
  for (std::uint64_t i = 0; i < got.size(); ++i) {
    if (got[i] == line.newest[offset + i]) continue;
    if (stale.bytes++ != 0) continue;
    stale.writer = line.writers[offset + i];
    stale.address = address + i;
    stale.got = got[i];
    stale.newest = line.newest[offset + i];
  }
  if (stale.bytes == 0) return;
  const bool told = std::any_of(line.told.begin(), line.told.end(), [&](const Party& party) {
    return party.agent == reader.agent && party.who == reader.who &&
           party.snooped == reader.snooped;
  });
  if (told) return;
  line.told.push_back(reader);
  stale_.push_back(stale);
}

}  // namespace ioasim::cache
