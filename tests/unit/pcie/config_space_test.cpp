#include "pcie/config_space.hpp"

#include <gmock/gmock.h>

#include <array>
#include <vector>

#include "base/prng.hpp"

namespace ioasim::pcie {
namespace {

TEST(ConfigSpace, IsLittleEndianAtAnyWidth) {
  ConfigSpace space;
  space.define(0x40, 4, 0x04030201);
  EXPECT_EQ(space.read(0x40, 1), 0x01u);
  EXPECT_EQ(space.read(0x43, 1), 0x04u);
  EXPECT_EQ(space.read(0x40, 2), 0x0201u);
  EXPECT_EQ(space.read(0x41, 2), 0x0302u);
  EXPECT_EQ(space.read(0x40, 4), 0x04030201u);
  EXPECT_EQ(space.read(0x42, 4), 0x0403u);
}

TEST(ConfigSpace, StartsAsZerosThatNobodyCanWrite) {
  ConfigSpace space;
  for (unsigned offset = 0; offset < 4096; offset += 4) {
    space.write(offset, 4, ~0u);
    ASSERT_EQ(space.read(offset, 4), 0u) << offset;
  }
}

TEST(ConfigSpace, IsAllOnesBeyondItsEnd) {
  const ConfigSpace space;
  EXPECT_EQ(space.read(4096, 4), 0xffff'ffffu);
  EXPECT_EQ(space.read(4096, 2), 0xffffu);
  EXPECT_EQ(space.read(5000, 1), 0xffu);
}

TEST(ConfigSpace, WritesBeyondItsEndVanish) {
  ConfigSpace space;
  space.write(4096, 4, 1);
  space.write(4094, 4, ~0u);
  space.write(~0u, 4, ~0u);
  EXPECT_EQ(space.read(4092, 4), 0u);
}

TEST(ConfigSpace, OnlyWritableBitsChange) {
  ConfigSpace space;
  space.define(0x40, 4, 0xa5a5'a5a5, 0x00ff'0ff0);
  space.write(0x40, 4, 0x1234'5678);
  EXPECT_EQ(space.read(0x40, 4), 0xa534'a675u);
  space.write(0x40, 4, 0);
  EXPECT_EQ(space.read(0x40, 4), 0xa500'a005u);
}

TEST(ConfigSpace, RequestIsForADwordOrAPartOfIt) {
  ConfigSpace space;
  space.define(0x40, 4, 0x04030201, ~0u);
  space.define(0x44, 4, 0x08070605, ~0u);
  for (unsigned offset = 0x40; offset < 0x44; ++offset) {
    for (unsigned bytes = 0; bytes <= 8; ++bytes) {
      const bool within = bytes > 0 && offset + bytes <= 0x44;
      std::array<std::byte, 8> data{};
      const auto part = std::span{data}.first(bytes);
      EXPECT_EQ(space.serve(offset, part, false), within) << offset << " " << bytes;
      for (unsigned i = 0; i < 8; ++i) {
        const auto expected = within && i < bytes ? offset + i - 0x3f : 0;
        EXPECT_EQ(data[i], std::byte(expected)) << offset << " " << bytes;
      }
      data.fill(std::byte{0xff});
      const auto before = space.read(0x40, 4);
      EXPECT_EQ(space.serve(offset, part, true), within);
      EXPECT_EQ(space.read(0x44, 4), 0x08070605u);
      EXPECT_EQ(space.read(0x40, 4) != before, within);
      space.write(0x40, 4, before);
    }
  }
}

TEST(ConfigSpace, AgreesWithBytesUnderRandomWrites) {
  ConfigSpace space;
  Prng prng{1, "config_space"};
  std::vector<unsigned> value(64);
  std::vector<unsigned> mask(64);
  for (unsigned i = 0; i < 64; ++i) {
    value[i] = static_cast<unsigned>(prng.between(0, 255));
    mask[i] = static_cast<unsigned>(prng.between(0, 255));
    space.define(0x100 + i, 1, value[i], mask[i]);
  }
  for (int step = 0; step < 5000; ++step) {
    const auto bytes = 1u << prng.between(0, 2);
    const auto at = static_cast<unsigned>(prng.between(0, 64 - bytes));
    const auto word = static_cast<std::uint32_t>(prng.next());
    space.write(0x100 + at, bytes, word);
    std::uint32_t expected = 0;
    for (unsigned i = 0; i < bytes; ++i) {
      value[at + i] = (value[at + i] & ~mask[at + i]) | ((word >> (8 * i)) & mask[at + i]);
      expected |= value[at + i] << (8 * i);
    }
    ASSERT_EQ(space.read(0x100 + at, bytes), expected);
  }
}

// PCIe 7.5.1.1.11 and 7.7: the list starts at 34h, each entry holds id and next, on a dword.
TEST(ConfigSpace, CapabilitiesFormAList) {
  ConfigSpace space;
  EXPECT_FALSE(config::capabilities_list::test(space.read(config::status, 2)));
  struct Entry {
    std::uint8_t id;
    unsigned bytes;
    unsigned offset;
  };
  std::vector<Entry> entries{{express::id, 0x3c, 0}, {msi::id, 0x0e, 0}, {0x11, 0x0c, 0}};
  for (auto& entry : entries) entry.offset = space.add_capability(entry.id, entry.bytes);
  EXPECT_TRUE(config::capabilities_list::test(space.read(config::status, 2)));
  auto at = space.read(config::capabilities, 1);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(at, entries[i].offset);
    EXPECT_EQ(at % 4, 0u);
    EXPECT_GE(at, 0x40u);
    EXPECT_EQ(space.read(at, 1), entries[i].id);
    if (i > 0) {
      EXPECT_GE(at, entries[i - 1].offset + entries[i - 1].bytes) << "overlap";
    }
    at = space.read(at + 1, 1);
  }
  EXPECT_EQ(at, 0u);
}

TEST(ConfigSpace, SoftwareCannotChangeTheList) {
  ConfigSpace space;
  const auto at = space.add_capability(msi::id, 0x10);
  const auto header = space.read(at, 2);
  space.write(at, 2, 0xffff);
  space.write(config::capabilities, 1, 0xff);
  EXPECT_EQ(space.read(at, 2), header);
  EXPECT_EQ(space.read(config::capabilities, 1), at);
}

// Offsets and fields as the PCI Express base specification numbers them.
TEST(ConfigSpace, RegistersAreWhereTheSpecificationPutsThem) {
  EXPECT_EQ(express::id, 0x10);
  EXPECT_EQ(express::device_capabilities, 0x04u);
  EXPECT_EQ(express::device_control, 0x08u);
  EXPECT_EQ(express::link_capabilities, 0x0cu);
  EXPECT_EQ(express::link_status, 0x12u);
  EXPECT_EQ(express::enable_relaxed_ordering::mask, 0x10u);
  EXPECT_EQ(express::max_payload::mask, 0xe0u);
  EXPECT_EQ(express::extended_tag::mask, 0x100u);
  EXPECT_EQ(express::enable_no_snoop::mask, 0x800u);
  EXPECT_EQ(express::max_read_request::mask, 0x7000u);
  EXPECT_EQ(config::memory_space::mask, 0x2u);
  EXPECT_EQ(config::bus_master::mask, 0x4u);
  EXPECT_EQ(config::capabilities_list::mask, 0x10u);
  EXPECT_EQ(msi::id, 0x05);
  EXPECT_EQ(msi::enable::mask, 0x1u);
  EXPECT_EQ(msi::address_64::mask, 0x80u);
}

}  // namespace
}  // namespace ioasim::pcie
