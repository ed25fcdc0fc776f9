// The encodings of VT-d 6.5.2, and the address mask of a range.
#include "kernel/vtd/descriptors.hpp"

#include <gtest/gtest.h>

namespace ioasim::kernel::vtd {
namespace {

namespace d = descriptor;

constexpr DomainId domain{0xabcd};
constexpr d::Drain both{.reads = true, .writes = true};

TEST(Descriptors, ContextCache) {
  EXPECT_EQ(d::context_global(), (Descriptor{0x11, 0, 0, 0}));
  EXPECT_EQ(d::context_device(domain, RequesterId{0x3b08}),
            (Descriptor{0x0000'3b08'abcd'0031, 0, 0, 0}));
}

TEST(Descriptors, PasidCache) {
  EXPECT_EQ(d::pasid_cache_global(), (Descriptor{0x37, 0, 0, 0}));
  EXPECT_EQ(d::pasid_cache(domain, Pasid{0xfedcb}), (Descriptor{0x000f'edcb'abcd'0017, 0, 0, 0}));
}

TEST(Descriptors, Iotlb) {
  EXPECT_EQ(d::iotlb_global({}), (Descriptor{0x12, 0, 0, 0}));
  EXPECT_EQ(d::iotlb_global(both), (Descriptor{0xd2, 0, 0, 0}));
  EXPECT_EQ(d::iotlb_domain(domain, {.reads = true}), (Descriptor{0xabcd'00a2, 0, 0, 0}));
  EXPECT_EQ(d::iotlb_domain(domain, {.writes = true}), (Descriptor{0xabcd'0062, 0, 0, 0}));
  EXPECT_EQ(d::iotlb_pages(domain, Iova{0x1234'5678'9000}, 9, true, both),
            (Descriptor{0xabcd'00f2, 0x1234'5678'9049, 0, 0}));
  EXPECT_EQ(d::iotlb_pages(domain, Iova{0x1000}, 0, false, {}),
            (Descriptor{0xabcd'0032, 0x1000, 0, 0}));
}

TEST(Descriptors, WaitWithStatusWrite) {
  EXPECT_EQ(d::wait(Hpa{0x12'3404}, 2), (Descriptor{0x0000'0002'0000'0025, 0x12'3404, 0, 0}));
}

// The mask covers the range, at natural alignment, and no smaller one does.
TEST(Descriptors, AddressMaskIsTheLeastThatCovers) {
  for (std::uint64_t first = 0; first < 70; ++first) {
    for (std::uint64_t last = first; last < 140; ++last) {
      const auto mask = d::address_mask(Iova{first << 12}, Iova{(last << 12) + 4095});
      EXPECT_EQ(first >> mask, last >> mask);
      if (mask > 0) {
        EXPECT_NE(first >> (mask - 1), last >> (mask - 1));
      }
    }
  }
}

TEST(Descriptors, A2MiBPageNeedsAMaskOf9) {
  EXPECT_EQ(d::address_mask(Iova{0x20'0000}, Iova{0x3f'ffff}), 9u);
}

}  // namespace
}  // namespace ioasim::kernel::vtd
