// A core: executes one software thread, in order, one instruction after another.
//
// Models: loads and stores through L1 and L2 by memory type, with several line misses in flight
// within one access; a store buffer (stores become visible in order, after the instruction has
// ended; loads see them before), write-combining buffers, locked operations, fences; flushes of
// lines, ordered or not, and of whole caches; uncached MMIO with its spacing, 64-byte commands;
// MTRRs, PAT, CR0.CD, privilege; interrupts by vector.
// Does not model: instruction fetch, TLB and page tables (the caller says what PAT entry the
// mapping selects), speculation. docs/limitations.md.
#pragma once

#include <algorithm>
#include <bit>
#include <bitset>
#include <boost/circular_buffer.hpp>
#include <optional>

#include "cache/home_agent.hpp"
#include "cpu/instructions.hpp"
#include "cpu/params.hpp"
#include "cpu/store_buffer.hpp"
#include "cpu/write_combining.hpp"
#include "sim/software_thread.hpp"

namespace ioasim::cpu {

class Core final : public sc_core::sc_module, public Instructions, public sim::Initiator {
 public:
  struct Stats {
    stats::Counter loads;
    stats::Counter stores;
    stats::Counter forwarded;
    stats::Counter flushes;
    stats::Counter cache_flushes;
    stats::Counter uncached_reads;
    stats::Counter uncached_writes;
    stats::Counter interrupts;
    stats::Counter faults;

    static constexpr auto fields = std::tuple{
        Field{"loads", &Stats::loads, "loads"},
        Field{"stores", &Stats::stores, "stores"},
        Field{"forwarded", &Stats::forwarded, "lines of loads answered by the store buffer"},
        Field{"flushes", &Stats::flushes, "lines flushed by clflush, clflushopt, clwb"},
        Field{"cache_flushes", &Stats::cache_flushes, "wbinvd, wbnoinvd, invd"},
        Field{"uncached_reads", &Stats::uncached_reads, "uncached reads"},
        Field{"uncached_writes", &Stats::uncached_writes, "uncached writes"},
        Field{"interrupts", &Stats::interrupts, "interrupts taken"},
        Field{"faults", &Stats::faults, "instructions that faulted"}};
  };

  Core(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
       cache::HomeAgent& home, const Params& params, const cache::Params& caches, unsigned number);

  sim::InitiatorSocket mmio;  // the MMIO router

  unsigned number() const override { return number_; }
  Picoseconds now() const override { return clock_.now(); }
  Privilege privilege() const override { return privilege_; }
  void set_privilege(Privilege level) override { privilege_ = level; }

  using Instructions::load;
  using Instructions::store;
  void load(Hpa address, std::span<std::byte> into, PatIndex pat = {}) override;
  void store(Hpa address, std::span<const std::byte> from, PatIndex pat = {}) override;
  void store_nt(Hpa address, std::span<const std::byte> from, PatIndex pat = {}) override;
  std::uint64_t lock_add(Hpa address, std::uint64_t value, unsigned bytes) override;
  std::uint64_t lock_exchange(Hpa address, std::uint64_t value, unsigned bytes) override;
  std::uint64_t lock_compare_exchange(Hpa address, std::uint64_t expected, std::uint64_t desired,
                                      unsigned bytes) override;
  void prefetch(Hpa address, bool write = false) override;
  void clflush(Hpa address) override;
  void clflushopt(Hpa address) override;
  void clwb(Hpa address) override;
  void wbinvd() override;
  void wbnoinvd() override;
  void invd() override;
  void mfence() override;
  void sfence() override;
  void lfence() override;
  void release() override;
  std::uint64_t read_uncached(Hpa address, unsigned bytes) override;
  void write_uncached(Hpa address, std::uint64_t value, unsigned bytes) override;
  void movdir64b(Hpa address, Command command) override;
  bool enqcmd(Hpa address, Command command) override;
  bool enqcmds(Hpa address, Command command) override;
  std::uint64_t rdmsr(std::uint32_t index) override;
  void wrmsr(std::uint32_t index, std::uint64_t value) override;
  void disable_caches(bool disabled) override;
  void execute(Picoseconds duration) override;
  bool wait_for_interrupt(std::uint8_t vector, Picoseconds timeout = forever) override;

