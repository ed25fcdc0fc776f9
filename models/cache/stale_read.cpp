#include "cache/stale_read.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "base/format.hpp"
#include "trace/format.hpp"

namespace ioasim::cache {
namespace {

using Kind = Location::Kind;

std::string_view kind_of(trace::Agent agent) {
  switch (agent) {
    case trace::Agent::core:
      return "core";
    case trace::Agent::device:
      return "device";
    case trace::Agent::walker:
      return "walker";
    case trace::Agent::queue:
      return "queue";
    case trace::Agent::debug:
      return "debug";
  }
  UNREACHABLE();
}

// The unit alone: a page walk and a queue of iommu0 are both "iommu0".
std::string unit_of(const Party& party) {
  switch (party.agent) {
    case trace::Agent::core:
      return fmt::format("core {}", party.who);
    case trace::Agent::device:
      return to_text(RequesterId{static_cast<std::uint16_t>(party.who)});
    case trace::Agent::walker:
    case trace::Agent::queue:
      return fmt::format("iommu{}", party.who);
    case trace::Agent::debug:
      return "the back door";
  }
  UNREACHABLE();
}

std::string reader_text(const Party& party) {
  switch (party.agent) {
    case trace::Agent::walker:
      return unit_of(party) + "'s page walk";
    case trace::Agent::queue:
      return unit_of(party) + "'s descriptor fetch";
    default:
      return unit_of(party);
  }
}

// A page walk writes accessed and dirty bits, a queue the status of an invalidation wait.
std::string writer_text(const Party& party) {
  switch (party.agent) {
    case trace::Agent::walker:
      return unit_of(party) + "'s page walk";
    case trace::Agent::queue:
      return unit_of(party) + "'s invalidation queue";
    default:
      return unit_of(party);
  }
}

bool is_start_of_time(const Party& writer) {
  return writer.agent == trace::Agent::debug && writer.at == Picoseconds{};
}

std::string name_of(const Location& location) {
  switch (location.kind) {
    case Kind::memory:
      return "memory";
    case Kind::llc:
      return fmt::format("llc {}", location.number);
    case Kind::core:
      return fmt::format("core {}", location.number);
    case Kind::write_combining:
      return fmt::format("write_combining {}", location.number);
    case Kind::overwritten:
      return "overwritten";
    case Kind::dropped:
      return "dropped";
  }
  UNREACHABLE();
}

std::string cache_text(const Location& location) {
  switch (location.kind) {
    case Kind::llc:
      return fmt::format("the last-level cache of socket {}", location.number);
    case Kind::core:
      return fmt::format("core {}'s caches", location.number);
    case Kind::write_combining:
      return fmt::format("a write-combining buffer of core {}", location.number);
    default:
      return "memory";
  }
}

std::string place_text(const Location& location) {
  switch (location.kind) {
    case Kind::overwritten:
      return "nowhere: overwritten when an older copy of the line was written back";
    case Kind::dropped:
      return "nowhere: dropped by invd";
    default:
      return "in " + cache_text(location);
  }
}

std::string_view name_of(Missing missing) {
  switch (missing) {
    case Missing::flush_before_read:
      return "flush_before_read";
    case Missing::fence_after_flush:
      return "fence_after_flush";
    case Missing::fence_after_store:
      return "fence_after_store";
    case Missing::invalidate_before_read:
      return "invalidate_before_read";
    case Missing::flush_before_device_write:
      return "flush_before_device_write";
    case Missing::one_memory_type:
      return "one_memory_type";
    case Missing::do_not_invd:
      return "do_not_invd";
    case Missing::nothing:
      return "nothing";
  }
  UNREACHABLE();
}

std::string_view advice(Missing missing, trace::Agent reader) {
  switch (missing) {
    case Missing::flush_before_read:
      return reader == trace::Agent::device
                 ? "clflush, or clwb with sfence, before the doorbell (or wbinvd), or a snooped "
                   "access"
                 : "clflush, or clwb with sfence, before the unit may read it (or wbinvd), or a "
                   "snooped access";
    case Missing::fence_after_flush:
      return "a fence after the clflushopt or clwb of the line, which was executed and has not "
             "taken effect (sfence before the doorbell, mfence before a load)";
    case Missing::fence_after_store:
      return "sfence between the weakly ordered store and the doorbell";
    case Missing::invalidate_before_read:
      return "clflush or wbinvd, before the write and again before the read, or a snooped write: "
             "it went past the caches, which hold an older copy";
    case Missing::flush_before_device_write:
      return "clflush or wbinvd before the write, or a snooped write: it went past the caches, "
             "which held an older copy that was written back later";
    case Missing::one_memory_type:
      return "one memory type for all mappings of the page, or clflush of the line before it is "
             "used by another (UC or WC beside WB)";
    case Missing::do_not_invd:
      return "wbinvd in the place of invd, which drops modified lines";
    case Missing::nothing:
      return "nothing in software: hardware should have kept these copies the same";
  }
  UNREACHABLE();
}

}  // namespace

Location Location::of(trace::Place place, std::uint32_t number) {
  switch (place) {
    case trace::Place::memory:
      return {Kind::memory, 0};
    case trace::Place::llc:
      return {Kind::llc, number};
    case trace::Place::core:
      return {Kind::core, number};
  }
  UNREACHABLE();
}

std::string StaleRead::text() const {
  const auto value = static_cast<unsigned>(newest);
  const auto more = bytes == 1 ? std::string{} : fmt::format("first of {} stale bytes, ", bytes);
  const auto written = is_start_of_time(writer)
                           ? fmt::format("memory started with {:#04x} there", value)
                           : fmt::format("{} had written {:#04x} there {} before",
                                         writer_text(writer), value, trace::to_text(age()));
  return fmt::format(
      "{} read {:#04x} at {:#x} ({}{}, from {}) at {}; {}; the newer value is {}; "
      "missing: {}",
      reader_text(reader), static_cast<unsigned>(got), address.value, more,
      reader.snooped ? "snooped" : "no snoop", cache_text(source), trace::to_text(reader.at),
      written, place_text(place), advice(missing, reader.agent));
}

std::vector<std::pair<std::string_view, StaleRead::Value>> StaleRead::row() const {
  const auto hex = [](std::byte value) {
    return fmt::format("{:#04x}", static_cast<unsigned>(value));
  };
  return {{"reader", unit_of(reader)},
          {"reader_kind", std::string{kind_of(reader.agent)}},
          {"writer", is_start_of_time(writer) ? "nobody" : unit_of(writer)},
          {"address", fmt::format("{:#x}", address.value)},
          {"bytes", std::int64_t{bytes}},
          {"got", hex(got)},
          {"newest", hex(newest)},
          {"place", name_of(place)},
          {"source", name_of(source)},
          {"age_ps", age().count()},
          {"time_ps", reader.at.count()},
          {"missing", std::string{name_of(missing)}}};
}

}  // namespace ioasim::cache
