// The home agent: the point at which all accesses to memory are put in order. In front of it are
// the caches of all sockets (coherence.hpp); behind it is main memory.
//
// Models: what coherence.hpp does, and the time it takes: tag pipelines of the slices, their misses
// in flight, two requests for one line one after the other, snoops, other sockets by directory or
// broadcast, write buffers, latency, bandwidth and queueing of DRAM; no-snoop accesses, which go
// round all caches; flushes of whole caches as processes in time (cache_flush.hpp).
// Does not model: the fabric between cores and slices but as a part of `lookup`; its bandwidth and
// that between sockets. docs/limitations.md.
//
// An access takes effect, and its data are read or written, at the engine time at which it
// reaches the agent; what is computed from there is when the requester sees it. Most often that
// is known at once. It is not if the access waits for another, or goes to another socket: then a
// task follows it, so that DRAM is reserved in order of arrival.
#pragma once

#include <boost/container/static_vector.hpp>
#include <memory>
#include <vector>

#include "cache/cache_flush.hpp"
#include "cache/coherence.hpp"
#include "cache/slice.hpp"
#include "memory/origin.hpp"
#include "memory/placement.hpp"
#include "sim/credits.hpp"
#include "sim/sockets.hpp"
#include "sim/task.hpp"

namespace ioasim::cache {

struct HomeStats {
  stats::Counter core_reads;
  stats::Counter core_writes;
  stats::Counter io_reads;
  stats::Counter io_writes;
  stats::Counter io_no_snoop_reads;
  stats::Counter io_no_snoop_writes;
  stats::Counter waited_for_line;
  stats::Counter waited_for_miss;
  stats::Counter other_sockets;

  static constexpr auto fields = std::tuple{
      Field{"core_reads", &HomeStats::core_reads, "lines that cores asked to read"},
      Field{"core_writes", &HomeStats::core_writes, "lines that cores asked to own"},
      Field{"io_reads", &HomeStats::io_reads, "lines read by devices and walkers, snooped"},
      Field{"io_writes", &HomeStats::io_writes, "lines written by devices, snooped"},
      Field{"io_no_snoop_reads", &HomeStats::io_no_snoop_reads,
            "lines read from memory, caches not looked at"},
      Field{"io_no_snoop_writes", &HomeStats::io_no_snoop_writes,
            "lines written to memory, caches not looked at"},
      Field{"waited_for_line", &HomeStats::waited_for_line,
            "requests that followed another for the same line"},
      Field{"waited_for_miss", &HomeStats::waited_for_miss,
            "requests that found every miss of their slice in flight"},
      Field{"other_sockets", &HomeStats::other_sockets,
            "requests that another socket's memory or caches took part in"}};
};

// Called with the time at which a request is done: at once, or when that is known.
struct Reply {
  void (*call)(void* object, std::uint64_t word, Picoseconds done);
  void* object;
  std::uint64_t word;

