#include "swarm/torture/torture.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <sstream>

#include "base/check.hpp"
#include "cache/oracle.hpp"
#include "cpu/msr.hpp"
#include "support/forked.hpp"
#include "swarm/torture/actors.hpp"
#include "trace/text_sink.hpp"

namespace ioasim::test::torture {
namespace {

constexpr unsigned breach_every = 24;  // steps
constexpr double seconds_max = 0.5;    // simulated

class Torture {
 public:
  explicit Torture(const Setup& setup);

  Verdict run();

 private:
  struct Actor {
    std::unique_ptr<Script> script;
    bool parked = false;
    std::uint64_t done = 0;
  };

  void be_core(std::size_t actor, unsigned core);
  void be_device(std::size_t actor, unsigned device);
  void phase_ended(std::size_t actor);
  void direct();
  void stepped(std::size_t actor);

  void settle();
  // Returns whether the caches are empty now.
  bool write_everything_back();
  void fill_io_ways();
  void hide_a_write();
  void compare_counters();
  void check_breaches();
  void compare_with_oracle();
  void look_for_leftovers();

  template <class Visit>
  void for_each_line(Visit visit) {
    for (const Region& region : setup_.regions) {
      visit(region, region.base);
      visit(region, region.base + line_bytes);
    }
  }

