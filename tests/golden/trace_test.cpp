// What must not matter does not: whether the engine runs ahead of the SystemC kernel, and in which
// order the events of one instant come.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "golden/subjects.hpp"
#include "support/run_scenario.hpp"
#include "trace/hash_sink.hpp"

namespace ioasim::test {
namespace {

using scenarios::Mode;
using scenarios::Report;

struct How {
  Mode mode = Mode::run_ahead;
  bool shuffle_ties = false;
  std::uint64_t seed = 1;
};

// Returns what `describe` makes of the report and the hash of all events.
template <class Describe>
Forked simulate(const Subject& subject, const How& how, Describe describe) {
  return in_fork([&] {
    const auto known = scenarios::scenarios();
    const auto& scenario = find_scenario(known, subject.scenario);
    auto configuration = configure({.platform = subject.platform}, &scenario, known);
    configuration.simulation.mode = how.mode;
    configuration.simulation.shuffle_ties = how.shuffle_ties;
    configuration.seed = how.seed;
    trace::HashSink hash;
    Report report;
    const auto result =
        simulate(scenario, configuration, report,
                 {{.kind = "hash", .file = {}, .listener = static_cast<trace::Listener*>(&hash)}});
    return result.stuck + describe(report, hash);
  });
}

class Trace : public testing::TestWithParam<Subject> {};

TEST_P(Trace, RunAheadAndStepModeGiveTheSameEvents) {
  const auto hash_of = [&](Mode mode) {
    return simulate(GetParam(), {.mode = mode}, [](const Report&, const trace::HashSink& hash) {
      return fmt::format("{} events, hash {:016x}", hash.events(), hash.hash());
    });
  };
  const auto ahead = hash_of(Mode::run_ahead);
  const auto step = hash_of(Mode::step);
  ASSERT_TRUE(ahead.ok()) << ahead.why();
  ASSERT_TRUE(step.ok()) << step.why();
  EXPECT_EQ(ahead.text, step.text);
  EXPECT_FALSE(ahead.text.starts_with("0 events"));
}

TEST_P(Trace, EveryClaimHoldsWhateverTheOrderOfTies) {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    const auto forked =
        simulate(GetParam(), {.shuffle_ties = true, .seed = seed},
                 [](const Report& report, const trace::HashSink&) { return not_held(report); });
    EXPECT_TRUE(forked.ok()) << "seed " << seed << ": " << forked.why();
    EXPECT_EQ(forked.text, "") << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, Trace, testing::ValuesIn(subjects()), name_of);

}  // namespace
}  // namespace ioasim::test
