// The coherence domain: which caches hold which line in which state, with its data, and what each
// kind of access does to that. Rules only: an access takes effect in one step, in the order in
// which the home agent puts them, and tells what had to be done for it (Outcome); the home agent
// turns that into time.
//
// Models: MESI, MESIF and MOESI over private caches and one shared level a socket, inclusive or
// with a snoop filter; up to four sockets; snooped device accesses, whole and partial, with the
// ways that they may allocate in; flushes of lines and of whole caches; write-through and
// uncached accesses of cores.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "cache/last_level.hpp"
#include "cache/piece.hpp"
#include "cache/private_caches.hpp"
#include "trace/bus.hpp"

namespace ioasim::cache {

// Cores and sockets are numbered from 0; each socket has as many cores as the next.
struct Topology {
  unsigned sockets = 1;
  unsigned cores = 1;

  unsigned socket_of(unsigned core) const { return sockets == 1 ? 0 : core * sockets / cores; }
};

// What the domain needs from outside.
class Backing {
 public:
  virtual ~Backing() = default;
  virtual Picoseconds now() const = 0;
  // Main memory. An access to a part of a line reads, or changes, only that.
  virtual void read_memory(std::uint64_t line, std::uint64_t offset, std::span<std::byte> into) = 0;
  virtual void write_memory(std::uint64_t line, std::uint64_t offset,
                            std::span<const std::byte> from) = 0;
  // Cores of this socket are asked about a line: what is written from now on comes after that.
  virtual void snoops(unsigned socket) = 0;
};

// What was done for one access.
struct Outcome {
  bool hit = false;                           // the requester's shared level had the line
  bool snooped = false;                       // cores of the requester's socket had to answer
  bool memory = false;                        // main memory was read
  bool asked_home = false;                    // ownership had to be asked for, without data
  bool dirty = false;                         // modified data were found
  std::uint8_t sockets = 0;                   // other sockets that had to answer, a bit each
  std::uint8_t deep = 0;                      // of them those whose cores had to
  trace::Place place = trace::Place::memory;  // where the data came from, or went
  std::uint32_t number = 0;

  // Somebody beyond the requester's shared level took part.
  bool beyond() const { return memory || asked_home || sockets != 0; }
};

struct CoherenceStats {
  stats::Counter llc_hits;
  stats::Counter llc_misses;
  stats::Counter device_write_hits;
  stats::Counter snoops;
  stats::Counter evictions;
  stats::Counter writebacks;
  stats::Counter back_invalidations;
  stats::Counter lines_flushed;

  static constexpr auto fields = std::tuple{
      Field{"llc_hits", &CoherenceStats::llc_hits, "lookups that found the line"},
      Field{"llc_misses", &CoherenceStats::llc_misses, "lookups that did not"},
      Field{"device_write_hits", &CoherenceStats::device_write_hits,
            "lookups for writes of devices that found the line"},
      Field{"snoops", &CoherenceStats::snoops,
            "private caches that had to give up, share or show a line"},
      Field{"evictions", &CoherenceStats::evictions, "lines that left for another"},
      Field{"writebacks", &CoherenceStats::writebacks, "modified lines written to memory"},
      Field{"back_invalidations", &CoherenceStats::back_invalidations,
            "private copies dropped because the shared level or its filter dropped the line"},
      Field{"lines_flushed", &CoherenceStats::lines_flushed,
            "lines taken out by flushes of lines or whole caches"}};
};

class Coherence {
 public:
  using Stats = CoherenceStats;

  Coherence(const Params& params, const Topology& topology, Backing& backing, trace::Bus& bus,
            std::uint64_t seed);

  const Topology& topology() const { return topology_; }
  PrivateCaches& caches(unsigned core) { return *cores_[core]; }
  LastLevel& shared(unsigned socket) { return *sockets_[socket]; }

  // ---- cores ----

  // A read, or a write, of the core missed its own caches: enters the line there, in a state that
  // permits it; Modified for a write. `claim`: for a write that is yet to come.
  enum class Want : std::uint8_t { read, write, claim };
  Outcome fetch(unsigned core, std::uint64_t line, Want want);
  // Uncached accesses that keep coherent, without bringing the line in: it is taken out of every
  // cache first.
  Outcome read_uncached(unsigned core, const Piece& piece);
  Outcome write_uncached(unsigned core, const Piece& piece);
  // The same without taking it out: a read of what a coherent reader sees, and a write that goes
  // through to memory and updates the core's own copy and the shared level's.
  Outcome read_without_fill(unsigned core, const Piece& piece);
  Outcome write_through(unsigned core, const Piece& piece);

