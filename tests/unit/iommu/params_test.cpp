#include "iommu/params.hpp"

#include <gmock/gmock.h>

namespace ioasim::iommu {
namespace {

template <class Params>
std::vector<std::string> wrong(const Params& params) {
  Problems problems;
  params.check(problems);
  std::vector<std::string> names;
  for (const auto& problem : problems) names.push_back(problem.field);
  return names;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(IommuParams, DefaultsAreSound) {
  const Params params;
  EXPECT_THAT(wrong(params), IsEmpty());
  for (const auto& cache :
       {params.iotlb, params.nonleaf, params.context_cache, params.pasid_cache}) {
    EXPECT_THAT(wrong(cache), IsEmpty());
  }
}

TEST(IommuParams, AddressesHaveThreeWidths) {
  for (unsigned bits = 39; bits <= 57; ++bits) {
    const bool right = bits == 39 || bits == 48 || bits == 57;
    EXPECT_EQ(wrong(Params{.address_bits = bits}).empty(), right) << bits;
  }
}

// 2^(4 + 2 x ND).
TEST(IommuParams, DomainsAreSixteenTimesAPowerOfFour) {
  unsigned right = 16;
  for (unsigned domains = 16; domains <= 65536; ++domains) {
    ASSERT_EQ(wrong(Params{.domains = domains}).empty(), domains == right) << domains;
    if (domains == right) right *= 4;
  }
}

TEST(IommuParams, ACacheHasAPowerOfTwoOfSets) {
  EXPECT_THAT(wrong(CacheParams{.entries = 96, .ways = 3}), IsEmpty());
  EXPECT_THAT(wrong(CacheParams{.entries = 1, .ways = 1}), IsEmpty());
  EXPECT_THAT(wrong(CacheParams{.entries = 32, .ways = 32}), IsEmpty());
  EXPECT_THAT(wrong(CacheParams{.entries = 64, .ways = 3}), ElementsAre("entries"));
  EXPECT_THAT(wrong(CacheParams{.entries = 96, .ways = 8}), ElementsAre("entries"));
  EXPECT_THAT(wrong(CacheParams{.entries = 4, .ways = 8}), ElementsAre("entries"));
}

}  // namespace
}  // namespace ioasim::iommu
