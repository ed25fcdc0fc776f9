// The oracle beside two others who know the truth: a map of bytes that keeps no lines, and a small
// machine whose caches can be looked into.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/prng.hpp"
#include "cache/oracle.hpp"

namespace ioasim::cache {
namespace {

using trace::Agent;
using Bytes = std::vector<std::byte>;
using Kind = Location::Kind;

// ---- any events, whether a machine could make them or not ----

class ByteMap {
 public:
  using Report = std::tuple<std::uint64_t, unsigned, std::byte>;  // address, bytes, newest

  void write(std::uint64_t address, const Bytes& data) {
    for (const auto value : data) {
      newest_[address] = value;
      held_.erase(address);
      told_[address++ / line_bytes].clear();
    }
  }
  // Of a byte only one core may hold a store.
  bool may_hold(std::uint32_t core, std::uint64_t address, std::size_t bytes) const {
    for (auto at = held_.lower_bound(address); at != held_.end() && at->first < address + bytes;
         ++at) {
      if (at->second.core != core) return false;
    }
    return true;
  }
  void hold(std::uint32_t core, std::uint64_t address, const Bytes& data) {
    for (const auto value : data) held_[address++] = {core, value, false};
  }
  void doorbell(std::uint32_t core) {
    for (auto& [address, held] : held_) {
      if (held.core != core || held.due) continue;
      held.due = true;
      told_[address / line_bytes].clear();
    }
  }
  void read(std::uint32_t reader, std::uint64_t address, const Bytes& data) {
    std::map<std::uint64_t, Report> stale;  // by line
    for (const auto got : data) {
      const auto expected = newest(reader, address, got);
      if (got != expected) {
        const auto line = address / line_bytes;
        ++std::get<1>(stale.try_emplace(line, address, 0u, expected).first->second);
      }
      ++address;
    }
    for (const auto& [line, report] : stale) {
      if (told_[line].insert(reader).second) reports.push_back(report);
    }
  }
  std::byte newest(std::uint32_t reader, std::uint64_t address, std::byte got) {
    const auto held = held_.find(address);
    if (held != held_.end()) {
      const bool own = held->second.core == reader;
      if (own ? got == held->second.value : held->second.due) return held->second.value;
    }
    return newest_[address];
  }

  std::vector<Report> reports;

 private:
  struct Held {
    std::uint32_t core;
    std::byte value;
    bool due;
  };
  std::map<std::uint64_t, std::byte> newest_;
  std::map<std::uint64_t, Held> held_;
  std::map<std::uint64_t, std::set<std::uint32_t>> told_;
};

TEST(OracleHistoryTest, AgreesWithAMapOfBytes) {
  Prng prng{1, "oracle"};
  Oracle oracle;
  ByteMap map;
  for (int i = 0; i < 30'000; ++i) {
    const auto address = prng.between(0, 300);
    const auto who = static_cast<std::uint32_t>(prng.between(0, 2));
    Bytes data(prng.between(1, prng.one_in(4) ? 130 : 20));
    for (auto& value : data) value = static_cast<std::byte>(prng.between(0, 3));
    const auto action = prng.between(0, 9);
    if (action == 0) {
      map.doorbell(who);
      oracle.on({}, trace::UncachedStore{who, Hpa{0}, {}});
    } else if (action <= 2) {
      if (!map.may_hold(who, address, data.size())) continue;
      map.hold(who, address, data);
      oracle.on({}, trace::StoreHeld{who, Hpa{address}, data});
    } else if (action <= 4) {
      map.write(address, data);
      oracle.on({}, trace::MemoryWrite{Agent::core, who, Hpa{address}, data, true});
    } else {
      for (std::uint64_t j = 0; j < data.size(); ++j) {
        if (!prng.one_in(20)) data[j] = map.newest(who, address + j, data[j]);
      }
      map.read(who, address, data);
      oracle.on({}, trace::MemoryRead{Agent::core, who, Hpa{address}, data, true});
    }
  }
  std::vector<ByteMap::Report> reports;
  for (const auto& stale : oracle.stale_reads()) {
    reports.emplace_back(stale.address.value, stale.bytes, stale.newest);
  }
  EXPECT_EQ(reports, map.reports);
  EXPECT_GT(reports.size(), 1000u);
}

// ---- a machine ----

// One line; two cores, of which one at a time has it, a last-level cache that includes them, and
// memory. Its hardware is right, and so the oracle must never say that nothing was missing.
class SmallMachine {
 public:
  static constexpr std::size_t bytes = 4;  // of the line; the others are not used
  using Data = std::array<std::byte, bytes>;

  SmallMachine(std::uint64_t seed, bool values_repeat)
      : prng_{seed, "machine"}, values_repeat_{values_repeat} {}

