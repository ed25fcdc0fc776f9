#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "trace/format.hpp"
#include "trace/hash_sink.hpp"
#include "trace/text_sink.hpp"

namespace ioasim::trace {
namespace {

constexpr std::array<std::byte, 3> bytes{std::byte{0x00}, std::byte{0xab}, std::byte{0x12}};
constexpr auto requester = RequesterId::of(0x3b, 0, 1);

TEST(TraceFormat, Times) {
  EXPECT_EQ(to_text(0_ps), "0.000 ns");
  EXPECT_EQ(to_text(12'345_ps), "12.345 ns");
  EXPECT_EQ(to_text(5_us), "5000.000 ns");
}

TEST(TraceFormat, EveryKindOfField) {
  const std::pair<Event, std::string_view> table[]{
      {MemoryRead{Agent::core, 1, Hpa{0x1000}, bytes, true},
       "memory_read agent=core who=1 address=0x1000 data=00ab12 snooped=true from=memory "
       "from_number=0"},
      {MemoryWrite{Agent::device, requester.value, Hpa{0x40}, bytes, false},
       "memory_write agent=device who=0000:3b:00.1 address=0x40 data=00ab12 snooped=false "
       "to=memory to_number=0"},
      {MemoryRead{Agent::walker, 0, Hpa{0}, {}, true},
       "memory_read agent=walker who=0 address=0x0 data= snooped=true from=memory from_number=0"},
      {DmaAccess{requester, Pasid{0xfffff}, true, Iova{0x2000}, Hpa{0x3000}, 64, true, true, false},
       "dma_access requester=0000:3b:00.1 pasid=0xfffff has_pasid=true iova=0x2000 "
       "address=0x3000 bytes=64 write=true no_snoop=true snooped=false"},
      {TlpHop{7, Hop::at_iommu, requester},
       "tlp_hop transaction=7 hop=at_iommu requester=0000:3b:00.1"},
      {FaultRecorded{0, requester, 5, Iova{0x5000}, false, false},
       "fault_recorded iommu=0 requester=0000:3b:00.1 reason=5 iova=0x5000 write=false "
       "overflow=false"},
      {Invalidation{0, InvalidationStep::drained, 5},
       "invalidation iommu=0 step=drained descriptor=5"},
      {Interrupt{1, 0x31}, "interrupt core=1 vector=49"},
      {MappingRemoved{2, {Iova{0x1000}, 0x2000}}, "mapping_removed domain=2 iova=0x1000+0x2000"},
      {Software{0, "unmap", -22}, "software core=0 what=unmap result=-22"},
      {Software{0, "two words", 0}, "software core=0 what=\"two words\" result=0"}};
  for (const auto& [event, text] : table) EXPECT_EQ(to_text(event), text);
}

TEST(TextSink, OneLineAnEvent) {
  const std::string path = testing::TempDir() + "/ioasim_sink_test.txt";
  {
    TextSink sink{std::fopen(path.c_str(), "w")};
    sink.on(12'345_ps, Interrupt{1, 2});
    sink.on(10_us, Interrupt{0, 3});
    EXPECT_EQ(sink.finish(), "");
  }
  std::ifstream file{path};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_EQ(text,
            "        12.345 ns interrupt core=1 vector=2\n"
            "     10000.000 ns interrupt core=0 vector=3\n");
  std::remove(path.c_str());
}

TEST(TextSink, AFullDiskIsReported) {
  TextSink sink{std::fopen("/dev/full", "w")};
  for (int i = 0; i < 10'000; ++i) sink.on(1_ns, Interrupt{1, 2});
  EXPECT_EQ(sink.finish(), "No space left on device");
}

std::uint64_t hash_of(std::initializer_list<std::pair<Picoseconds, Event>> events) {
  HashSink sink;
  for (const auto& [at, event] : events) sink.on(at, event);
  return sink.hash();
}

TEST(HashSink, DependsOnAllThatHappened) {
  const MemoryRead read{Agent::core, 1, Hpa{0x1000}, bytes, true};
  const auto base = hash_of({{1_ns, read}});
  EXPECT_EQ(hash_of({{1_ns, read}}), base);
  EXPECT_NE(hash_of({{2_ns, read}}), base);
  EXPECT_NE(hash_of({{1_ns, read}, {1_ns, read}}), base);
  auto other = read;
  other.snooped = false;
  EXPECT_NE(hash_of({{1_ns, other}}), base);
  other = read;
  auto changed = bytes;
  changed[2] = std::byte{0x13};
  other.data = changed;
  EXPECT_NE(hash_of({{1_ns, other}}), base);
  EXPECT_NE(hash_of({{1_ns, MemoryWrite{Agent::core, 1, Hpa{0x1000}, bytes, true}}}), base);
}

TEST(HashSink, DependsOnContentsNotOnWhereTheyAre) {
  const std::vector<std::byte> copy{bytes.begin(), bytes.end()};
  EXPECT_EQ(hash_of({{1_ns, MemoryRead{Agent::core, 1, Hpa{0}, copy, true}}}),
            hash_of({{1_ns, MemoryRead{Agent::core, 1, Hpa{0}, bytes, true}}}));
  EXPECT_EQ(hash_of({{1_ns, Software{0, std::string{"map"}, 0}}}),
            hash_of({{1_ns, Software{0, "map", 0}}}));
}

TEST(HashSink, OrderMatters) {
  const Interrupt a{0, 1};
  const Interrupt b{1, 0};
  EXPECT_NE(hash_of({{1_ns, a}, {1_ns, b}}), hash_of({{1_ns, b}, {1_ns, a}}));
}

}  // namespace
}  // namespace ioasim::trace
