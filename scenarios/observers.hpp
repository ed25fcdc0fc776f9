// Listeners that scenarios take their rows from.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "scenarios/simulation.hpp"
#include "trace/bus.hpp"

namespace ioasim::scenarios {

// The way of each request of one device, hop by hop, from construction on.
class HopRecorder final : public trace::Listener {
 public:
  static constexpr std::size_t hops = static_cast<std::size_t>(trace::Hop::completed) + 1;
  struct Passage {
    std::uint64_t transaction = 0;
    std::array<std::optional<Picoseconds>, hops> at{};
    std::optional<trace::DmaAccess> access{};

    bool write() const { return access && access->write; }
    Picoseconds begin() const { return *at.front(); }
    Picoseconds end() const;  // of the last hop that was reached
    Picoseconds total() const { return end() - begin(); }
  };

  HopRecorder(World& world, RequesterId device) : world_{world}, device_{device} {
    world.listen(*this);
  }
  ~HopRecorder() override { world_.unlisten(*this); }

  void on(Picoseconds at, const trace::Event& event) override;
  // In order of issue.
  const std::vector<Passage>& passages() const { return passages_; }

  // Columns `request`, `hop` and `time`, and a row for each hop of a passage. Returns their sum.
  static void add_columns(Report& report);
  static Picoseconds add_rows(Report& report, std::string_view request, const Passage& passage);

 private:
  World& world_;
  RequesterId device_;
  std::vector<Passage> passages_;
  std::uint64_t at_memory_ = 0;  // transaction whose access comes next
};

// Instants of one unmap under DMA: when software and hardware reached each step, and how often a
// device touched the page before and after the end, from construction on.
class InvalidationRecorder final : public trace::Listener {
 public:
  InvalidationRecorder(World& world, Iova page) : world_{world}, page_{page} {
    world.listen(*this);
  }
  ~InvalidationRecorder() override { world_.unlisten(*this); }

  // In their order.
  enum Step : std::size_t {
    begin,
    pte_stored,
    flushed,
    submitted,
    fetched,
    caches_cut,
    drained,
    status_written,
    seen,
    steps
  };

  void on(Picoseconds at, const trace::Event& event) override;
  bool complete() const;
  Picoseconds between(Step from, Step to) const { return *at[to] - *at[from]; }
  // Columns `step` and `time`, and a row for each step after the first.
  void add_rows(Report& report) const;

  std::array<std::optional<Picoseconds>, steps> at{};
  std::uint64_t touched_before = 0;  // accesses to the page before the status was seen
  std::uint64_t touched_after = 0;   // and after its write to memory

 private:
  void software(Picoseconds at, std::string_view what);
  void hardware(Picoseconds at, const trace::Invalidation& invalidation);
  void reach(Step step, Picoseconds at);

  World& world_;
  Iova page_;
};

}  // namespace ioasim::scenarios
