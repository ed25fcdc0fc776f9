// One thread of the swarm's workload: random work on its own memory, I/O address spaces and
// engines, with a model of what must come of it. Everything goes through system calls, loads,
// stores and registers; nothing is known of the machine but what its description says.
#pragma once

#include <deque>

#include "swarm/engine.hpp"

namespace ioasim::test {

class Actor {
 public:
  // Number of the thread and of its core, and the devices that are its own.
  Actor(Stage& stage, kernel::Thread& thread, unsigned number,
        const std::vector<std::string>& devices);

  void run(unsigned steps);

 private:
  // ---- actor.cpp: beginning, end, memory ----
  void open();
  void finish();
  void step();
  bool attach(Engine& engine, Space& space);
  void detach(Engine& engine);
  void allocate_space();
  void add_descriptors(Engine& engine);
  void add_shared_area();
  void flush_caches();
  void touch_memory();
  void touch_shared();
  void flush_something();

  // ---- mappings.cpp ----
  void map_something(Space& space);
  bool map(Space& space, const Mapping& mapping);
  std::optional<Iova> free_iova(const Space& space, std::uint64_t bytes);
  void unmap_something();
  bool unmap(Space& space, std::size_t mapping);
  void unmap_all(Space& space);
  void switch_space();
  void call_wrongly();
  void call_device_wrongly(Engine& engine);
  void map_wrongly(Space& space);

  // ---- copies.cpp ----
  void copy_something();
  void copy_into_the_void();
  std::optional<Job::Part> random_part(Engine& engine, std::vector<Engine::Descriptor>& chain,
                                       const std::vector<Job::Part>& before);
  void begin(Engine& engine, Job job, std::vector<Engine::Descriptor> chain);
  void end(Engine& engine);
  void settle(Engine& engine, Engine::Status status);
  void end_all();
  std::uint32_t no_snoop_flags(Engine& engine, Job::Part& part);
  void make_coherent(const Piece& piece);

  // ---- cyclic.cpp ----
  void copy_over_and_over();
  void take_away(Engine& engine, std::size_t source, std::size_t target);
  void unmap_source(Engine& engine, std::size_t source, const Piece& from, const Piece& to);
  void unmap_target(Engine& engine, std::size_t target, const Piece& to);
  void cut_off(Engine& engine, const Piece& to);
  void expect_untouched(const Piece& piece, std::string_view after);
  void reopen(Engine& engine);

  // The I/O virtual addresses that this thread uses, in every space.
  static constexpr std::uint64_t window_bytes = 1ull << 34;
  Iova window() const { return {(number_ + 1) * window_bytes}; }
  Space& any_space() { return spaces_[below(spaces_.size())]; }
  Engine* idle_engine(bool attached);
  // A mapping with those rights that no job in flight uses for writing.
  std::optional<std::size_t> find_mapping(const Space& space, bool read, bool write);
  bool in_use(const Piece& piece, bool to_write) const;
  bool in_use(const Mapping& mapping) const;
  Piece random_piece(const Piece& within, std::uint64_t bytes_max);
  unsigned below(std::size_t n) { return static_cast<unsigned>(random_.between(0, n - 1)); }
  bool chance(unsigned one_in) { return random_.one_in(one_in); }
  void did(const std::string& what) { ++journal_.did[what]; }

  Stage& stage_;
  Journal& journal_;
  kernel::Thread& thread_;
  unsigned number_;
  Prng random_;
  Areas areas_;
  std::deque<Engine> engines_;
  std::deque<Space> spaces_;
  int iommu_ = -1;
  unsigned address_bits_ = 39;
  std::vector<std::size_t> private_areas_;
  std::size_t shared_area_ = 0;
};

}  // namespace ioasim::test
