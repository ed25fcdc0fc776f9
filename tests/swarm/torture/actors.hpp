// What fights for the lines: a program on each core, and a device at each port.
#pragma once

#include <vector>

#include "swarm/torture/rig.hpp"

namespace ioasim::test::torture {

// Where to read, or write.
struct Place {
  const Region* region = nullptr;
  Hpa address{};
  std::uint64_t bytes = 0;
};

// Draws places: anywhere in the regions, of any alignment, often across two lines. A write leaves
// the counters alone.
class Aim {
 public:
  Aim(const std::vector<Region>& regions, Prng& random) : regions_{regions}, random_{random} {}

  const Region& region();
  Place read(std::uint64_t most);
  Place write(std::uint64_t most);
  Hpa line();
  Data data(std::uint64_t bytes);

 private:
  Place within(const Region& region, std::uint64_t from, std::uint64_t to, std::uint64_t most);

  const std::vector<Region>& regions_;
  Prng& random_;
};

class CoreActor {
 public:
  CoreActor(Rig& rig, History& history, Did& did, const Setup& setup, unsigned core);

  void begin();
  void step();
  // Waits until everything that it did has taken effect. Its caches are on.
  void settle();
  // Of the counter of each region.
  const std::vector<std::uint64_t>& counted() const { return counted_; }

 private:
  struct HeldFlush {
    std::uint64_t line;
    History::Flush flush;
  };

  void take(Step step);
  void load();
  void store();
  void store_nt();
  void locked();
  void count();
  void clflush();
  void flush_weakly(bool keep);
  void fence(bool store);
  void around();
  void store_around(const Place& place, Data& data, cpu::PatIndex type);
  void load_by(const Place& place, cpu::PatIndex pat);
  void distinguish(Hpa address, Data& data);
  void fenced();

  cpu::Core& core_;
  History& history_;
  ProgramOrder& order_;
  Did& did_;
  const Setup& setup_;
  Prng random_;
  Aim aim_;
  std::uint32_t every_way_;
  std::uint64_t weight_ = 0;
  bool caches_off_ = false;
  std::vector<HeldFlush> held_;
  std::vector<std::uint64_t> counted_;
};

class DeviceActor {
 public:
  DeviceActor(Rig& rig, History& history, Complaints& complaints, Did& did, const Setup& setup,
              unsigned device);

  // Sends a request if one more may be in flight. Returns how long to wait before the next step.
  Picoseconds step();
  bool idle();

 private:
  struct InFlight {
    const Request* request;
    Data data;  // written, or read as it arrived
  };

  void read();
  void write();
  void back_door();
  bool past_the_caches(const Region& region);

  Rig& rig_;
  Requester& requester_;
  History& history_;
  Complaints& complaints_;
  Did& did_;
  const Setup& setup_;
  Prng random_;
  Aim aim_;
  std::vector<InFlight> in_flight_;
};

}  // namespace ioasim::test::torture
