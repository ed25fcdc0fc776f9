#include "config/nearest.hpp"

#include <gmock/gmock.h>

namespace ioasim::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Nearest, ByEditDistance) {
  EXPECT_THAT(nearest("entires", {"entries", "ways"}), ElementsAre("entries"));  // a swap
  EXPECT_THAT(nearest("entris", {"entries", "ways"}), ElementsAre("entries"));   // one left out
  EXPECT_THAT(nearest("way", {"entries", "ways"}), ElementsAre("ways"));
  EXPECT_THAT(nearest("sevrer", {"client", "server"}), ElementsAre("server"));
}

TEST(Nearest, FarWordsAreNotOffered) {
  EXPECT_THAT(nearest("colour", {"entries", "ways"}), IsEmpty());
  EXPECT_THAT(nearest("", {"a"}), IsEmpty());
}

TEST(Nearest, TheEndOfAPathIsNear) {
  EXPECT_THAT(nearest("iotlb.entries", {"cpu.cores", "iommu0.iotlb.entries"}),
              ElementsAre("iommu0.iotlb.entries"));
}

TEST(Nearest, NearestFirstAndThreeAtMost) {
  EXPECT_THAT(nearest("port", {"port12", "port1", "port2", "port3", "port4"}),
              ElementsAre("port1", "port2", "port3"));
}

TEST(Nearest, AnOfferIsNeverEmpty) {
  EXPECT_EQ(offer("way", {"ways"}), "; did you mean ways?");
  EXPECT_EQ(offer("colour", {"ways", "entries"}), "; known: ways, entries");
  EXPECT_EQ(offer("colour", {}), "; there are none");
  std::vector<std::string> many;
  for (char c = 'a'; c < 'a' + 20; ++c) many.push_back(std::string(12, c));
  EXPECT_EQ(offer("ccc", many), "; the nearest is cccccccccccc");
}

}  // namespace
}  // namespace ioasim::config
