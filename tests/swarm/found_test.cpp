// What the swarm has found, each by the shortest way there.
#include <gtest/gtest.h>

#include "scenarios/dma_driver.hpp"
#include "support/run_scenario.hpp"

namespace ioasim::test {
namespace {

using scenarios::Buffer;
using scenarios::DmaDriver;
using scenarios::EnforceSnoop;
using scenarios::World;

// Runs it on the server; what did not hold, or who waits for what.
std::string run(void (*body)(World&), const std::vector<std::string>& settings) {
  const scenarios::Scenario scenario{
      .name = "found", .question = {}, .platform = "server", .devices = {"dma0"}, .run = body};
  return run_scenario(scenario, settings,
                      [](const auto& report, const auto&) { return not_held(report); });
}

// Reads that were in flight when the engine halted fail later: they are the old copy's, and neither
// halt nor end the next one.
TEST(Found, EngineThatHaltedCanBeStartedAgainAtOnce) {
  const auto body = [](World& world) {
    DmaDriver driver{world, "dma0", EnforceSnoop::automatic};
    const Buffer source = driver.map(page_bytes);
    const Buffer target = driver.map(page_bytes);
    driver.fill(source, page_bytes);
    const Iova nowhere{0x7'0000'0000};
    const bool first = driver.try_copy(nowhere, target.iova, 16 * page_bytes, 0);
    const bool second = driver.try_copy(source.iova, target.iova, page_bytes, 0);
    world.report().claim("the copy from nowhere halts", !first);
    world.report().claim("the copy after it does not", second);
    world.report().claim("and is complete when the engine says so",
                         driver.filled(target, page_bytes));
  };
  EXPECT_EQ(run(body, {"dma0.function.max_read_request=4096", "iommu0.walkers=1",
                       "iommu0.walk_step=2us"}),
            "");
}

// Credits that come back in no time, here those of writes that fault, let others go that wait.
TEST(Found, LinkWithoutDelayDoesNotStopForLackOfCredits) {
  const auto body = [](World& world) {
    DmaDriver driver{world, "dma0", EnforceSnoop::automatic};
    const Buffer source = driver.map(page_bytes);
    const Iova nowhere{0x7'0000'0000};
    world.report().claim("the copy ends", driver.try_copy(source.iova, nowhere, page_bytes, 0));
  };
  EXPECT_EQ(run(body, {"port0.link.propagation=0ps", "port0.latency=0ps",
                       "port0.link.posted_header_credits=1"}),
            "");
}

}  // namespace
}  // namespace ioasim::test
