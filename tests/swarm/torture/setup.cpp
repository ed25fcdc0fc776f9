#include "swarm/torture/setup.hpp"

#include <algorithm>

#include "memory/placement.hpp"
#include "random_params.hpp"

namespace ioasim::test::torture {
namespace {

constexpr Bytes capacity = 64_MiB;

template <class Choice, std::size_t n>
Choice one_of(Prng& random, const Choice (&choices)[n]) {
  return choices[random.between(0, n - 1)];
}

Replacement any_replacement(Prng& random) {
  return one_of(random,
                {Replacement::lru, Replacement::tree_plru, Replacement::random, Replacement::rrip});
}

// The smallest caches that parameters may describe. All lines fall into the same sets, so that
// what counts is the ways.
cache::Params random_caches(Prng& random) {
  cache::Params caches;
  randomise(caches, random);
  caches.protocol =
      one_of(random, {cache::Protocol::mesi, cache::Protocol::mesif, cache::Protocol::moesi});
  caches.l1d.ways = one_of(random, {1u, 2u, 4u, 8u});
  caches.l1d.capacity = 512_B;
  caches.l1d.replacement = any_replacement(random);
  caches.l2.ways = one_of(random, {1u, 2u, 4u, 8u});
  caches.l2.capacity = one_of(random, {512_B, 1_KiB, 2_KiB});
  caches.l2.replacement = any_replacement(random);
  auto& llc = caches.llc;
  llc.ways = one_of(random, {1u, 2u, 2u, 3u, 4u, 4u, 8u});
  llc.slices = one_of(random, {1u, 1u, 1u, 2u, 2u, 3u, 4u});
  llc.capacity = {line_bytes * llc.ways * llc.slices};
  while (llc.capacity < 64_KiB) llc.capacity.count *= 2;
  llc.replacement = any_replacement(random);
  llc.misses = static_cast<unsigned>(random.between(1, 12));
  llc.ddio_ways = static_cast<unsigned>(random.between(1, llc.ways));
  caches.filter.ways = one_of(random, {1u, 2u, 4u, 8u});
  caches.filter.covers = one_of(random, {4_KiB, 8_KiB});
  caches.home.snoop =
      one_of(random, {cache::SocketSnoop::directory, cache::SocketSnoop::broadcast});
  caches.home.write_buffers = static_cast<unsigned>(random.between(1, 12));
  return caches;
}

cpu::Params random_core(Prng& random) {
  cpu::Params core;
  randomise(core, random);
  core.fill_buffers = static_cast<unsigned>(random.between(1, 12));
  core.store_buffer = one_of(random, {1u, 2u, 3u, 8u, 42u});
  core.write_combining_buffers = static_cast<unsigned>(random.between(1, 6));
  return core;
}

// Each seed has favourites.
Weights random_weights(Prng& random) {
  Weights weights{30, 30, 6, 6, 4, 4, 4, 4, 6, 3, 4, 0, 0, 1, 0, 4};
  if (random.one_in(3)) weights[static_cast<std::size_t>(Step::caches_off)] = 1;
  for (auto& weight : weights) {
    if (random.one_in(5)) weight *= 5;
    if (random.one_in(8)) weight = 0;
  }
  weights[static_cast<std::size_t>(Step::load)] += 5;
  weights[static_cast<std::size_t>(Step::store)] += 5;
  // Whole caches: rare, since each takes thousands of sets.
  const auto all = [&] {
    unsigned sum = 0;
    for (const auto weight : weights) sum += weight;
    return sum;
  }();
  for (auto& weight : weights) weight *= 1000;
  weights[static_cast<std::size_t>(Step::wbinvd)] = random.one_in(2) ? all : 0;
  weights[static_cast<std::size_t>(Step::wbnoinvd)] = random.one_in(2) ? all : 0;
  return weights;
}

}  // namespace

std::vector<Region> random_regions(Prng& random, unsigned sockets, unsigned most) {
  constexpr std::uint64_t stride = 64 << 10;  // sets of the largest cache, in bytes
  const memory::Placement placement{Hpa{capacity.count}, sockets};
  // The last set and the first, or the last two.
  const std::uint64_t first_line = one_of(random, {0u, 0x3ffu, 0x3feu});
  const auto mixed = random.between(0, 3);  // of three
  const auto count = random.between(2, most);
  std::vector<Region> regions;
  std::vector<std::uint64_t> used;
  while (regions.size() < count) {
    const auto row = random.between(0, 63);
    if (std::ranges::find(used, row) != used.end()) continue;
    used.push_back(row);
    const auto part = placement.part(static_cast<unsigned>(random.between(0, sockets - 1)));
    Region region{.base = part.base + row * stride + first_line * line_bytes};
    region.mixed = random.between(1, 3) <= mixed;
    if (!region.mixed && random.one_in(3)) {
      region.counter = random.one_in(2) ? random.between(57, 63) : random.between(0, 120);
    }
    regions.push_back(region);
  }
  return regions;
}

Setup random_setup(std::uint64_t seed) {
  Prng random{seed, "torture"};
  Setup setup{.seed = seed};
  setup.sockets = one_of(random, {1u, 1u, 2u, 2u, 4u});
  setup.cores = setup.sockets * static_cast<unsigned>(random.between(1, 8 / setup.sockets));
  setup.cores = std::max(setup.cores, 2u);
  const auto devices = random.between(0, 4);
  for (std::uint64_t n = 0; n < devices; ++n) {
    setup.devices.push_back(static_cast<unsigned>(random.between(0, setup.sockets - 1)));
  }
  setup.caches = random_caches(random);
  setup.core = random_core(random);
  randomise(setup.memory, random);
  setup.memory.capacity = capacity;
  setup.memory.channels = static_cast<unsigned>(random.between(1, 4));
  setup.clock = {.run_ahead = !random.one_in(4), .shuffle_ties = random.one_in(2), .seed = seed};
  setup.regions = random_regions(random, setup.sockets, 12);
  setup.weights = random_weights(random);
  setup.device_depth = static_cast<unsigned>(random.between(1, 8));
  setup.device_gap = Picoseconds{static_cast<std::int64_t>(1 << random.between(10, 19))};
  return setup;
}

}  // namespace ioasim::test::torture
