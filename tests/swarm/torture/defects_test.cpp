// Would torture notice? Each known way to build the caches wrongly is switched on in turn, and must
// be found; without any, the same runs must pass.
#include "cache/defects.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <string_view>

#include "swarm/torture/torture.hpp"

namespace ioasim::test::torture {
namespace {

#ifdef IOASIM_DEFECTS

using cache::Defect;

// A defect, and hardware in which it can show.
struct Case {
  Defect defect;
  std::string_view name;
  void (*adjust)(Setup& setup) = [](Setup&) {};
};

void take_caches_of_one_kind(Setup& setup, bool inclusive) {
  setup.caches.llc.inclusive = inclusive;
}

void have_devices(Setup& setup) {
  if (setup.devices.empty()) setup.devices = {0, 0};
  for (std::size_t n = 0; n < setup.regions.size(); n += 2) {
    setup.regions[n].mixed = true;
    setup.regions[n].counter = Region::bytes;
  }
}

// The second line of every region is in the last set of every cache.
void flush_whole_caches(Setup& setup) {
  for (Region& region : setup.regions) {
    region.base = Hpa{(region.base.value & ~std::uint64_t{0xffff}) + 0x3fe * line_bytes};
  }
  auto& weight = setup.weights[static_cast<std::size_t>(Step::wbinvd)];
  weight = std::max(weight, *std::ranges::max_element(setup.weights) / 20);
}

constexpr Case cases[] = {
    {Defect::lost_invalidation, "lost_invalidation"},
    {Defect::writeback_dropped, "writeback_dropped"},
    {Defect::stale_forward, "stale_forward",
     [](Setup& setup) { take_caches_of_one_kind(setup, true); }},
    {Defect::wrong_victim, "wrong_victim",
     [](Setup& setup) {
       setup.caches.llc.slices = 1, setup.caches.llc.ways = 2, setup.caches.llc.ddio_ways = 1,
       setup.caches.llc.capacity = 64_KiB;
     }},
    {Defect::flush_misses_level, "flush_misses_level"},
    {Defect::ddio_way_leak, "ddio_way_leak",
     [](Setup& setup) {
       have_devices(setup);
       setup.caches.llc.slices = 1;
       setup.caches.llc.ways = 2;
       setup.caches.llc.ddio = true;
       setup.caches.llc.ddio_ways = 1;
       setup.caches.llc.capacity = 64_KiB;
     }},
    {Defect::no_snoop_hits, "no_snoop_hits", have_devices},
    {Defect::merge_dropped, "merge_dropped", have_devices},
    {Defect::exclusive_while_shared, "exclusive_while_shared"},
    {Defect::sharer_forgotten, "sharer_forgotten"},
    {Defect::back_invalidation_lost, "back_invalidation_lost",
     [](Setup& setup) { take_caches_of_one_kind(setup, true); }},
    {Defect::filter_eviction_lost, "filter_eviction_lost",
     [](Setup& setup) { take_caches_of_one_kind(setup, false); }},
    {Defect::socket_not_asked, "socket_not_asked",
     [](Setup& setup) {
       setup.sockets = 2, setup.cores = 4, setup.devices = {0, 1};
     }},
    {Defect::flush_all_drops, "flush_all_drops", flush_whole_caches},
    {Defect::flush_all_stops_early, "flush_all_stops_early", flush_whole_caches},
    {Defect::write_back_keeps_dirty, "write_back_keeps_dirty", have_devices},
    {Defect::byte_enables_ignored, "byte_enables_ignored", have_devices},
    {Defect::owner_downgrade_lost, "owner_downgrade_lost"},
};

static_assert(std::size(cases) == static_cast<std::size_t>(Defect::owner_downgrade_lost),
              "a case for each, up to the last");

void PrintTo(const Case& which, std::ostream* out) { *out << which.name; }

constexpr std::uint64_t seeds = 12;

Setup setup_of(const Case& which, std::uint64_t seed) {
  auto setup = random_setup(seed);
  setup.operations = 8'000;
  setup.phases = 4;
  which.adjust(setup);
  return setup;
}

class Defects : public testing::TestWithParam<Case> {};

// By what readers got and memory holds: not because the model's own check of its states objects,
// and not because something else broke down.
TEST_P(Defects, AreFound) {
  const Case& which = GetParam();
  std::uint64_t found = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    auto setup = setup_of(which, seed);
    setup.ask_the_model = false;
    const auto complaints = run(setup, [&] { cache::built_in = which.defect; }).complaints;
    if (complaints.empty() || complaints.find("ended by") != std::string::npos) continue;
    ++found;
    if (found == 1) std::cout << "seed " << seed << ": " << complaints;
  }
  std::cout << found << " of " << seeds << " seeds find it\n";
  EXPECT_GE(found, seeds / 4);
}

TEST_P(Defects, AreNotFoundWhereTheyAreNot) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    EXPECT_EQ(run(setup_of(GetParam(), seed)).complaints, "") << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Defects, testing::ValuesIn(cases),
                         [](const auto& chosen) { return std::string{chosen.param.name}; });

#else

TEST(Defects, AreFound) { GTEST_SKIP() << "built without IOASIM_DEFECTS"; }

#endif

}  // namespace
}  // namespace ioasim::test::torture
