#include "base/check.hpp"

#include <gmock/gmock.h>

#include "base/result.hpp"

namespace ioasim {
namespace {

using testing::ExitedWithCode;

TEST(Check, AHeldConditionDoesNothing) {
  int evaluated = 0;
  CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

TEST(Check, ABrokenConditionEndsTheProcessWithStatus3) {
  EXPECT_EXIT(CHECK(1 + 1 == 3), ExitedWithCode(3),
              "ioasim: internal error: 1 \\+ 1 == 3 .*check_test.cpp:[0-9]+.*outside a simulation");
  EXPECT_EXIT(UNREACHABLE(), ExitedWithCode(3), "unreachable");
}

TEST(Check, SaysWhereTheSimulationStands) {
  const auto fail = [] {
    set_check_context([]() -> std::string { return "at 12.5 ns in iommu0"; });
    CHECK(false);
  };
  EXPECT_EXIT(fail(), ExitedWithCode(3), "at 12.5 ns in iommu0");
}

enum class Error { small, large };

TEST(Result, IsAValueOrAReason) {
  const Result<int, Error> value{7};
  EXPECT_TRUE(value);
  EXPECT_EQ(*value, 7);
  EXPECT_EQ(value.value(), 7);
  const Result<int, Error> error{Error::large};
  EXPECT_FALSE(error);
  EXPECT_EQ(error.error(), Error::large);
}

TEST(Result, ReachesIntoItsValue) {
  const Result<std::string, Error> text{"seven"};
  EXPECT_EQ(text->size(), 5u);
}

TEST(Result, AskingForWhatIsNotThereIsOurError) {
  const Result<int, Error> error{Error::small};
  const Result<int, Error> value{0};
  EXPECT_EXIT(static_cast<void>(error.value()), ExitedWithCode(check_exit_status), "");
  EXPECT_EXIT(static_cast<void>(value.error()), ExitedWithCode(check_exit_status), "");
}

}  // namespace
}  // namespace ioasim
