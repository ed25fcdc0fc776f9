// Level 1 and level 2 of one core. Level 2 includes level 1; both are write-back and
// write-allocate. What leaves level 2 goes to the home agent.
//
// MESI: a core may write a line that it holds Modified or Exclusive; the home agent cannot tell
// the two apart and asks.
#pragma once

#include <optional>

#include "cache/line_array.hpp"
#include "cache/params.hpp"
#include "stats/counter.hpp"

namespace ioasim::cache {

enum class Mesi : std::uint8_t { invalid, shared, exclusive, modified };

// Where a core's access found its line.
enum class Level : std::uint8_t { l1, l2, beyond };

class PrivateCaches {
 public:
  struct Stats {
    stats::Counter l1_hits;
    stats::Counter l2_hits;
    stats::Counter misses;

    static constexpr auto fields =
        std::tuple{Field{"l1_hits", &Stats::l1_hits, "line accesses that hit in level 1"},
                   Field{"l2_hits", &Stats::l2_hits, "line accesses that hit in level 2"},
                   Field{"misses", &Stats::misses, "line accesses that went to the home agent"}};
  };

  // A line that had to leave.
  struct Victim {
    std::uint64_t line;
    bool dirty;
    std::array<std::byte, line_bytes> data;
  };

  explicit PrivateCaches(const Params& params);

  // Looks the line up for reading, or for writing. A hit brings the line into level 1; for a
  // write it is then Modified there.
  Level access(std::uint64_t line, bool write);
  // The line in level 1, which holds it.
  Line data(std::uint64_t line);
  // Enters a line granted by the home agent into both levels. Returns what left level 2.
  std::optional<Victim> fill(std::uint64_t line, Mesi state, ConstLine data);

  // What this core holds of the line, over both levels.
  Mesi state(std::uint64_t line) const;
  // Snoops. Both copy the newest data out if the line is Modified, and return whether it was.
  bool invalidate(std::uint64_t line, Line newest);
  bool share(std::uint64_t line, Line newest);
  // The same without any change of state.
  bool peek(std::uint64_t line, Line newest) const;
  // Replaces bytes of a held line, whatever its state: for the back door only.
  void poke(std::uint64_t line, std::uint64_t offset, std::span<const std::byte> bytes);

  // Slots of level 2, to walk through: a line number, or nothing.
  std::uint32_t slots() const { return l2_.slots(); }
  std::optional<std::uint64_t> line_at(std::uint32_t slot) const;

  const Stats& stats() const { return stats_; }

 private:
  using Slot = LineArray<Mesi>::Slot;

  void raise_to_l1(std::uint64_t line, Slot l2);
  void spill_l1(Slot l1);
  bool newest(std::uint64_t line, Line into) const;

  mutable LineArray<Mesi> l1_;
  mutable LineArray<Mesi> l2_;
  Stats stats_;
};

}  // namespace ioasim::cache