  const Setup setup_;
  Complaints complaints_;
  Did did_;
  Rig rig_;
  History history_;
  cache::Oracle oracle_;
  Prng random_;
  Aim aim_;
  std::deque<CoreActor> cores_;
  std::deque<DeviceActor> devices_;
  std::vector<Actor> actors_;
  std::unique_ptr<Script> director_;
  std::uint64_t steps_of_each_;  // in one phase
  std::uint64_t operations_ = 0;
  bool over_ = false;
};

Torture::Torture(const Setup& setup)
    : setup_{setup},
      rig_{setup_},
      history_{setup_.regions, setup_.cores, complaints_},
      random_{setup_.seed, "director"},
      aim_{setup_.regions, random_},
      actors_(setup_.cores + setup_.devices.size()),
      steps_of_each_{std::max<std::uint64_t>(
          1, setup_.operations / setup_.phases / (setup_.cores + setup_.devices.size()))} {
  rig_.bus.add(history_);
  rig_.bus.add(oracle_);
  for (unsigned n = 0; n < setup_.cores; ++n) cores_.emplace_back(rig_, history_, did_, setup_, n);
  for (unsigned n = 0; n < setup_.devices.size(); ++n) {
    devices_.emplace_back(rig_, history_, complaints_, did_, setup_, n);
  }
  for (std::size_t n = 0; n < actors_.size(); ++n) {
    actors_[n].script =
        std::make_unique<Script>(fmt::format("actor{}", n).c_str(), rig_.clock, [this, n] {
          const auto core = static_cast<unsigned>(n);
          core < setup_.cores ? be_core(n, core) : be_device(n, core - setup_.cores);
        });
  }
  director_ = std::make_unique<Script>("director", rig_.clock, [this] { direct(); });
}

// ---- the actors, and who tells them to go on ----

void Torture::be_core(std::size_t actor, unsigned core) {
  cores_[core].begin();
  while (!over_) {
    for (std::uint64_t n = 0; n < steps_of_each_ && !complaints_.any(); ++n) {
      cores_[core].step();
      stepped(actor);
    }
    cores_[core].settle();
    phase_ended(actor);
  }
}

void Torture::be_device(std::size_t actor, unsigned device) {
  auto& thread = actors_[actor].script->thread();
  while (!over_) {
    for (std::uint64_t n = 0; n < steps_of_each_ && !complaints_.any(); ++n) {
      const auto pause = devices_[device].step();
      stepped(actor);
      thread.sleep(pause);
    }
    while (!devices_[device].idle()) thread.sleep(1_us);
    phase_ended(actor);
  }
}

void Torture::stepped(std::size_t actor) {
  ++actors_[actor].done;
  if (++operations_ % breach_every == 0) check_breaches();
}

void Torture::phase_ended(std::size_t actor) {
  actors_[actor].parked = true;
  if (std::ranges::all_of(actors_, &Actor::parked)) {
    director_->thread().unpark(rig_.clock.now());
  }
  while (actors_[actor].parked) actors_[actor].script->thread().park();
}

void Torture::direct() {
  for (unsigned phase = 0; phase < setup_.phases && !complaints_.any(); ++phase) {
    while (!std::ranges::all_of(actors_, &Actor::parked)) director_->thread().park();
    if (!complaints_.any()) settle();
    over_ = phase + 1 == setup_.phases || complaints_.any();
    for (Actor& actor : actors_) {
      actor.parked = false;
      actor.script->thread().unpark(rig_.clock.now());
    }
  }
}

// ---- what is checked while nothing happens ----

void Torture::settle() {
  check_breaches();
  const bool empty = write_everything_back();
  if (empty && !complaints_.any()) fill_io_ways();
  if (!complaints_.any()) hide_a_write();
  if (!complaints_.any()) compare_counters();
}

// Flushes of whole caches on every core, or of every line on one.
bool Torture::write_everything_back() {
  const bool empty = !random_.one_in(3);
  const auto core = random_.between(0, setup_.cores - 1);
  if (random_.one_in(2)) {
    for (auto& each : rig_.cores) empty ? each->wbinvd() : each->wbnoinvd();
  } else {
    for_each_line([&](const Region&, Hpa line) {
      if (!empty) return rig_.cores[core]->clwb(line);
      random_.one_in(2) ? rig_.cores[core]->clflush(line) : rig_.cores[core]->clflushopt(line);
    });
    rig_.cores[core]->sfence();
  }
  for_each_line([&](const Region&, Hpa line) {
    history_.settled(line.line(), rig_.in_memory(line, line_bytes), empty);
  });
  check_breaches();
  return empty;
}

// The first lines of all regions have one set of the last level, which is empty, if it is not
// sliced. The first device writes to them take the ways that software allows; each one more
// displaces one. With no way allowed, nothing is allocated.
void Torture::fill_io_ways() {
  if (rig_.devices.empty() || setup_.caches.llc.slices != 1) return;
  const auto mask = random_.between(0, (1ull << setup_.caches.llc.ways) - 1);
  const auto ways = std::popcount(mask);
  const auto core_of_the_socket = setup_.devices[0] * (setup_.cores / setup_.sockets);
  rig_.cores[core_of_the_socket]->wrmsr(cpu::msr::iio_llc_ways, mask);
  const auto before = rig_.home.coherence_stats().evictions.n;
  auto& device = *rig_.devices[0];
  device.enables.clear();
  device.origin.snoop = true;
  device.origin.io_ways = ~0u;
  std::uint64_t written = 0;
  for (const Region& region : setup_.regions) {
    if (region.counter < line_bytes) continue;
    device.write(region.base.value, aim_.data(line_bytes));
    ++written;
  }
  const auto allowed = static_cast<std::uint64_t>(ways);
  const auto expected = ways == 0 || written < allowed ? 0 : written - allowed;
  if (expected != 0) ++did_["full ways"];
  const auto displaced = rig_.home.coherence_stats().evictions.n - before;
  if (displaced == expected) return;
  complaints_.add(
      fmt::format("{} device writes displaced {} lines from {} ways", written, displaced, ways));
}

// A core goes on to see its copy of a line, and not what was written past the caches, until the
// line is flushed. Only then is it the newest value for everybody.
void Torture::hide_a_write() {
  const Region& region = aim_.region();
  if (!region.mixed || rig_.devices.empty()) return;
  const auto core = random_.between(0, setup_.cores - 1);
  const auto load = [&] {
    history_.order(static_cast<unsigned>(core)).begin_load(region.base, 8);
    const auto value = rig_.cores[core]->load<std::uint64_t>(region.base);
    history_.order(static_cast<unsigned>(core)).end_load(word(value));
    return value;
  };
  const auto flush = [&] {
    const auto number = history_.flushing(static_cast<unsigned>(core), region.base.line(), false);
    rig_.cores[core]->clflush(region.base);
    history_.flushed(region.base.line(), number);
  };
  flush();  // not modified, that is
  ++did_["hidden write"];
  const auto before = load();
  auto& device = *rig_.devices[0];
  device.enables.clear();
  device.origin.agent = trace::Agent::device;
  device.origin.snoop = false;
  const auto written = random_.next();
  device.write(region.base.value, word(written));
  if (load() != before) complaints_.add("a no-snoop write reached a copy in a cache");
  flush();
  if (load() != written) complaints_.add("a flushed line is not read from memory");
}

void Torture::compare_counters() {
  for (std::size_t n = 0; n < setup_.regions.size(); ++n) {
    const Region& region = setup_.regions[n];
    if (!region.counts()) continue;
    std::uint64_t counted = 0;
    for (const CoreActor& core : cores_) counted += core.counted()[n];
    if (counted != 0) ++did_["counter"];
    std::uint64_t value = 0;
    for (std::uint64_t i = 0; i < 8; ++i) {
      const auto byte = history_.newest(region.base + (region.counter + i));
      value |= static_cast<std::uint64_t>(byte) << 8 * i;
    }
    if (value == counted) continue;
    complaints_.add(fmt::format("{} of {} locked increments of {:#x} are left", value, counted,
                                region.base.value + region.counter));
  }
}

void Torture::check_breaches() {
  if (!setup_.ask_the_model) return;
  for_each_line([&](const Region&, Hpa line) {
    const auto breach = rig_.home.breach(line.line());
    if (breach.empty()) return;
    complaints_.add(
        fmt::format("{} ps, line {:#x}: {}", rig_.clock.now().count(), line.value, breach));
  });
}

// ---- the end ----

void Torture::compare_with_oracle() {
  const auto& theirs = oracle_.stale_reads();
  const auto& ours = history_.stale();
  for (std::size_t n = 0; n < std::max(ours.size(), theirs.size()); ++n) {
    if (n >= ours.size()) return complaints_.add("only the oracle reports: " + theirs[n].text());
    const Stale& mine = ours[n];
    const auto text = fmt::format("a stale read at {:#x} at {} ps, {} bytes", mine.address.value,
                                  mine.at.count(), mine.bytes);
    if (n >= theirs.size()) return complaints_.add("the oracle misses " + text);
    const cache::StaleRead& other = theirs[n];
    const bool same = mine.agent == other.reader.agent && mine.who == other.reader.who &&
                      mine.snooped == other.reader.snooped && mine.at == other.reader.at &&
                      mine.address == other.address && mine.bytes == other.bytes &&
                      mine.got == other.got && mine.newest == other.newest;
    if (!same) return complaints_.add(text + " is, to the oracle: " + other.text());
    ++did_["stale read"];
    if (other.missing == cache::Missing::nothing) {
      return complaints_.add("the oracle blames nobody: " + other.text());
    }
  }
}

void Torture::look_for_leftovers() {
  std::string stuck;
  for (std::size_t n = 0; n < actors_.size(); ++n) {
    if (actors_[n].script->finished() || actors_[n].parked) continue;
    stuck += fmt::format("actor {} is stuck after {} steps\n", n, actors_[n].done);
  }
  if (!stuck.empty()) return complaints_.add(stuck + rig_.clock.waiting());
  if (!director_->finished()) complaints_.add("the director is stuck");
  if (rig_.clock.pending() != 0) complaints_.add("events are left");
  for (const auto& device : rig_.devices) {
    for (const Request* request : device->completed()) {
      if (!request->ok()) complaints_.add("a device's request failed");
    }
  }
}

Verdict Torture::run() {
  std::unique_ptr<trace::TextSink> sink;
  if (const char* const path = std::getenv("IOASIM_TORTURE_TRACE")) {
    std::FILE* const file = std::fopen(path, "w");
    CHECK(file != nullptr);
    sink = std::make_unique<trace::TextSink>(file);
    rig_.bus.add(*sink);
  }
  sc_core::sc_start(sc_core::sc_time(seconds_max, sc_core::SC_SEC));
  look_for_leftovers();
  if (!complaints_.any()) compare_with_oracle();
  const auto& caches = rig_.home.coherence_stats();
  did_["operation"] = operations_;
  did_["read"] = history_.reads();
  did_["write"] = history_.writes();
  did_["snoop"] = caches.snoops.n;
  did_["eviction"] = caches.evictions.n;
  did_["back-invalidation"] = caches.back_invalidations.n;
  did_["other socket"] = rig_.home.stats().other_sockets.n;
  return {complaints_.text(), did_};
}

// A line for each thing done, an empty one, the complaints.
std::string to_text(const Verdict& verdict) {
  std::string text;
  for (const auto& [what, times] : verdict.did) text += fmt::format("{} {}\n", times, what);
  return text + "\n" + verdict.complaints;
}

Verdict of_text(const std::string& text) {
  Verdict verdict;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line) && !line.empty();) {
    const auto space = line.find(' ');
    verdict.did[line.substr(space + 1)] = std::stoull(line.substr(0, space));
  }
  verdict.complaints.assign(std::istreambuf_iterator<char>{in}, {});
  return verdict;
}

}  // namespace

Verdict run(const Setup& setup, const std::function<void()>& before) {
  const auto child = in_fork([&] {
    if (before) before();
    return to_text(Torture{setup}.run());
  });
  auto verdict = of_text(child.text);
  if (!child.ok()) verdict.complaints += child.why();
  return verdict;
}

}  // namespace ioasim::test::torture
