// Did a result change? Every scenario on every shipped machine, as `ioasim run --format json`
// prints it, against tests/golden/SCENARIO.PLATFORM.json.
#include "support/golden.hpp"

#include <gtest/gtest.h>

#include "golden/subjects.hpp"
#include "scenarios/runner.hpp"
#include "support/forked.hpp"

namespace ioasim::test {
namespace {

class Golden : public testing::TestWithParam<Subject> {};

TEST_P(Golden, ResultIsTheOneOnRecord) {
  const auto& [scenario, platform] = GetParam();
  const auto forked = in_fork([&] {
    const scenarios::Program program{scenarios::scenarios(), scenarios::simulate};
    const auto answer =
        scenarios::run(program, {.scenario = scenario, .platform = platform, .format = "json"});
    CHECK(answer.status == scenarios::exit_held);
    return answer.text;
  });
  ASSERT_TRUE(forked.ok()) << forked.why();
  expect_golden("tests/golden/" + scenario + "." + platform + ".json", in_lines(forked.text));
}

INSTANTIATE_TEST_SUITE_P(Every, Golden, testing::ValuesIn(subjects()), name_of);

}  // namespace
}  // namespace ioasim::test
