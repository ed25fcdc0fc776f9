// The oracle: a checker on the trace bus that knows, byte for byte, the newest write in the order
// that software would expect, and reports whoever is given an older value.
//
// It compares values: a reader that gets an old byte with the same value as the newest is not
// reported. False sharing does not fool it, since it judges bytes and not lines. Memory starts as
// zeros. A line that was reported to a reader is reported to it again only after another write.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "trace/bus.hpp"

namespace ioasim::cache {

struct Party {
  trace::Agent agent = trace::Agent::debug;
  std::uint32_t who = 0;
  bool snooped = true;
  Picoseconds at{};
  bool operator==(const Party&) const = default;
};

// A reader that got an older value than the newest.
struct StaleRead {
  Party reader;
  Party writer;        // of the newest value; the start of time if nobody wrote
  Hpa address{};       // first byte that is stale
  unsigned bytes = 0;  // stale bytes of this read in that line
  std::byte got{};     // the first of them
  std::byte newest{};

  // Who read what, where and when; who had written the newer value, and how long before; what
  // would have made it arrive.
  std::string text() const;
};

class Oracle final : public trace::Listener {
 public:
  void on(Picoseconds at, const trace::Event& event) override;

  const std::vector<StaleRead>& stale_reads() const { return stale_; }

 private:
  struct Line {
    std::array<std::byte, line_bytes> newest{};
    std::array<Party, line_bytes> writers{};
    std::vector<Party> told;  // readers that were reported since the last write
  };

  void wrote(Picoseconds at, const trace::MemoryWrite& write);
  void read(Picoseconds at, const trace::MemoryRead& read);
  void judge(const Party& reader, Line& line, Hpa address, trace::Data got);

  // tidy: allow std::unordered_map: a checker, on no path of a TLP
  std::unordered_map<std::uint64_t, Line> lines_;
  std::vector<StaleRead> stale_;
};

}  // namespace ioasim::cache
