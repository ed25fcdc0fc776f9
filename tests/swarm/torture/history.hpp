// What each byte of memory has been, from the accesses alone: a second opinion on the coherence
// domain and on the oracle, sharing no code with either. It hears MemoryRead and MemoryWrite.
//
// A line is coherent if only snooped accesses touch it: then every read must give the newest
// value. Past the caches, on a mixed line, two sets of values a byte are kept:
//
//   cached   what a snooped reader may get: the newest snooped write, and every write past the
//            caches since, for it may or may not be hidden behind an older copy
//   memory   what memory may hold, now or once what the caches hold has been written back
//
//  * A snooped write: cached = {v}, memory |= {v}. It may make the whole line modified, with older
//    clean bytes around it: memory |= cached for all of it.
//  * A write past the caches: cached |= {v}, memory = {v}. If the line may be modified, memory |=
//    {v}: below the newest copy a lower level may hold an older modified one, which may still be
//    written back.
//  * A flush of the line: memory holds one of the values in both sets. Nothing is modified, and
//    after an invalidation cached = memory. It happens at some time between its instruction and a
//    fence: of both states, with and without it, one is kept for each, and the one without goes at
//    the fence. It comes after older stores of its core to the line.
#pragma once

#include <array>
#include <bitset>
#include <memory>
#include <vector>

#include "swarm/torture/program_order.hpp"
#include "trace/bus.hpp"

namespace ioasim::test::torture {

// Two neighbouring lines that the actors work on.
struct Region {
  static constexpr std::uint64_t bytes = 2 * line_bytes;

  Hpa base{};
  bool mixed = false;             // some accesses go past the caches
  std::uint64_t counter = bytes;  // offset of 8 bytes that locked increments alone change; or none
  bool counts() const { return counter < bytes; }
};

// A reader that got something else than the newest value: what the oracle is to report.
struct Stale {
  trace::Agent agent{};
  std::uint32_t who = 0;
  bool snooped = true;
  Picoseconds at{};
  Hpa address{};  // of the first such byte
  unsigned bytes = 0;
  std::byte got{};
  std::byte newest{};

  bool same_reader(const Stale& other) const {
    return agent == other.agent && who == other.who && snooped == other.snooped;
  }
};

class History final : public trace::Listener {
 public:
  History(const std::vector<Region>& regions, unsigned cores, Complaints& complaints);

  void on(Picoseconds at, const trace::Event& event) override;

  ProgramOrder& order(unsigned core) { return orders_[core]; }
  std::byte newest(Hpa address) { return line(address.line()).newest[address.value % line_bytes]; }

  // A flush of a line by a core may take effect from now on, or once the core's stores to it are
  // visible; it has, when flushed() is called with the number that flushing() gave.
  using Flush = std::size_t;
  Flush flushing(unsigned core, std::uint64_t line, bool keep);
  void flushed(std::uint64_t line, Flush flush);

  // Nothing is under way, and every modified line was written back: what memory holds is judged.
  // If no cache holds the line either, that is all there is of it.
  void settled(std::uint64_t line, std::span<const std::byte> memory, bool empty);

  // What was read for the last read of a device, which takes effect at once.
  void begin_device_read() { device_read_.clear(); }
  const std::vector<std::byte>& device_read() const { return device_read_; }

  const std::vector<Stale>& stale() const { return stale_; }
  std::uint64_t reads() const { return reads_; }
  std::uint64_t writes() const { return writes_; }

 private:
  using Values = std::bitset<256>;
  // Of a mixed line.
  struct Possible {
    bool modified = false;
    std::array<Values, line_bytes> cached{};
    std::array<Values, line_bytes> memory{};

    Possible();
    void write(std::uint64_t offset, trace::Data data, bool snooped);
    void flush(bool keep);
    void unite(const Possible& other);
    void intersect(const Possible& other);
  };
  struct UnderWay {
    Flush number = 0;
    unsigned core = 0;
    std::uint64_t age = 0;  // in the core's program
    bool keep = false;
    bool begun = false;
    Possible after{};
  };
  struct Line {
    std::uint64_t number = 0;
    std::array<std::byte, line_bytes> newest{};
    std::array<std::uint64_t, line_bytes> written{};  // number of the event
    std::vector<Stale> told;                          // readers, since the last write
    std::unique_ptr<Possible> possible{};             // of a mixed line
    std::vector<UnderWay> flushes{};
  };

  void take(Picoseconds at, const trace::MemoryRead& read);
  void take(Picoseconds at, const trace::MemoryWrite& write);
  void judge(Line& line, std::uint64_t offset, trace::Data got, const Stale& reader);
  void compare(Line& line, std::uint64_t offset, trace::Data got, Stale stale);
  void begin_flushes(Line& line);
  Line& line(std::uint64_t number);

  std::vector<Line> lines_;  // by number
  std::vector<ProgramOrder> orders_;
  Complaints& complaints_;
  std::vector<Stale> stale_;
  std::vector<std::byte> device_read_;
  std::uint64_t events_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t writes_ = 0;
  Flush flushes_ = 0;
};

}  // namespace ioasim::test::torture
