#include "stats/stats.hpp"

#include <gmock/gmock.h>

#include "base/check.hpp"
#include "stats/registry.hpp"

namespace ioasim {

// In a namespace of their own, as the statistics of a module are.
namespace link_model {

struct Lane {
  stats::Counter tlps;
  static constexpr auto fields = std::tuple{Field{"tlps", &Lane::tlps, "TLPs sent"}};
};

struct Stats {
  stats::Counter reads;
  stats::Counter read_bytes;
  stats::Histogram wait_ps;
  stats::Level credits;
  Lane lane;

  static constexpr auto fields = std::tuple{
      Field{"reads", &Stats::reads, "reads"}, Field{"read_bytes", &Stats::read_bytes, "bytes read"},
      Field{"wait_ps", &Stats::wait_ps, "wait for a credit"},
      Field{"credits", &Stats::credits, "credits in use"}, Field{"lane", &Stats::lane, "the lane"}};
};

Stats since(const Stats& after, const Stats& before) { return after - before; }

}  // namespace link_model

namespace {

using link_model::Stats;

TEST(Counter, Counts) {
  stats::Counter counter;
  ++counter;
  counter += 4;
  EXPECT_EQ(counter.n, 5u);
}

TEST(Level, IntegratesOverTime) {
  stats::Level level;
  level.add(10_ps, 2);   // 2 from 10
  level.take(30_ps, 1);  // 1 from 30
  EXPECT_EQ(level.value(), 1u);
  EXPECT_EQ(level.max(), 2u);
  EXPECT_EQ(level.integral(40_ps), 2u * 20 + 1 * 10);
  level.set(40_ps, 0);
  EXPECT_EQ(level.integral(1000_ps), 50u);
}

TEST(Stats, DifferenceCoversEveryField) {
  Stats stats;
  ++stats.reads;
  stats.wait_ps.sample(7);
  stats.credits.set(0_ps, 3);
  ++stats.lane.tlps;
  const Stats before = stats::settled(stats, 100_ps);
  stats.reads += 2;
  stats.read_bytes += 64;
  stats.wait_ps.sample(9);
  stats.lane.tlps += 5;
  const Stats since = link_model::since(stats::settled(stats, 150_ps), before);
  EXPECT_EQ(since.reads.n, 2u);
  EXPECT_EQ(since.read_bytes.n, 64u);
  EXPECT_EQ(since.wait_ps.count(), 1u);
  EXPECT_EQ(since.wait_ps.sum(), 9u);
  EXPECT_EQ(since.credits.integral(150_ps), 3u * 50);
  EXPECT_EQ(since.lane.tlps.n, 5u);
}

TEST(Stats, SumCoversEveryField) {
  Stats sum;
  sum.reads += 1;
  sum.credits.set(0_ps, 1);
  Stats more;
  more.reads += 2;
  more.wait_ps.sample(4);
  more.credits.set(50_ps, 2);
  more.lane.tlps += 3;
  sum += more;
  EXPECT_EQ(sum.reads.n, 3u);
  EXPECT_EQ(sum.wait_ps.count(), 1u);
  EXPECT_EQ(sum.credits.value(), 3u);
  EXPECT_EQ(sum.credits.integral(100_ps), 1u * 100 + 2 * 50);
  EXPECT_EQ(sum.lane.tlps.n, 3u);
}

TEST(Registry, ReadsEveryFieldSortedByPath) {
  Stats stats;
  stats.reads += 3;
  stats.wait_ps.sample(10);
  stats.credits.set(0_ps, 1);
  stats.credits.set(50_ps, 0);
  link_model::Lane other;
  stats::Registry registry;
  registry.add("port0", stats);
  registry.add("a", other);
  const auto snapshot = registry.read(100_ps);
  std::vector<std::string> paths;
  for (const auto& reading : snapshot) paths.push_back(reading.path + " " + reading.unit);
  EXPECT_THAT(paths,
              testing::ElementsAre("a.tlps 1", "port0.credits 1", "port0.lane.tlps 1",
                                   "port0.read_bytes B", "port0.reads 1", "port0.wait_ps ps"));
  EXPECT_EQ(std::get<std::uint64_t>(snapshot[4].value), 3u);
  EXPECT_EQ(std::get<stats::Distribution>(snapshot[5].value).p99, 10u);
  EXPECT_EQ(std::get<stats::Occupancy>(snapshot[1].value),
            (stats::Occupancy{.value = 0, .max = 1, .mean_thousandths = 500}));
}

TEST(Registry, Text) {
  link_model::Lane lane;
  lane.tlps += 12;
  stats::Registry registry;
  registry.add("port0", lane);
  registry.add("p", lane);
  EXPECT_EQ(to_text(registry.read(1_ps)),
            "p.tlps      12 1   TLPs sent\n"
            "port0.tlps  12 1   TLPs sent\n");
}

TEST(RegistryDeathTest, APathIsThereOnce) {
  link_model::Lane lane;
  stats::Registry registry;
  registry.add("port0", lane);
  registry.add("port0", lane);
  EXPECT_EXIT(registry.read(1_ps), testing::ExitedWithCode(check_exit_status), "internal error");
}

}  // namespace
}  // namespace ioasim
