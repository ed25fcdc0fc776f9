// The home agent with nothing in front of it: accesses of cores reach it at the time at which the
// test makes them, so that every time is that of the home agent alone.
//
// Times: those of support/memory_system.hpp; another socket is 40 ns there and back.
#pragma once

#include "sim/task.hpp"
#include "support/bench.hpp"
#include "support/memory_system.hpp"

namespace ioasim::cache {

// What became of an access of a core.
struct Result {
  bool done = false;
  Picoseconds done_at{};
  std::uint64_t value = 0;
};

class HomeBench : public test::Bench {
 protected:
  using Want = HomeAgent::Want;

  static constexpr auto lookup = test::MemorySystem::lookup;
  static constexpr auto snoop = test::MemorySystem::snoop;
  static constexpr auto dram = test::MemorySystem::dram;
  static constexpr auto transfer = test::MemorySystem::line;
  static constexpr Picoseconds hop{40'000};
  static constexpr Picoseconds half = hop / 2;
  static constexpr std::uint64_t memory_bytes = 64u << 20;
  // Lines of one set of the last level are this far apart.
  static constexpr std::uint64_t set_stride = 0x2000;
  // Of one set of a level 2, which has two ways.
  static constexpr std::uint64_t l2_stride = 0x200;

  static Params small() {
    auto params = test::MemorySystem::small_caches();
    params.home.hop = hop;
    return params;
  }

  // Two cores a socket; a device at each, whose next requests `origin` marks.
  explicit HomeBench(const Params& params = small(), unsigned sockets = 1,
                     const sim::ClockworkParams& engine = {})
      : Bench{engine},
        memory{"memory", clock, test::MemorySystem::two_channels(), sockets},
        home{"home",
             clock,
             bus,
             params,
             {.sockets = sockets, .cores = 2 * sockets},
             ports(sockets),
             {{Hpa{0}, memory_bytes}}} {
    home.memory.bind(memory.home);
    for (unsigned n = 0; n < sockets; ++n) {
      devices_.push_back(
          std::make_unique<test::Requester>(("device" + std::to_string(n)).c_str(), clock));
      devices_.back()->socket.bind(home.io(n));
    }
  }

  test::Requester& device(unsigned socket = 0) { return *devices_[socket]; }
  // Memory of a socket begins here.
  std::uint64_t at_socket(unsigned socket) const {
    return memory_bytes / home.topology().sockets * socket;
  }

  Result& fetch(unsigned core, std::uint64_t address, Want want) {
    Result& result = results_.emplace_back();
    home.fetch(core, address / line_bytes, want, {&HomeBench::finish, &result, 0});
    return result;
  }
  // The core's own caches take no time.
  Result& load(unsigned core, std::uint64_t address) {
    return access(core, address, false, [&](Result& result, std::byte* at) {
      std::memcpy(&result.value, at, sizeof result.value);
    });
  }
  Result& store(unsigned core, std::uint64_t address, std::uint64_t value) {
    return access(core, address, true, [&](Result& result, std::byte* at) {
      result.value = value;
      std::memcpy(at, &value, sizeof value);
    });
  }
  Result& flush(unsigned core, std::uint64_t address, trace::Flush instruction) {
    Result& result = results_.emplace_back();
    home.flush(core, address / line_bytes, instruction, {&HomeBench::finish, &result, 0});
    return result;
  }
  Result& flush_all(unsigned core, trace::Flush instruction) {
    Result& result = results_.emplace_back();
    flush_all(home, clock, core, instruction, &result).start();
    return result;
  }
  // A locked operation of the core that ends then.
  void lock(unsigned core, std::uint64_t address, Picoseconds duration) {
    home.unlock(home.lock(core, address / line_bytes), now() + duration);
  }
  test::Request& read(std::uint64_t address, std::size_t bytes = 64, unsigned socket = 0) {
    device(socket).origin.snoop = true;
    return device(socket).read(address, bytes);
  }
  test::Request& write(std::uint64_t address, unsigned value, std::size_t bytes = 64,
                       unsigned socket = 0) {
    device(socket).origin.snoop = true;
    return device(socket).write(address, test::filled(bytes, value));
  }
  test::Request& write_no_snoop(std::uint64_t address, unsigned value) {
    device().origin.snoop = false;
    return device().write(address, test::filled(64, value));
  }
  std::uint64_t read_no_snoop(std::uint64_t address) {
    device().origin.snoop = false;
    return device().read(address, 8).value();
  }

  // Long enough for everything that is under way.
  void settle() { sleep(10_us); }
  State state(unsigned core, std::uint64_t address) {
    return home.caches(core).state(address / line_bytes);
  }
  std::string breach(std::uint64_t address) { return home.breach(address / line_bytes); }
  std::uint64_t in_memory(std::uint64_t address) const {
    test::Data data(8);
    memory.contents().read(Hpa{address}, data);
    return test::value_of(data);
  }

  memory::Dram memory;
  HomeAgent home;

 private:
  static std::vector<unsigned> ports(unsigned sockets) {
    std::vector<unsigned> at;
    for (unsigned n = 0; n < sockets; ++n) at.push_back(n);
    return at;
  }
  static void finish(void* result, std::uint64_t, Picoseconds done) {
    auto& of = *static_cast<Result*>(result);
    EXPECT_FALSE(of.done);
    of.done = true;
    of.done_at = done;
  }
  static sim::Task<> flush_all(HomeAgent& home, sim::Clockwork& clock, unsigned core,
                               trace::Flush instruction, Result* result) {
    co_await home.flush_all(core, instruction);
    finish(result, 0, clock.now());
  }
  template <class Effect>
  Result& access(unsigned core, std::uint64_t address, bool write, Effect effect) {
    home.catch_up();
    const auto line = address / line_bytes;
    const auto offset = address % line_bytes;
    if (const auto hit = home.caches(core).access(line, write); hit.data != nullptr) {
      Result& result = results_.emplace_back(Result{.done = true, .done_at = now()});
      effect(result, hit.data + offset);
      return result;
    }
    Result& result = fetch(core, address, write ? Want::write : Want::read);
    effect(result, home.caches(core).data(line).data() + offset);
    return result;
  }

  std::vector<std::unique_ptr<test::Requester>> devices_;
  std::deque<Result> results_;
};

}  // namespace ioasim::cache
