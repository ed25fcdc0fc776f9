#include "machine/description.hpp"

#include <gmock/gmock.h>

#include "machine/shipped.hpp"

namespace ioasim::machine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* small =
    "name: small\n"
    "cpu: {cores: 1, clock: 3GHz}\n"
    "iommus:\n"
    "  iommu0: {iotlb: {entries: 64}}\n"
    "root_ports:\n"
    "  port0: {iommu: iommu0, link: {width: 16}, max_payload: 512}\n"
    "devices:\n"
    "  dma0: {kind: dma-engine, port: port0, function: {no_snoop: false}}\n";

Description read(const std::string& text, const std::vector<std::string>& settings = {},
                 std::vector<config::Node> more = {}) {
  std::vector<config::Setting> parsed;
  for (const std::string& setting : settings) parsed.push_back(config::parse_setting(setting));
  return load(config::read_text(text, "m.yaml"), parsed, std::move(more));
}

std::string error_of(const std::string& text, const std::vector<std::string>& settings = {}) {
  try {
    read(text, settings);
  } catch (const config::ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

// `text` with the first `from` replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(Description, ReadsAMachine) {
  const Description machine = read(small);
  EXPECT_EQ(machine.name, "small");
  EXPECT_EQ(machine.cores, 1u);
  EXPECT_EQ(machine.cpu.clock, 3'000_MHz);
  ASSERT_EQ(machine.iommus.size(), 1u);
  EXPECT_EQ(machine.iommus[0].name, "iommu0");
  EXPECT_EQ(machine.iommus[0].params.iotlb.entries, 64u);
  ASSERT_EQ(machine.root_ports.size(), 1u);
  EXPECT_EQ(machine.root_ports[0].iommu, "iommu0");
  EXPECT_EQ(machine.root_ports[0].link.width, 16u);
  EXPECT_EQ(machine.root_ports[0].params.max_payload, 512u);
  ASSERT_EQ(machine.devices.size(), 1u);
  EXPECT_EQ(machine.devices[0].port, "port0");
  EXPECT_FALSE(machine.devices[0].params.function.no_snoop);
}

TEST(Description, InstancesKeepTheOrderOfTheFile) {
  const Description machine = read("iommus: {z: {}, a: {}, m: }\n");
  std::vector<std::string> names;
  for (const Iommu& iommu : machine.iommus) names.push_back(iommu.name);
  EXPECT_THAT(names, ElementsAre("z", "a", "m"));
}

TEST(Description, NothingButCoresIsEnough) {
  const Description machine = read("cpu: {cores: 4}\n");
  EXPECT_EQ(machine.name, "m");  // of m.yaml
  EXPECT_TRUE(machine.devices.empty());
}

TEST(Description, PathsBeginWithTheInstancesName) {
  const Description machine = read(
      small, {"iommu0.iotlb.ways=2", "port0.link.width=4", "dma0.function.no_snoop=true",
              "cpu.clock=2GHz", "cpu.cores=8", "cache.llc.capacity=10MiB", "memory.latency=1ns"});
  EXPECT_EQ(machine.iommus[0].params.iotlb.ways, 2u);
  EXPECT_EQ(machine.root_ports[0].link.width, 4u);
  EXPECT_TRUE(machine.devices[0].params.function.no_snoop);
  EXPECT_EQ(machine.cpu.clock, 2'000_MHz);
  EXPECT_EQ(machine.cores, 8u);
  EXPECT_EQ(machine.cache.llc.capacity, 10_MiB);
  EXPECT_EQ(machine.memory.latency, 1_ns);
}

TEST(Description, OtherSectionsAreReadForTheirOwners) {
  iommu::CacheParams other;
  std::vector<config::Node> more;
  more.push_back(config::bind("kernel", other));
  read(std::string{small} + "kernel: {entries: 32}\n", {"kernel.ways=16"}, std::move(more));
  EXPECT_EQ(other.entries, 32u);
  EXPECT_EQ(other.ways, 16u);
}

TEST(Description, PrintsAFileThatReadsBack) {
  Description machine = read(small, {"iommu0.lookup=1.5ns"});
  const std::string yaml = config::to_yaml(tree(machine));
  Description again = load(config::read_text(yaml, "other.yaml"));
  EXPECT_EQ(again.name, "small");
  EXPECT_EQ(config::to_yaml(tree(again)), yaml);
}

TEST(Description, WiringThatCannotWork) {
  EXPECT_EQ(error_of(with(small, "iommu: iommu0", "iommu: iomu0")),
            "m.yaml:6:18: port0.iommu=iomu0: there is no such name; name the IOMMU that serves "
            "this port; did you mean iommu0?");
  EXPECT_EQ(error_of(with(small, "iommu: iommu0, ", "")),
            "m.yaml:6:43: port0.iommu: missing: name the IOMMU that serves this port; known: "
            "iommu0");
  EXPECT_EQ(error_of(with(small, "port: port0", "port: port7")),
            "m.yaml:8:34: dma0.port=port7: there is no such name; name the root port it is "
            "plugged into; did you mean port0?");
  EXPECT_EQ(error_of(std::string{small} + "  dma1: {kind: dma-engine, port: port0}\n"),
            "m.yaml:9:34: dma1.port=port0: dma0 is plugged in there: a port takes one device");
  EXPECT_EQ(error_of("devices: {dma0: {port: port0}}\n"),
            "m.yaml:1:24: dma0.port=port0: there is no such name; name the root port it is "
            "plugged into; there are none");
}

TEST(Description, AnIommuWithoutPortsIsFine) {
  EXPECT_EQ(read("iommus: {spare: {}}\n").iommus.size(), 1u);
}

TEST(Description, PayloadsMustFitThePort) {
  EXPECT_EQ(error_of(with(small, "max_payload: 512", "max_payload: 256"),
                     {"dma0.function.max_payload=512"}),
            "--set dma0.function.max_payload=512: must not exceed port0.max_payload (256)");
}

TEST(Description, DdioWaysOfAPortMustBeThere) {
  EXPECT_EQ(error_of(small, {"port0.ddio_ways=21"}),
            "--set port0.ddio_ways=21: must not exceed cache.llc.ways (20)");
  EXPECT_EQ(read(small, {"port0.ddio_ways=20"}).root_ports[0].params.ddio_ways, 20u);
}

TEST(Description, UnknownKind) {
  EXPECT_EQ(error_of(with(small, "dma-engine", "dma-engin")),
            "m.yaml:8:16: dma0.kind=dma-engin: unknown choice; did you mean dma-engine?");
}

TEST(Description, Names) {
  EXPECT_EQ(error_of("iommus: {x: {}}\nroot_ports: {x: {iommu: x}}\n"),
            "m.yaml:2:14: root_ports.x: this name is taken by another instance at m.yaml:1:10: "
            "choose another");
  for (const std::string name : {"cpu", "cache", "memory", "kernel", "simulation", "scenario"}) {
    EXPECT_THAT(error_of("iommus: {" + name + ": {}}\n"), HasSubstr("reserved")) << name;
  }
  for (const std::string name : {"a.b", "7x", "a=b", "\"a b\"", "\"\""}) {
    EXPECT_THAT(error_of("iommus: {" + name + ": {}}\n"), HasSubstr("a name is a letter, then"))
        << name;
  }
  EXPECT_THAT(error_of("iommus: {a: {}, a: {}}\n"), HasSubstr("given twice"));
  EXPECT_EQ(error_of("iommus: [a, b]\n"),
            "m.yaml:1:9: iommus: must be a map from names to parameters, not a list");
}

TEST(Description, UnknownKeysAndValues) {
  EXPECT_EQ(error_of("iomus: {}\n"),
            "m.yaml:1:1: the machine.iomus: unknown key; did you mean iommus?");
  EXPECT_EQ(error_of(with(small, "width", "widht")),
            "m.yaml:6:33: port0.link.widht: unknown key; did you mean width?");
  EXPECT_EQ(error_of("cpu: {cores: 65}\n"),
            "m.yaml:1:14: cpu.cores=65: out of range: must be from 1 to 64");
  EXPECT_EQ(error_of("cpu: {cores: 0}\n"),
            "m.yaml:1:14: cpu.cores=0: out of range: must be from 1 to 64");
  EXPECT_EQ(error_of("iommus: {i: {iotlb: {ways: 3}}}\n"),
            "m.yaml:1:28: i.iotlb.entries=128: must be ways (3) x a power of two");
  EXPECT_EQ(error_of("memory: {latency: 48}\n"),
            "m.yaml:1:19: memory.latency=48: missing unit: write 48ns (units are ps, ns, us, ms "
            "or s)");
}

TEST(Shipped, EveryMachineIsValid) {
  std::vector<std::string_view> names;
  for (const Shipped& one : shipped()) {
    names.push_back(one.name);
    const Description machine = load(config::read_text(std::string{one.yaml}, "shipped.yaml"));
    EXPECT_EQ(machine.name, one.name);
    EXPECT_FALSE(machine.summary.empty());
    const bool two_sockets = one.name == "two-socket";
    EXPECT_EQ(machine.cores, two_sockets ? 32u : 2u);
    EXPECT_EQ(machine.sockets, two_sockets ? 2u : 1u);
    EXPECT_EQ(machine.iommus.back().socket, two_sockets ? 1u : 0u);
    ASSERT_EQ(machine.devices.size(), 2u);
    EXPECT_TRUE(machine.devices[0].params.function.no_snoop);
    EXPECT_EQ(machine.devices[1].params.function.no_snoop, two_sockets);
    const bool server = one.name != "client";
    EXPECT_EQ(machine.iommus[0].params.snoop_control, server);
    EXPECT_EQ(machine.iommus[0].params.coherent, server);
    EXPECT_EQ(machine.iommus[0].params.walk_coherent, server);
  }
  EXPECT_THAT(names, ElementsAre("client", "server", "two-socket"));
}

}  // namespace
}  // namespace ioasim::machine
