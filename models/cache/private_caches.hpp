// Level 1 and level 2 of one core. Level 2 includes level 1; both are write-back and
// write-allocate. What leaves level 2 goes to the home agent.
//
// The home agent decides who holds what. A core may write a line that it holds Modified or
// Exclusive without telling, so that the home agent cannot tell the two apart and asks.
#pragma once

#include <array>
#include <optional>

#include "cache/line_array.hpp"
#include "cache/params.hpp"
#include "cache/protocol.hpp"
#include "stats/counter.hpp"

namespace ioasim::cache {

using LineBuffer = std::array<std::byte, line_bytes>;

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

  // An access that hit: the line's bytes, in level 1.
  struct Access {
    Level level = Level::beyond;
    std::byte* data = nullptr;
  };
  // A line that had to leave.
  struct Victim {
    std::uint64_t line;
    bool dirty;
    LineBuffer data;
  };

  explicit PrivateCaches(const Params& params, std::uint64_t seed = 1);

  // Looks the line up for reading, or for writing. A hit brings the line into level 1; for a
  // write it is then Modified there.
  Access access(std::uint64_t line, bool write);
  // A read that hits in level 1: the line's bytes; null, with nothing done, if it does not.
  const std::byte* read_l1(std::uint64_t line) {
    const Slot l1 = l1_.use(line);
    if (l1 == l1_.none) return nullptr;
    ++stats_.l1_hits;
    return l1_.data(l1).data();
  }
  // Enters a line granted by the home agent into both levels; a core that holds it keeps its
  // data. Returns what left level 2.
  std::optional<Victim> fill(std::uint64_t line, State state, ConstLine data);

  // The line's bytes in level 1, which holds it.
  Line data(std::uint64_t line);
  // What this core holds of the line, over both levels.
  State state(std::uint64_t line) const;
  // Snoops. Each copies the newest data out, if the core holds the line, and returns whether they
  // are newer than what the home agent has.
  bool peek(std::uint64_t line, Line newest) const;
  bool invalidate(std::uint64_t line, Line newest);
  // Somebody else reads the line: a dirty copy becomes `dirty_becomes`, any other Shared.
  bool share(std::uint64_t line, Line newest, State dirty_becomes);
  // Memory gets the data and the core keeps the line.
  bool clean(std::uint64_t line, Line newest);
  // Replaces bytes of a held line, whatever its state.
  void poke(std::uint64_t line, std::uint64_t offset, std::span<const std::byte> bytes);

  // Level 2's sets, to walk through: the line in each slot, or nothing.
  std::uint32_t slots() const { return l2_.slots(); }
  std::uint32_t ways() const { return l2_.ways(); }
  std::optional<std::uint64_t> line_at(std::uint32_t slot) const;

  const Stats& stats() const { return stats_; }

 private:
  // Level 1 keeps whether its copy may be written (Exclusive) and is newer than level 2's
  // (Modified); level 2 keeps the line's state but for that.
  using Array = LineArray<State>;
  using Slot = Array::Slot;

  Slot raise_to_l1(std::uint64_t line, Slot l2);
  void spill_l1(Slot l1);

  mutable Array l1_;
  mutable Array l2_;
  Stats stats_;
};

}  // namespace ioasim::cache
