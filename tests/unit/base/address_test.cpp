#include "base/address.hpp"

#include <gmock/gmock.h>

#include <type_traits>
#include <unordered_set>

namespace ioasim {
namespace {

TEST(Address, SpacesDoNotMix) {
  EXPECT_FALSE((std::is_convertible_v<Iova, Hpa>));
  EXPECT_FALSE((std::is_convertible_v<Gpa, Hpa>));
  EXPECT_FALSE((std::is_assignable_v<Hpa&, Iova>));
  EXPECT_FALSE((std::is_convertible_v<RequesterId, Pasid>));
  EXPECT_FALSE((std::is_convertible_v<Pasid, DomainId>));
}

TEST(Address, FallsApartIntoPageLineAndOffset) {
  const Hpa address{0x12345678};
  EXPECT_EQ(address.page(), 0x12345u);
  EXPECT_EQ(address.page_offset(), 0x678u);
  EXPECT_EQ(address.page_base(), Hpa{0x12345000});
  EXPECT_EQ(address.line(), 0x12345678u / 64);
  EXPECT_EQ(address.line_base(), Hpa{0x12345640});
  EXPECT_EQ(Hpa{~0ull}.page_base(), Hpa{0xffff'ffff'ffff'f000});
  EXPECT_EQ(Hpa{~0ull}.line_base(), Hpa{0xffff'ffff'ffff'ffc0});
}

TEST(Address, MovesByBytes) {
  Iova address{0x1000};
  EXPECT_EQ(address + 0x234, Iova{0x1234});
  EXPECT_EQ(address - 1, Iova{0xfff});
  EXPECT_EQ(Iova{0x1234} - address, 0x234u);
  address += 8;
  EXPECT_EQ(address, Iova{0x1008});
  EXPECT_LT(address, Iova{0x1009});
}

TEST(Address, HashesAsItsValue) {
  const std::unordered_set<Iova> set{Iova{1}, Iova{2}, Iova{1}};
  EXPECT_EQ(set.size(), 2u);
}

// PCIe: bus 15:8, device 7:3, function 2:0; every id there is.
TEST(RequesterId, HoldsBusDeviceAndFunction) {
  for (unsigned value = 0; value < 0x10000; ++value) {
    const RequesterId id{static_cast<std::uint16_t>(value)};
    ASSERT_EQ(id.bus() * 256 + id.device() * 8 + id.function(), value);
    ASSERT_LT(id.device(), 32u);
    ASSERT_LT(id.function(), 8u);
    ASSERT_EQ(id.devfn(), value % 256);
    ASSERT_EQ(RequesterId::of(id.bus(), id.device(), id.function()), id);
  }
}

using AddressRange = Range<Hpa>;

// All pairs of short runs, against the sets of their addresses.
TEST(Range, ContainmentAndOverlapAgreeWithSetsOfAddresses) {
  constexpr std::uint64_t size = 7;
  const auto bits = [](AddressRange run) {
    unsigned set = 0;
    for (std::uint64_t i = 0; i < run.bytes; ++i) set |= 1u << (run.base.value + i);
    return set;
  };
  for (std::uint64_t a = 0; a < size; ++a) {
    for (std::uint64_t n = 1; n <= size; ++n) {
      const AddressRange one{Hpa{a}, n};
      for (std::uint64_t at = 0; at < 2 * size; ++at) {
        ASSERT_EQ(one.contains(Hpa{at}), (bits(one) >> at & 1u) != 0);
      }
      for (std::uint64_t b = 0; b < size; ++b) {
        for (std::uint64_t m = 1; m <= size; ++m) {
          const AddressRange other{Hpa{b}, m};
          ASSERT_EQ(one.contains(other), (bits(other) & ~bits(one)) == 0) << a << n << b << m;
          ASSERT_EQ(one.overlaps(other), (bits(other) & bits(one)) != 0) << a << n << b << m;
        }
      }
    }
  }
}

TEST(Range, AnEmptyRunHoldsNothing) {
  const AddressRange empty{Hpa{0x1000}, 0};
  EXPECT_FALSE(empty.contains(Hpa{0x1000}));
  EXPECT_FALSE(empty.overlaps({Hpa{0x2000}, 0x1000}));
  EXPECT_EQ(empty.end(), Hpa{0x1000});
}

TEST(Range, ReachesTheTopOfTheSpace) {
  const AddressRange top{Hpa{0xffff'ffff'ffff'f000}, 0x1000};
  EXPECT_TRUE(top.contains(Hpa{~0ull}));
  EXPECT_FALSE(top.contains(Hpa{0}));
  EXPECT_TRUE(top.contains(AddressRange{Hpa{~0ull}, 1}));
  EXPECT_FALSE(top.contains(AddressRange{Hpa{~0ull}, 2}));
  EXPECT_TRUE(top.overlaps({Hpa{~0ull}, 1}));
}

}  // namespace
}  // namespace ioasim
