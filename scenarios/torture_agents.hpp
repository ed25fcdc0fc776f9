// Who fights for a few lines in coherence-torture: a program on every core, and the devices, which
// core 0 drives. Some lines are coherent: only snooped requests touch them. The others are mixed:
// devices go past the caches too. The first coherent line has a counter in its last 8 bytes, which
// locked additions alone change.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "scenarios/dma_driver.hpp"

namespace ioasim::scenarios {

struct TortureCounts {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t locked = 0;
  std::uint64_t flushes = 0;
};

class Torture {
 public:
  // `lines` of either kind.
  Torture(World& world, std::uint64_t operations, std::uint64_t lines);

  // All operations, by all agents; returns once everything is idle.
  void run();

  const TortureCounts& cores() const { return cores_; }
  // Copies, each a read and a write: what they did snooped, or not.
  const TortureCounts& devices(bool snooped) const { return snooped ? snooped_ : no_snoop_; }
  bool mixed(Hpa address) const { return (address - mixed_at_.value).value < bytes_; }
  std::uint64_t counter();
  std::uint64_t states_checked() const { return checked_; }
  const std::string& breach() const { return breach_; }  // the first one; empty if none
  bool devices_done() const { return devices_done_; }    // every copy has ended, without an error

 private:
  void fight(kernel::Thread& thread, Prng& random);
  void operate(kernel::Thread& thread, Prng& random);
  void access(kernel::Thread& thread, Prng& random, bool write);
  void drive(Prng& random);
  void start(std::size_t device, Prng& random);
  void check_states();

  World& world_;
  std::uint64_t left_;   // operations
  std::uint64_t bytes_;  // of the lines of a kind
  Hva coherent_;
  Hva mixed_;
  Hpa coherent_at_;
  Hpa mixed_at_;
  std::deque<DmaDriver> drivers_;
  std::vector<Buffer> coherent_of_;  // as each device sees them
  std::vector<Buffer> mixed_of_;
  TortureCounts cores_;
  TortureCounts snooped_;
  TortureCounts no_snoop_;
  std::uint64_t checked_ = 0;
  std::string breach_;
  bool devices_done_ = true;
};

// A row for each kind of agent: what it did, and how often it was given an old value.
void add_torture_rows(World& world, const Torture& torture);

}  // namespace ioasim::scenarios
