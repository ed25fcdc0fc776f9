// A machine as data: what a machine file says, with every parameter that it leaves out at its
// default.
//
//   name: server
//   summary: two cores, two ports, one IOMMU
//   cpu: {cores: 2, clock: 2.2GHz}
//   cache: {llc: {capacity: 20MiB}}
//   memory: {capacity: 4GiB}
//   iommus:
//     iommu0: {iotlb: {entries: 128}}
//   root_ports:
//     port0: {iommu: iommu0, link: {width: 8}}
//   devices:
//     dma0: {kind: dma-engine, port: port0}
//
// Paths of parameters begin with the section (cpu, cache, memory) or with the instance's own name:
// cpu.cores, iommu0.iotlb.entries, port0.link.width, dma0.function.no_snoop.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cache/params.hpp"
#include "config/apply.hpp"
#include "cpu/params.hpp"
#include "devices/params.hpp"
#include "iommu/params.hpp"
#include "memory/params.hpp"
#include "pcie/params.hpp"

namespace ioasim::machine {

struct Iommu {
  std::string name;
  unsigned socket = 0;  // whose home agent its requests go to
  iommu::Params params{};
};

struct RootPort {
  std::string name;
  std::string iommu;  // name of the unit that serves it
  pcie::RootPortParams params{};
  pcie::LinkParams link{};
};

enum class DeviceKind { dma_engine };

constexpr auto enum_names(DeviceKind) {
  return std::array{Named{DeviceKind::dma_engine, "dma-engine"}};
}

struct Device {
  std::string name;
  DeviceKind kind = DeviceKind::dma_engine;
  std::string port;  // name of the root port that it is plugged into
  devices::DmaEngineParams params{};
};

struct Description {
  std::string name;
  std::string summary;
  unsigned cores = 2;
  unsigned sockets = 1;
  cpu::Params cpu{};
  cache::Params cache{};
  memory::Params memory{};
  std::vector<Iommu> iommus{};  // these three in the order of the file
  std::vector<RootPort> root_ports{};
  std::vector<Device> devices{};
};

// A device kind, for lists.
struct DeviceKindInfo {
  DeviceKind kind;
  std::string_view doc;
};
std::vector<DeviceKindInfo> device_kinds();

// The parameters of one device, bound to it.
config::Node tree(Device& device);

// Every parameter of `description`, bound to it, and after them the sections of `more`, which are
// another's (the kernel's, say). Neither may move while the tree is in use.
config::Node tree(Description& description, std::vector<config::Node> more = {});

// Reads a machine file, then the settings, the last of several for one path winning. Sections of
// `more` are read in the same way into what they are bound to. Throws ConfigError unless the
// machine can work.
// A machine without a name takes that of its file.
Description load(const config::Value& document, const std::vector<config::Setting>& settings = {},
                 std::vector<config::Node> more = {});

}  // namespace ioasim::machine