  // The local APIC has accepted a message for this core.
  void interrupt(std::uint8_t vector);

  const Stats& stats() const { return stats_; }
  const cache::PrivateCaches::Stats& cache_stats() const { return caches_.stats(); }

 private:
  using Around = cache::HomeAgent::Around;
  using Want = cache::HomeAgent::Want;
  using Piece = cache::Piece;

  // What a line that is under way between the core and the home agent is for.
  enum class Use : std::uint8_t { none, load, store, claim, prefetch, flush };
  struct FillBuffer {
    Use use = Use::none;
    trace::Flush instruction{};
    Piece piece{};
  };
  // How an access of a memory type goes: through the caches, or round them.
  struct Route {
    MemoryType type = MemoryType::write_back;
    bool memory = true;  // else a device
    bool coherent = true;
    bool fill = true;  // a miss brings the line in
  };
  struct GoAround;  // an access that goes round them

  // ---- cached accesses (core.cpp) ----
  bool load_hit(Hpa address, std::span<std::byte> into, PatIndex pat);
  void load_otherwise(Hpa address, std::span<std::byte> into, PatIndex pat);
  void load_cached(Hpa address, std::span<std::byte> into, bool fill);
  void store_cached(Hpa address, std::span<const std::byte> from);
  // Of an access that reads what it is given: the caches' interface has one kind of span.
  static std::span<std::byte> only_read(std::span<const std::byte> data) {
    return {const_cast<std::byte*>(data.data()), data.size()};
  }
  void load_line(const Piece& piece, Picoseconds& issue, Picoseconds& done, bool fill);
  void store_line(const Piece& piece);
  void commit(const Piece& piece, std::byte* held);
  void deliver(const Piece& piece, const std::byte* held);
  void drain_stores();
  void claim_ahead();
  unsigned take_buffer(Use use, const Piece& piece);
  void begin_fill(unsigned buffer, Picoseconds at);
  void fill(std::uint64_t buffer);
  static void filled_at(void* core, std::uint64_t buffer, Picoseconds done);
  void filled(std::uint64_t buffer);
  bool filling(std::uint64_t line) const;
  bool stores_visible() const { return stores_.empty() && uses_[index(Use::store)] == 0; }

  // ---- flushes, fences, locked operations (core_order.cpp) ----
  void flush_weakly(Hpa address, bool keep);
  void begin_flush(std::uint64_t line, trace::Flush instruction);
  void flush_caches(trace::Flush instruction);
  sim::Task<> flush_all(trace::Flush instruction);
  struct Locked;
  template <class Operation>
  std::uint64_t locked(Hpa address, unsigned bytes, Operation operation);
  template <class Operation>
  std::uint64_t lock_device(Hpa address, unsigned bytes, Operation operation);
  void lock_lines(Locked* request);
  void lock_owned_lines(Locked* request);
  void lock_line(Locked& request, std::uint64_t line);
  bool lines_held(const Locked& request);
  static void line_locked(void* locked, std::uint64_t, Picoseconds done);
  void flush_line(std::uint64_t buffer);
  static void flushed_at(void* core, std::uint64_t buffer, Picoseconds done);
  void all_visible();
  void all_ended();