  void step() {
    now_ += 1_ns;
    const auto core = static_cast<std::uint32_t>(prng_.between(0, 1));
    const auto offset = prng_.between(0, bytes - 1);
    const auto length = prng_.between(1, bytes - offset);
    switch (prng_.between(0, 9)) {
      case 0:
        fetch(core);
        return read({Agent::core, core, true}, cores_[core]->data, offset, length, in_core(core));
      case 1:
        fetch(core);
        cores_[core]->dirty = true;
        return write({Agent::core, core, true}, cores_[core]->data, offset, length, in_core(core));
      case 2:
        return snooped_read(offset, length);
      case 3:
        fetch_llc();
        llc_->dirty = true;
        return write({Agent::device, 8, true}, llc_->data, offset, length, in_llc);
      case 4:
      case 5:
        return read(past_caches(core), memory_, offset, length, in_memory);
      case 6:
        return write(past_caches(core), memory_, offset, length, in_memory);
      case 7:
        return write_back_llc();
      case 8:
        return prng_.one_in(2) ? leave_core(core) : write_back_core(core);
      case 9:
        if (prng_.one_in(8)) return drop();
        leave_core(0), leave_core(1);
        write_back_llc();
        llc_.reset();
        return;
    }
  }

  std::map<Kind, unsigned> places;
  std::map<Missing, unsigned> operations;

 private:
  struct Copy {
    Data data{};
    bool dirty = false;
  };
  static constexpr Location in_memory{Kind::memory, 0};
  static constexpr Location in_llc{Kind::llc, 1};
  static constexpr Location in_core(std::uint32_t core) { return {Kind::core, core}; }
  static trace::Place place_of(const Location& location) {
    return location.kind == Kind::core  ? trace::Place::core
           : location.kind == Kind::llc ? trace::Place::llc
                                        : trace::Place::memory;
  }

  // A No Snoop device, or a core by another memory type.
  Party past_caches(std::uint32_t core) {
    return prng_.one_in(2) ? Party{Agent::device, 8, false} : Party{Agent::core, core, false};
  }

  void moved(const Location& from, const Location& to) {
    oracle_.on(now_,
               trace::LineMoved{Hpa{0}, place_of(from), from.number, place_of(to), to.number});
  }
  void fetch(std::uint32_t core) {
    if (cores_[core]) return;
    auto& other = cores_[1 - core];
    if (other && other->dirty && prng_.one_in(2)) {
      moved(in_core(1 - core), in_core(core));
      cores_[core] = std::exchange(other, std::nullopt);
      return;
    }
    fetch_llc();
    cores_[core] = Copy{llc_->data, false};
  }
  void fetch_llc() {
    leave_core(0), leave_core(1);
    if (!llc_) llc_ = Copy{memory_, false};
  }
  void leave_core(std::uint32_t core) {
    const auto left = std::exchange(cores_[core], std::nullopt);
    if (!left || !left->dirty) return;
    moved(in_core(core), in_llc);
    llc_ = left;
  }
  void write_back_core(std::uint32_t core) {
    if (!cores_[core] || !cores_[core]->dirty) return;
    moved(in_core(core), in_memory);
    cores_[core]->dirty = false;
    llc_ = cores_[core];
    memory_ = llc_->data;
  }
  // A core's modified copy stays where it is.
  void write_back_llc() {
    if (!llc_ || !llc_->dirty) return;
    moved(in_llc, in_memory);
    llc_->dirty = false;
    memory_ = llc_->data;
  }
  void drop() {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (flushed()[i] == newest_[i]) dropped_[i] = true;
    }
    for (std::uint32_t core = 0; core < 2; ++core) {
      const auto lost = std::exchange(cores_[core], std::nullopt);
      if (lost && lost->dirty) oracle_.on(now_, trace::LineLost{Hpa{0}, trace::Place::core, core});
    }
    if (llc_ && llc_->dirty) oracle_.on(now_, trace::LineLost{Hpa{0}, trace::Place::llc, 1});
    llc_.reset();
  }
  void snooped_read(std::uint64_t offset, std::uint64_t length) {
    const Party reader{Agent::device, 8, true};
    for (std::uint32_t core = 0; core < 2; ++core) {
      if (!cores_[core]) continue;
      return read(reader, cores_[core]->data, offset, length, in_core(core));
    }
    llc_ ? read(reader, llc_->data, offset, length, in_llc)
         : read(reader, memory_, offset, length, in_memory);
  }

  void write(Party who, Data& data, std::uint64_t offset, std::uint64_t length,
             const Location& to) {
    who.at = now_;
    for (auto i = offset; i < offset + length; ++i) {
      last_value_ = values_repeat_ ? prng_.between(0, 2) : last_value_ % 255 + 1;
      data[i] = static_cast<std::byte>(last_value_);
      newest_[i] = data[i];
      writers_[i] = who;
      beside_a_copy_[i] = llc_.has_value();
      dropped_[i] = false;
    }
    told_.clear();
    oracle_.on(now_, trace::MemoryWrite{who.agent, who.who, Hpa{offset},
                                        std::span{data}.subspan(offset, length), who.snooped,
                                        place_of(to), to.number});
  }
  void read(Party who, const Data& data, std::uint64_t offset, std::uint64_t length,
            const Location& from) {
    who.at = now_;
    oracle_.on(now_, trace::MemoryRead{who.agent, who.who, Hpa{offset},
                                       std::span{data}.subspan(offset, length), who.snooped,
                                       place_of(from), from.number});
    auto first = offset;
    while (first < offset + length && data[first] == newest_[first]) ++first;
    const bool stale =
        first < offset + length && told_.insert({who.agent, who.who, who.snooped}).second;
    ASSERT_EQ(oracle_.stale_reads().size(), seen_ + stale);
    if (!stale) return;
    ++seen_;
    judge(oracle_.stale_reads().back(), first, who, from);
  }

