#include "pcie/params.hpp"

#include <gmock/gmock.h>

namespace ioasim::pcie {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

template <class Params>
std::vector<std::string> wrong(const Params& params) {
  Problems problems;
  params.check(problems);
  std::vector<std::string> names;
  for (const auto& problem : problems) names.push_back(problem.field);
  return names;
}

TEST(PcieParams, DefaultsAreSound) {
  EXPECT_THAT(wrong(LinkParams{}), IsEmpty());
  EXPECT_THAT(wrong(RootPortParams{}), IsEmpty());
  EXPECT_THAT(wrong(EndpointParams{}), IsEmpty());
}

TEST(PcieParams, ALinkHasOneOfTheRatesAndWidthsThereAre) {
  for (std::uint64_t rate = 25; rate <= 320; ++rate) {
    const bool right = rate == 25 || rate == 50 || rate == 80 || rate == 160 || rate == 320;
    ASSERT_EQ(wrong(LinkParams{.rate = {rate}}).empty(), right) << rate;
  }
  for (unsigned width = 1; width <= 16; ++width) {
    const bool right = width == 1 || width == 2 || width == 4 || width == 8 || width == 16;
    ASSERT_EQ(wrong(LinkParams{.width = width}).empty(), right) << width;
  }
}

TEST(PcieParams, PayloadSizesArePowersOfTwo) {
  for (unsigned size = 128; size <= 4096; ++size) {
    const bool right = std::has_single_bit(size);
    ASSERT_EQ(wrong(RootPortParams{.max_payload = size}).empty(), right && size >= 256) << size;
    ASSERT_EQ(wrong(EndpointParams{.max_payload = size}).empty(), right) << size;
    ASSERT_EQ(wrong(EndpointParams{.max_read_request = size}).empty(), right) << size;
  }
}

TEST(PcieParams, CompletionsFitPayloadAndBoundary) {
  EXPECT_THAT(wrong(RootPortParams{.completion_payload = 320, .max_payload = 256}),
              ElementsAre("completion_payload"));
  EXPECT_THAT(wrong(RootPortParams{.read_completion_boundary = 128, .completion_payload = 64}),
              ElementsAre("completion_payload"));
  EXPECT_THAT(wrong(RootPortParams{.read_completion_boundary = 96, .completion_payload = 192}),
              ElementsAre("read_completion_boundary"));
  EXPECT_THAT(wrong(RootPortParams{.read_completion_boundary = 128, .completion_payload = 128}),
              IsEmpty());
}

}  // namespace
}  // namespace ioasim::pcie