  // ---- uncached, write-combining, devices (core_uncached.cpp) ----
  void access_uncached(Hpa address, std::span<std::byte> data, bool write, const Route& route);
  void go_around(GoAround* access);
  void combine(Hpa address, std::span<const std::byte> from, bool coherent);
  void write_out(const WriteCombining::Contents& contents);
  void write_combined();
  static void combined_at(void* core, std::uint64_t, Picoseconds done);
  void combined();
  bool combining_in_use() const { return !combining_.empty() || !combined_.empty(); }
  void empty_write_combining();
  void empty_write_combining(std::uint64_t line);
  void device_write(Hpa address, std::span<const std::byte> from);
  void send_and_wait(sim::Payload& payload);
  bool enqueue(Hpa address, const std::array<std::byte, line_bytes>& command);
  void check_command(const char* instruction, Hpa address);
  // Of a register operand: what else is no instruction.
  static void check_operand(unsigned bytes) { CHECK(bytes <= 8 && std::has_single_bit(bytes)); }
  void response(unsigned port, sim::Transaction& transaction, Picoseconds at) override;

  // ---- types, registers, time (core_system.cpp) ----
  Route route(Hpa address, std::uint64_t bytes, PatIndex pat) const;
  // Calls visit(address, part, route) for each page that the bytes touch: a page has one type.
  template <class Byte, class Visit>
  void for_each_page(Hpa address, std::span<Byte> data, PatIndex pat, Visit visit) {
    while (!data.empty()) {
      const auto part =
          data.first(std::min<std::uint64_t>(page_bytes - address.page_offset(), data.size()));
      visit(address, part, route(address, part.size(), pat));
      data = data.subspan(part.size());
      address += part.size();
    }
  }
  bool plain_type(PatIndex pat) const { return (plain_ >> (pat.value & 7) & 1u) != 0; }
  bool plain(Hpa address, std::uint64_t bytes, PatIndex pat) const {
    return plain_type(pat) && home_.holds(address, bytes);
  }
  void types_changed();
  bool write_msr(std::uint32_t index, std::uint64_t value);
  void supervisor_only(const char* instruction);
  [[noreturn]] void fault(Exception exception, const std::string& reason);
  // For the software thread: returns once ready() is true; asked again at every advance().
  template <class Ready>
  void wait_for(Ready ready) {
    while (!ready()) {
      waiting_ = true;
      thread_.park();
      waiting_ = false;
    }
  }
  void advance() {
    if (waiting_) thread_.unpark(clock_.now());
  }
  void finish(Picoseconds at);
  static void finish_at(void* core, std::uint64_t, Picoseconds done) {
    static_cast<Core*>(core)->finish(done);
  }
  void await_finish();
  static constexpr std::size_t index(Use use) { return static_cast<std::size_t>(use); }

  sim::Clockwork& clock_;
  trace::Bus& bus_;
  cache::HomeAgent& home_;
  cache::PrivateCaches& caches_;
  Params params_;
  Picoseconds cycle_;
  Picoseconds l1_lookup_;
  Picoseconds l2_lookup_;
  unsigned number_;
  Privilege privilege_ = Privilege::supervisor;
  sim::SoftwareThread thread_;
  bool waiting_ = false;

  std::vector<FillBuffer> fill_buffers_;
  std::vector<unsigned> free_buffers_;
  std::array<unsigned, 6> uses_{};  // fill buffers in each use
  StoreBuffer stores_;

  WriteCombining combining_;
  // Left the buffers, not yet at the home agent.
  boost::circular_buffer<WriteCombining::Contents> combined_;
  unsigned combined_writes_ = 0;  // and those not yet in memory

  Pat pat_;
  Mtrrs mtrrs_;
  std::uint8_t plain_ = 0;  // PAT entries that make all memory plain write-back, a bit each
  bool caches_disabled_ = false;
  std::uint64_t pasid_ = 0;

  std::bitset<256> pending_interrupts_;
  sim::PayloadPool pool_;
  const sim::Transaction* awaited_ = nullptr;  // the request to a device that the thread waits for
  Picoseconds next_uncached_write_{};
  std::optional<Picoseconds> finished_at_;  // the instruction that the thread waits for
  Stats stats_;
};

}  // namespace ioasim::cpu