  void judge(const StaleRead& stale, std::uint64_t byte, const Party& reader,
             const Location& from) {
    EXPECT_EQ(stale.address, Hpa{byte});
    EXPECT_EQ(stale.reader, reader);
    EXPECT_EQ(stale.writer, writers_[byte]);
    EXPECT_EQ(stale.newest, newest_[byte]);
    EXPECT_EQ(stale.source, from);
    const bool in_place = value_at(stale.place, byte) == newest_[byte];
    const bool nowhere = stale.place.kind == Kind::overwritten || stale.place.kind == Kind::dropped;
    EXPECT_NE(in_place, nowhere) << stale.text();
    // An old line that happens to have the same value overwrites all the same.
    if (nowhere && !values_repeat_) {
      for (const auto& place : {in_memory, in_llc, in_core(0), in_core(1)}) {
        EXPECT_NE(value_at(place, byte), newest_[byte]) << stale.text();
      }
    }
    EXPECT_TRUE(would_have_helped(stale, byte)) << stale.text();
    ++places[stale.place.kind];
    ++operations[stale.missing];
  }
  // What is said to have been missing: with it, the newest value would have been read.
  bool would_have_helped(const StaleRead& stale, std::uint64_t byte) const {
    const auto newest = newest_[byte];
    const auto& written_by = writers_[byte];
    const auto& reader = stale.reader;
    switch (stale.missing) {
      case Missing::flush_before_read:
        return reader.agent == Agent::device && !reader.snooped && flushed()[byte] == newest;
      case Missing::invalidate_before_read:  // so that the reader finds it in memory
        return written_by.agent == Agent::device && !written_by.snooped && reader.snooped &&
               memory_[byte] == newest;
      case Missing::flush_before_device_write:  // so that no older copy is written back later
        return written_by.agent == Agent::device && !written_by.snooped && beside_a_copy_[byte] &&
               stale.place.kind == Kind::overwritten;
      case Missing::one_memory_type:
        if (past_caches_by_a_core(reader) && flushed()[byte] == newest) return true;
        return past_caches_by_a_core(written_by) && beside_a_copy_[byte];
      case Missing::do_not_invd:
        return dropped_[byte];
      default:
        return false;
    }
  }
  static bool past_caches_by_a_core(const Party& who) {
    return who.agent == Agent::core && !who.snooped;
  }
  // What memory would hold after a flush.
  Data flushed() const {
    for (const auto& core : cores_) {
      if (core && core->dirty) return core->data;
    }
    return llc_ && llc_->dirty ? llc_->data : memory_;
  }

  std::optional<std::byte> value_at(const Location& place, std::uint64_t byte) const {
    if (place == in_memory) return memory_[byte];
    if (place == in_llc && llc_) return llc_->data[byte];
    if (place.kind == Kind::core && cores_[place.number]) return cores_[place.number]->data[byte];
    return {};
  }

  Oracle oracle_;
  Prng prng_;
  bool values_repeat_;
  std::uint64_t last_value_ = 0;
  Picoseconds now_{};
  Data memory_{};
  std::optional<Copy> llc_;
  std::array<std::optional<Copy>, 2> cores_;
  Data newest_{};
  std::array<Party, bytes> writers_{};
  // Of the newest value of each byte: whether it went past an older copy in the caches; whether
  // caches were emptied of which a flush would have brought it to memory.
  std::array<bool, bytes> beside_a_copy_{};
  std::array<bool, bytes> dropped_{};
  std::set<std::tuple<Agent, std::uint32_t, bool>> told_;
  std::size_t seen_ = 0;
};

TEST(OracleHistoryTest, WhatItSaysOfAMachineIsTrue) {
  std::map<Kind, unsigned> places;
  std::map<Missing, unsigned> operations;
  for (std::uint64_t seed = 0; seed < 20 && !testing::Test::HasFailure(); ++seed) {
    SmallMachine machine{seed, seed % 2 == 0};
    for (int i = 0; i < 5000 && !testing::Test::HasFailure(); ++i) machine.step();
    for (const auto& [place, count] : machine.places) places[place] += count;
    for (const auto& [missing, count] : machine.operations) operations[missing] += count;
  }
  for (const auto kind : {Kind::memory, Kind::llc, Kind::core, Kind::overwritten, Kind::dropped}) {
    EXPECT_GT(places[kind], 100u) << static_cast<int>(kind);
  }
  for (const auto missing :
       {Missing::flush_before_read, Missing::invalidate_before_read,
        Missing::flush_before_device_write, Missing::one_memory_type, Missing::do_not_invd}) {
    EXPECT_GT(operations[missing], 100u) << static_cast<int>(missing);
  }
}

}  // namespace
}  // namespace ioasim::cache