  void operator()(Picoseconds done) const { call(object, word, done); }
};

class HomeAgent final : public sc_core::sc_module,
                        public sim::Target,
                        public sim::Initiator,
                        private Backing {
  struct Slice;

 public:
  using Stats = HomeStats;
  using Want = Coherence::Want;

  // Memory answers in the ranges of `memory_map` and nowhere else. `io_sockets` has the socket
  // that each device port is at.
  HomeAgent(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
            const Params& params, const Topology& topology, const std::vector<unsigned>& io_sockets,
            std::vector<Range<Hpa>> memory_map);

  sim::TargetSocket& io(unsigned port) { return *io_[port].socket; }  // an IOMMU, or any initiator
  sim::InitiatorSocket memory;  // a target that answers at once: our DRAM

  // ---- the cores' side; each call is made at the engine time at which it takes effect ----

  PrivateCaches& caches(unsigned core) { return coherence_.caches(core); }
  // A core's access missed its own caches: enters the line there, ready for the access.
  void fetch(unsigned core, std::uint64_t line, Want want, const Reply& reply);
  // A line is one's own until an end that is not known yet: at the requester's slice, and at the
  // line's home too if that is at another socket.
  struct Hold {
    Slice* slice = nullptr;
    MissFile::Ticket ticket = 0;
    Slice* home = nullptr;
    MissFile::Ticket ticket_at_home = 0;
  };
  // A locked operation keeps the line until unlock(): others wait for `until`.
  Hold lock(unsigned core, std::uint64_t line);
  void unlock(const Hold& hold, Picoseconds until) { settle(hold, until); }
  // clflush, clflushopt, clwb. The line is in memory for whoever comes after.
  void flush(unsigned core, std::uint64_t line, trace::Flush instruction, const Reply& reply);
  // wbinvd, wbnoinvd, invd of one core: its own caches and the shared level of its socket.
  sim::Task<> flush_all(unsigned core, trace::Flush instruction);
  // An access that brings no line in: caches give the line up first; the core's own copy and
  // memory are written; memory alone is looked at; a coherent read.
  enum class Around : std::uint8_t { uncached, write_through, bypass, no_fill };
  void access(unsigned core, const Piece& piece, bool write, Around around, const Reply& reply);

  // Flushes of whole caches have got as far as they would have by now. Cores call it before they
  // look at their own caches.
  void catch_up() {
    if (flushes_.active()) [[unlikely]]
      flushes_.catch_up();
  }

  // IIO_LLC_WAYS of a socket: the ways that device writes may allocate in, a bit each.
  std::uint32_t io_ways(unsigned socket) const { return io_ways_[socket]; }
  void set_io_ways(unsigned socket, std::uint32_t ways) { io_ways_[socket] = ways; }
  std::uint32_t every_way() const {
    return static_cast<std::uint32_t>((std::uint64_t{1} << params_.llc.ways) - 1);
  }

  bool holds(Hpa address, std::uint64_t bytes) const {
    for (const auto& range : memory_map_) {
      if (range.contains(Range{address, bytes})) return true;
    }
    return false;
  }
  const std::vector<Range<Hpa>>& memory_map() const { return memory_map_; }
  const Topology& topology() const { return coherence_.topology(); }
  const Stats& stats() const { return stats_; }
  const Coherence::Stats& coherence_stats() const { return coherence_.stats(); }
  // For checkers: what is wrong with the states in which the line is held; empty if nothing is.
  std::string breach(std::uint64_t line) { return coherence_.breach(line); }

 private:
  friend class CacheFlushes;

  struct Slice {
    Slice(sim::Clockwork& clock, const std::string& name, unsigned registers)
        : misses{registers}, settled{clock, name} {}

    TagPipeline pipeline{};
    MissFile misses;
    sim::Signal settled;  // a register was taken, or may be free, or an end has become known
    std::vector<MissFile::Ticket> queue{};  // tasks that want a register, in order of arrival
  };
  struct Io {
    std::unique_ptr<sim::TargetSocket> socket;
    unsigned at = 0;
  };

  struct LateWrite {
    std::uint64_t address;
    std::uint32_t bytes;
  };
  // One access while it takes effect, and what its time depends on.
  struct Access {
    unsigned socket;
    std::uint64_t line;
    Slice* slice;
    Picoseconds start{};  // of its lookup
    Picoseconds looked_up{};
    bool direct = true;          // DRAM is reserved at once; else by a task, in its turn
    bool waits = false;          // for a request of the same line whose end is not known
    bool of_flush = false;       // of whole caches: it asks caches while it goes on
    bool until_written = false;  // it ends when what it wrote is in memory
    Picoseconds ready{};         // data that were read at once are here; there was room in buffers
    Picoseconds written{};       // what was written is in memory
    Outcome outcome{};
    Hold hold{};          // if a task follows it
    Picoseconds asked{};  // what is written comes after cores were asked
    // Written, but DRAM is not reserved yet: it is not their turn, or there is no room in buffers.
    boost::container::static_vector<LateWrite, 12> late{};
  };
  // A device's request of several lines.
  struct IoRequest {
    sim::Transaction* transaction;
    unsigned port;
    unsigned pending;  // pieces whose end is not known, and request() itself
    Picoseconds done;
  };

  std::optional<Picoseconds> request(unsigned port, sim::Transaction& transaction,
                                     Picoseconds at) override;
  unsigned debug(unsigned port, sim::Transaction& transaction) override;
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;

  void io_run(Hpa address, std::span<std::byte> data, const memory::Origin& origin, IoRequest& io);
  Outcome io_piece(const Piece& piece, bool write, const memory::Origin& origin, IoRequest& io);
  IoRequest& take_io_request();
  static void piece_done(void* home, std::uint64_t io, Picoseconds done);
  Picoseconds bypass(const Piece& piece, bool write);
  std::uint32_t ways_for(unsigned socket, const memory::Origin& origin) const;

  Access begin(unsigned socket, std::uint64_t line);
  Access begin_flush(unsigned socket, std::uint64_t line, Picoseconds at);
  // What the access does, at the point of serialisation.
  template <class Effect>
  void effect(Access& access, Effect what) {
    current_ = &access;
    time_ = clock_.now();
    access.outcome = what();
    current_ = nullptr;
  }
  // When it is done, if that is known; else `reply` is called.
  std::optional<Picoseconds> end(Access& access, const Reply& reply);
  sim::Task<> follow(Access access, Reply reply);
  sim::Task<> follow_writes(Access access, Picoseconds directory, Picoseconds done, Reply reply);
  sim::Task<> write_late(Access& access, Picoseconds directory, Picoseconds done,
                         const Reply& reply);
  void return_to(const Access& access, Picoseconds done, const Reply& reply);
  Hold hold(unsigned socket, std::uint64_t line, bool at_home);
  void settle(const Hold& hold, Picoseconds until);
  Picoseconds way_home(const Access& access) const;
  Picoseconds look_at_home(const Access& access, Picoseconds at);
  Picoseconds beyond_slice(const Access& access, Picoseconds at_home, Picoseconds directory) const;
  Slice& slice(unsigned socket, unsigned n) { return *slices_[socket * params_.llc.slices + n]; }
  Slice& slice_of(unsigned socket, std::uint64_t line) {
    return slice(socket, coherence_.shared(socket).lines().slice_of(line));
  }
  unsigned home_of(std::uint64_t line) const {
    return placement_.socket_of(Hpa{line * line_bytes});
  }

  // Backing
  Picoseconds now() const override { return current_ != nullptr ? time_ : clock_.now(); }
  void read_memory(std::uint64_t line, std::uint64_t offset, std::span<std::byte> into) override;
  void write_memory(std::uint64_t line, std::uint64_t offset,
                    std::span<const std::byte> from) override;
  void snoops(unsigned socket) override;
  void reserve_write(Access& access, std::uint64_t address, std::span<std::byte> data,
                     Picoseconds at);

  Picoseconds timed(bool write, std::uint64_t address, std::span<std::byte> data, Picoseconds at);
  void untimed(bool write, std::uint64_t address, std::span<std::byte> data);

  sim::Clockwork& clock_;
  trace::Bus& bus_;
  Params params_;
  std::vector<Range<Hpa>> memory_map_;
  memory::Placement placement_;
  Coherence coherence_;
  std::vector<std::unique_ptr<Slice>> slices_;  // of all sockets
  std::vector<WriteBuffer> write_buffers_;      // of each socket
  std::vector<std::uint32_t> io_ways_;          // of each socket
  std::vector<Io> io_;
  CacheFlushes flushes_;
  sim::PayloadPool pool_;
  Access* current_ = nullptr;  // takes effect now; null: the back door does
  Picoseconds time_{};         // of what takes effect now
  std::vector<std::unique_ptr<IoRequest>> io_requests_;
  std::vector<IoRequest*> free_io_requests_;
  Stats stats_;
};

}  // namespace ioasim::cache
