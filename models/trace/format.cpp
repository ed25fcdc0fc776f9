#include "trace/format.hpp"

#include <fmt/format.h>

#include <iterator>
#include <type_traits>

#include "base/check.hpp"
#include "base/format.hpp"

namespace ioasim::trace {
namespace {

using Buffer = fmt::memory_buffer;

template <class... Arguments>
void print(Buffer& out, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Arguments>(arguments)...);
}

std::string_view name_of(Agent agent) {
  switch (agent) {
    case Agent::core:
      return "core";
    case Agent::device:
      return "device";
    case Agent::walker:
      return "walker";
    case Agent::queue:
      return "queue";
    case Agent::debug:
      return "debug";
  }
  UNREACHABLE();
}

std::string_view name_of(Hop hop) {
  switch (hop) {
    case Hop::issued:
      return "issued";
    case Hop::sent:
      return "sent";
    case Hop::at_root_port:
      return "at_root_port";
    case Hop::at_iommu:
      return "at_iommu";
    case Hop::translated:
      return "translated";
    case Hop::at_memory:
      return "at_memory";
    case Hop::data_ready:
      return "data_ready";
    case Hop::completion_sent:
      return "completion_sent";
    case Hop::completed:
      return "completed";
  }
  UNREACHABLE();
}

std::string_view name_of(Place place) {
  switch (place) {
    case Place::memory:
      return "memory";
    case Place::llc:
      return "llc";
    case Place::core:
      return "core";
  }
  UNREACHABLE();
}

std::string_view name_of(Flush instruction) {
  switch (instruction) {
    case Flush::clflush:
      return "clflush";
    case Flush::clflushopt:
      return "clflushopt";
    case Flush::clwb:
      return "clwb";
    case Flush::wbinvd:
      return "wbinvd";
    case Flush::wbnoinvd:
      return "wbnoinvd";
    case Flush::invd:
      return "invd";
  }
  UNREACHABLE();
}

std::string_view name_of(InvalidationStep step) {
  switch (step) {
    case InvalidationStep::tail_written:
      return "tail_written";
    case InvalidationStep::fetched:
      return "fetched";
    case InvalidationStep::caches_cut:
      return "caches_cut";
    case InvalidationStep::drained:
      return "drained";
  }
  UNREACHABLE();
}

template <class Integer>
requires std::is_integral_v<Integer>
void put(Buffer& out, Integer value) { print(out, "{}", value); }

template <class Enum>
requires std::is_enum_v<Enum>
void put(Buffer& out, Enum value) { print(out, "{}", name_of(value)); }

template <class Space>
void put(Buffer& out, Address<Space> address) {
  print(out, "{:#x}", address.value);
}

template <class Space>
void put(Buffer& out, const Range<Address<Space>>& range) {
  print(out, "{:#x}+{:#x}", range.base.value, range.bytes);
}

void put(Buffer& out, Picoseconds time) { print(out, "{}ps", time.count()); }
void put(Buffer& out, RequesterId id) { out.append(to_text(id)); }
void put(Buffer& out, Pasid pasid) { print(out, "{:#x}", pasid.value); }

void put(Buffer& out, std::string_view text) {
  const bool plain = text.find_first_of(" =\"\n") == std::string_view::npos;
  plain ? print(out, "{}", text) : print(out, "{:?}", text);
}

void put(Buffer& out, Data data) {
  for (const std::byte byte : data) print(out, "{:02x}", std::to_integer<unsigned>(byte));
}

// The agent's number is a requester id where the agent is a device.
template <class Kind>
bool is_requester(const Kind& event, std::string_view field) {
  if constexpr (requires { event.agent; }) {
    return event.agent == Agent::device && field == "who";
  } else {
    return false;
  }
}

}  // namespace

std::string to_text(Picoseconds at) {
  return fmt::format("{}.{:03} ns", at.count() / 1000, at.count() % 1000);
}

std::string to_text(const Event& event) {
  Buffer out;
  std::visit(
      [&]<class Kind>(const Kind& kind) {
        out.append(Kind::name);
        for_each_field<Kind>([&](const auto& field) {
          print(out, " {}=", field.name);
          const auto& value = kind.*field.member;
          if constexpr (std::is_same_v<decltype(value), const std::uint32_t&>) {
            if (is_requester(kind, field.name)) {
              return put(out, RequesterId{static_cast<std::uint16_t>(value)});
            }
          }
          put(out, value);
        });
      },
      event);
  return fmt::to_string(out);
}

}  // namespace ioasim::trace