  // ---- devices and walkers, at a socket ----

  // RdCur: a snapshot; nobody's state changes, nothing is allocated.
  Outcome device_read(unsigned socket, const Piece& piece);
  // Takes ownership, allocates in one of `ways` of the shared level; 0: goes to memory.
  Outcome device_write(unsigned socket, const Piece& piece, std::uint32_t ways);

  // ---- flushes ----

  // Asked for at a socket: writes back, and takes out of every cache unless `keep`.
  Outcome flush(unsigned socket, std::uint64_t line, bool keep);

  // A line of a whole-cache flush: one slot of a core's level 2, or of a socket's shared level.
  enum class FlushLine : std::uint8_t { absent, kept, clean, written };
  FlushLine flush_private(unsigned core, std::uint32_t slot, trace::Flush instruction);
  FlushLine flush_shared(unsigned core, std::uint32_t slot, trace::Flush instruction);
  // The socket has newer data of the line than memory.
  bool modified(unsigned socket, std::uint64_t line);

  // ---- the back door ----

  // What a coherent reader would see; no effect.
  void peek(const Piece& piece);
  // Reaches every copy, and memory.
  void poke(const Piece& piece);

  // Breaches of the protocol in what is held now, as text; empty if there is none: more than one
  // writer, a writer beside a reader, a copy that the directory does not know, two that answer.
  std::string breach(std::uint64_t line);

  const Stats& stats() const { return stats_; }

 private:
  using Slot = LastLevel::Slot;
  static constexpr Slot none = LastLevel::none;
  static constexpr std::uint8_t nobody = Entry::nobody;
  static constexpr std::uint64_t bit(unsigned core) { return std::uint64_t{1} << core; }
  static constexpr std::uint8_t socket_bit(unsigned socket) {
    return static_cast<std::uint8_t>(1u << socket);
  }

  // Copies of a line that were looked at: the newest data among them.
  struct Gathered {
    LineBuffer data;
    bool have = false;   // `data` are what a reader may be given
    bool dirty = false;  // and newer than memory's
    trace::Place from = trace::Place::memory;
    std::uint32_t number = 0;
  };

  void share_here(unsigned socket, std::uint64_t line, unsigned reader, Gathered& found,
                  Outcome& outcome);
  void share_owner(unsigned socket, std::uint64_t line, Gathered& found);
  bool share_elsewhere(unsigned socket, std::uint64_t line, Gathered& found, Outcome& outcome);
  void share_socket(unsigned socket, std::uint64_t line, Gathered& found, Outcome& outcome);

  void own_here(unsigned socket, std::uint64_t line, unsigned writer, Gathered& found,
                Outcome& outcome);
  void take_from_cores(unsigned socket, std::uint64_t line, unsigned except, Gathered& found,
                       Outcome& outcome);
  void take_elsewhere(unsigned socket, std::uint64_t line, Gathered& found, Outcome& outcome);
  void take_socket(unsigned socket, std::uint64_t line, Gathered& found);

  void grant_read(unsigned core, std::uint64_t line, const Gathered& found, bool alone);
  void grant_write(unsigned core, std::uint64_t line, const Gathered& found, Want want);
  Entry& enter(unsigned socket, std::uint64_t line, const Entry& entry, const Gathered& found);
  void fill(unsigned core, std::uint64_t line, State state, ConstLine data);
  void take_back(unsigned core, const PrivateCaches::Victim& victim);

  Slot allocate(unsigned socket, std::uint64_t line, std::uint32_t ways);
  void evict(unsigned socket, Slot slot);
  Entry& track(unsigned socket, std::uint64_t line, const Entry& entry);
  void remove(unsigned socket, std::uint64_t line);

  bool look(unsigned socket, std::uint64_t line, LineBuffer& data, Outcome& outcome);
  bool look_elsewhere(unsigned socket, std::uint64_t line, LineBuffer& data, Outcome& outcome);
  bool clean_socket(unsigned socket, std::uint64_t line);
  void write_merged(const Piece& piece, Gathered& found);

  void write_back(std::uint64_t line, ConstLine data, trace::Place from, std::uint32_t number);
  void note_move(std::uint64_t line, const Gathered& found, trace::Place to, std::uint32_t number);

  Params params_;
  Topology topology_;
  Backing& backing_;
  trace::Bus& bus_;
  std::vector<std::unique_ptr<LastLevel>> sockets_;
  std::vector<std::unique_ptr<PrivateCaches>> cores_;
  Stats stats_;
};

}  // namespace ioasim::cache
