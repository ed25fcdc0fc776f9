// The rows of ddio-window, and what is claimed of them.
#pragma once

#include <vector>

#include "scenarios/write_then_read.hpp"

namespace ioasim::scenarios {

// Ways that the writes of the machine's dma0 may enter, and the size of one.
unsigned ddio_ways(World& world);
// The root port says how many, whatever the register of the socket says.
bool ways_are_of_port(World& world);
std::uint64_t way_bytes(World& world);

class WindowTable {
 public:
  // Adds its columns.
  WindowTable(World& world, WriteThenRead& device);

  void empty_caches();
  // Accesses in a window, the cache having `capacity` for them. Windows come in rising order, so
  // that what is held is always a part of the window.
  void add_window(std::uint64_t window, std::uint64_t capacity);
  // A window of `window_ways` ways' size, in empty caches of which this many take device writes.
  void add_ways(unsigned ways, unsigned window_ways);
  void claim_window();
  // Of a window that the cache has no room for.
  void claim_no_window();
  void claim_ways();

 private:
  struct Line {
    std::uint64_t window;
    std::uint64_t capacity;
    WriteThenRead::Result result;

    // min(1, D / W), for `parts`.
    std::uint64_t resident(std::uint64_t parts) const {
      return window <= capacity ? parts : parts * capacity / window;
    }
  };

  void add_windows();
  void add(const std::string& name, unsigned ways, const Line& line);
  Picoseconds closed_form(const Line& line) const;
  bool hits_as_expected(const Line& line) const;

  World& world_;
  WriteThenRead& device_;
  std::vector<Line> windows_;
  std::vector<Line> ways_;
};

}  // namespace ioasim::scenarios
