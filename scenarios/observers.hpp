// Listeners that scenarios take their rows from.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "trace/bus.hpp"

namespace ioasim::scenarios {

// The way of each request of one device, hop by hop.
class HopRecorder final : public trace::Listener {
 public:
  static constexpr std::size_t hops = static_cast<std::size_t>(trace::Hop::completed) + 1;
  struct Passage {
    std::uint64_t transaction = 0;
    std::array<std::optional<Picoseconds>, hops> at{};
    std::optional<trace::DmaAccess> access{};

    Picoseconds first() const { return *at.front(); }
    // The last hop that was reached, and when.
    Picoseconds last() const;
  };

  explicit HopRecorder(RequesterId device) : device_{device} {}

  void on(Picoseconds at, const trace::Event& event) override;
  void forget() { passages_.clear(); }
  // In order of issue.
  const std::vector<Passage>& passages() const { return passages_; }

 private:
  RequesterId device_;
  std::vector<Passage> passages_;
  std::uint64_t at_memory_ = 0;  // transaction whose access comes next
};

std::string_view name_of(trace::Hop hop);

// Instants of the one unmap that is watched: when software and hardware reached each step.
class InvalidationRecorder final : public trace::Listener {
 public:
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
  // Watches what follows; the device's accesses to `page` are counted from now on.
  void watch(Iova page) { page_ = page, watching_ = true; }

  std::array<std::optional<Picoseconds>, steps> at{};
  std::uint64_t touched_before = 0;  // accesses to the page before the status was seen
  std::uint64_t touched_after = 0;   // and after its write to memory

 private:
  void software(Picoseconds at, std::string_view what);
  void hardware(Picoseconds at, const trace::Invalidation& invalidation);
  void reach(Step step, Picoseconds at);

  Iova page_{};
  bool watching_ = false;
};

}  // namespace ioasim::scenarios
