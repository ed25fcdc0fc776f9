// The oracle: a checker on the trace bus that knows, byte for byte, the newest write in the order
// that software would expect, and reports whoever is given an older value: cores, devices, page
// walks, and descriptor fetches of invalidation queues.
//
// What is a stale read. Memory starts as zeros, and the newest value of a byte is that of its last
// MemoryWrite. A store that waits in a write-combining buffer joins that order when a doorbell
// (UncachedStore) that its core has executed after it rings: until then nobody may expect it, from
// then on everybody but its own core must, until a MemoryWrite of the byte, its own or a later one.
// Values are compared, so an old byte of the same value is not stale; bytes are judged and not
// lines, so false sharing is not reported.
//
// What is reported. The first consumption and not every copy: what is made from a stale value is a
// new value. A read is judged line by line, and a reader (agent, number, snooped or not) is told of
// a line once; again after any MemoryWrite to the line, or a doorbell after held stores to it.
//
// Where the newest value is follows from the places that writes name, line by line from then on:
// data of a core's caches or an LLC move to another cache or to memory (LineMoved), where they take
// the place of all that was written past the caches, or are dropped (LineLost). What a line
// overwrites is not compared: bytes that were equal by chance count as overwritten too.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "cache/stale_read.hpp"
#include "trace/bus.hpp"

namespace ioasim::cache {

class Oracle final : public trace::Listener {
 public:
  void on(Picoseconds at, const trace::Event& event) override;

  const std::vector<StaleRead>& stale_reads() const { return stale_; }

 private:
  using ByteSet = std::uint64_t;  // bytes of a line, the first in bit 0
  using LineData = std::array<std::byte, line_bytes>;

  // The bytes of one write that are still the newest of their line, and lie in one place.
  struct Write {
    Party writer;
    Location place;
    ByteSet bytes = 0;
  };
  struct Line {
    LineData newest{};
    bool held = false;          // a HeldStore has bytes of it
    std::vector<Write> writes;  // no byte is in two
    std::vector<Party> told;    // readers that were reported since the last write
  };
  // What waits in a write-combining buffer.
  struct HeldStore {
    std::uint64_t line;
    std::uint32_t core;
    ByteSet bytes = 0;
    ByteSet due = 0;  // those from before a doorbell of the core
    LineData data{};
    std::array<Picoseconds, line_bytes> at{};
  };
  struct HeldFlush {
    std::uint64_t line;
    std::uint32_t core;
    trace::Flush instruction;
    Picoseconds at;
  };

  void take(Picoseconds at, const trace::MemoryWrite& write);
  void take(Picoseconds at, const trace::MemoryRead& read);
  void take(Picoseconds at, const trace::LineMoved& moved);
  void take(Picoseconds at, const trace::LineLost& lost);
  void take(Picoseconds at, const trace::StoreHeld& store);
  void take(Picoseconds at, const trace::UncachedStore& doorbell);
  void take(Picoseconds at, const trace::FlushHeld& flush);
  void take(Picoseconds at, const trace::LineFlushed& flush);

  void release(std::uint64_t number, ByteSet bytes, Line& line);
  void judge(const Party& reader, const Location& source, Hpa address, trace::Data got);
  void apply_held_stores(LineData& newest, const Party& reader, Hpa address, trace::Data got) const;
  void explain(StaleRead& stale, const Line& line) const;
  Missing missing(const StaleRead& stale) const;
  bool flush_is_held(const StaleRead& stale) const;

  // tidy: allow std::unordered_map: a checker, on no path of a TLP
  std::unordered_map<std::uint64_t, Line> lines_;
  std::vector<HeldStore> held_stores_;  // at most one a buffer, so few
  std::vector<HeldFlush> held_flushes_;
  std::vector<StaleRead> stale_;
};

}  // namespace ioasim::cache
