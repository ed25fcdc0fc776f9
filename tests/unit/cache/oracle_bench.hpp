// An oracle, and short words for the events that it is fed.
#pragma once

#include <gmock/gmock.h>

#include <vector>

#include "cache/oracle.hpp"

namespace ioasim::cache {

inline constexpr auto device_id = RequesterId::of(1, 0, 0);
inline constexpr auto other_device_id = RequesterId::of(2, 0, 0);

inline constexpr Location memory{Location::Kind::memory, 0};
inline constexpr Location nowhere_overwritten{Location::Kind::overwritten, 0};
inline constexpr Location nowhere_dropped{Location::Kind::dropped, 0};
constexpr Location llc(std::uint32_t socket) { return {Location::Kind::llc, socket}; }
constexpr Location caches(std::uint32_t core) { return {Location::Kind::core, core}; }
constexpr Location buffer(std::uint32_t core) { return {Location::Kind::write_combining, core}; }

inline Party core(std::uint32_t number) { return {trace::Agent::core, number, true, {}}; }
inline Party uncached(std::uint32_t number) { return {trace::Agent::core, number, false, {}}; }
inline Party device(bool snooped) { return {trace::Agent::device, device_id.value, snooped, {}}; }
inline Party other_device(bool snooped) {
  return {trace::Agent::device, other_device_id.value, snooped, {}};
}

inline trace::Place place_of(const Location& location) {
  return location.kind == Location::Kind::core  ? trace::Place::core
         : location.kind == Location::Kind::llc ? trace::Place::llc
                                                : trace::Place::memory;
}

// Feeds the oracle as the bus does.
class OracleBench : public testing::Test {
 protected:
  using Values = std::vector<unsigned>;

  static std::vector<std::byte> data(const Values& values) {
    std::vector<std::byte> bytes;
    for (const auto value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
  }
  // Where hardware puts it: a core in its caches, a device in the LLC, both past them in memory.
  static Location usual_place(const Party& who) {
    if (!who.snooped) return memory;
    return who.agent == trace::Agent::core ? caches(who.who) : llc(0);
  }
  void write(const Party& who, std::uint64_t address, const Values& values) {
    write_to(usual_place(who), who, address, values);
  }
  void write_to(const Location& to, const Party& who, std::uint64_t address, const Values& values) {
    const auto bytes = data(values);
    oracle.on(now, trace::MemoryWrite{who.agent, who.who, Hpa{address}, bytes, who.snooped,
                                      place_of(to), to.number});
  }
  void read(const Party& who, std::uint64_t address, const Values& values,
            const Location& from = memory) {
    const auto bytes = data(values);
    oracle.on(now, trace::MemoryRead{who.agent, who.who, Hpa{address}, bytes, who.snooped,
                                     place_of(from), from.number});
  }
  void move(std::uint64_t address, const Location& from, const Location& to) {
    oracle.on(now,
              trace::LineMoved{Hpa{address}, place_of(from), from.number, place_of(to), to.number});
  }
  void lose(std::uint64_t address, const Location& from) {
    oracle.on(now, trace::LineLost{Hpa{address}, place_of(from), from.number});
  }
  void hold(std::uint32_t who, std::uint64_t address, const Values& values) {
    const auto bytes = data(values);
    oracle.on(now, trace::StoreHeld{who, Hpa{address}, bytes});
  }
  void doorbell(std::uint32_t who) { doorbell(who, now); }
  void doorbell(std::uint32_t who, Picoseconds executed) {
    oracle.on(now, trace::UncachedStore{who, Hpa{0xfe000000}, executed});
  }
  void hold_flush(std::uint32_t who, std::uint64_t address, trace::Flush instruction) {
    oracle.on(now, trace::FlushHeld{who, Hpa{address}, instruction});
  }
  void flush(std::uint32_t who, std::uint64_t address, trace::Flush instruction) {
    oracle.on(now, trace::LineFlushed{who, Hpa{address}, instruction, false});
  }

  const StaleRead& last() const {
    EXPECT_THAT(oracle.stale_reads(), testing::Not(testing::IsEmpty()));
    return oracle.stale_reads().back();
  }
  const StaleRead& only() const {
    EXPECT_THAT(oracle.stale_reads(), testing::SizeIs(1));
    return oracle.stale_reads().at(0);
  }
  void expect(const Location& place, Missing missing) const {
    EXPECT_EQ(last().place, place) << last().text();
    EXPECT_EQ(last().missing, missing) << last().text();
  }

  Oracle oracle;
  Picoseconds now{};
};

}  // namespace ioasim::cache
