#include "machine/description.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <utility>

namespace ioasim::machine {
namespace {

using config::ConfigError;
using config::Entry;
using config::Node;
using config::Value;

// The first words of paths that instances cannot have for a name.
constexpr std::array reserved{"cpu",        "cache",    "memory", "kernel",
                              "simulation", "scenario", "name",   "summary"};

Node group(std::string_view name, std::string_view doc, std::vector<Node> children,
           bool in_path = true) {
  Node node{.name = std::string{name}, .doc = std::string{doc}, .children = std::move(children)};
  node.in_path = in_path;
  return node;
}

Node header(std::string_view name, std::string& value, std::string_view doc) {
  Node node = config::leaf(name, value, doc);
  node.settable = false;
  return node;
}

// `first` and then the parameters of `params`, all in one group, under the check of `params`.
template <class Params>
Node instance(std::string_view name, Params& params, std::vector<Node> first) {
  Node node = config::bind(name, params);
  node.children.insert(node.children.begin(), std::make_move_iterator(first.begin()),
                       std::make_move_iterator(first.end()));
  return node;
}

Node bind_iommu(Iommu& iommu) {
  return instance(iommu.name, iommu.params,
                  {config::leaf("socket", iommu.socket, "the socket that it is at [model choice]",
                                std::optional{Limits{0u, 3u}})});
}

Node bind_port(RootPort& port) {
  return instance(port.name, port.params,
                  {config::leaf("iommu", port.iommu, "the IOMMU that serves this port"),
                   config::bind("link", port.link, "the link below this port")});
}

template <class Instance, class Bind>
Node bind_all(std::string_view name, std::string_view doc, std::vector<Instance>& instances,
              Bind bind_one) {
  std::vector<Node> children;
  for (Instance& one : instances) children.push_back(bind_one(one));
  return group(name, doc, std::move(children), false);
}

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  const auto inner = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  };
  return !text.empty() && letter(text.front()) && std::all_of(text.begin(), text.end(), inner);
}

// Modules that the machine builds beside what the file names: core0, port0_link and so on.
bool is_part(std::string_view name) {
  constexpr std::array parts{"llc", "apic", "mmio", "clockwork"};
  if (std::find(parts.begin(), parts.end(), name) != parts.end()) return true;
  const auto is_numbered = [&](std::string_view stem) {
    return name.starts_with(stem) && name.size() > stem.size() &&
           name.find_first_not_of("0123456789", stem.size()) == name.npos;
  };
  return is_numbered("core") || is_numbered("software") || name.ends_with("_link");
}

// Collects the names of instances: all of a machine share one space of names.
class Names {
 public:
  // The keys of the section, checked.
  std::vector<std::string> read(const Value& document, std::string_view section,
                                const std::vector<Node>& more) {
    std::vector<std::string> names;
    const Entry* entry = document.find(section);
    if (!entry || entry->value.kind == Value::Kind::null) return names;
    if (entry->value.kind != Value::Kind::map) {
      throw ConfigError{{entry->value.place, std::string{section}, entry->value.text,
                         fmt::format("must be a map from names to parameters, not {}",
                                     to_text(entry->value.kind))}};
    }
    for (const Entry& one : entry->value.entries) {
      take(one, section, more);
      names.push_back(one.key);
    }
    if (names.size() > instances_max) {
      throw ConfigError{{entry->value.place,
                         std::string{section},
                         {},
                         fmt::format("at most {} of them fit on bus 0", instances_max)}};
    }
    return names;
  }

 private:
  // Root ports are devices 1 to 31 of bus 0.
  static constexpr std::size_t instances_max = 31;

  void take(const Entry& entry, std::string_view section, const std::vector<Node>& more) {
    const auto fail = [&](const std::string& message) {
      throw ConfigError{{entry.place, fmt::format("{}.{}", section, entry.key), {}, message}};
    };
    if (!is_name(entry.key)) {
      fail("a name is a letter, then letters, digits, \"_\" and \"-\"");
    }
    const bool is_section = std::any_of(more.begin(), more.end(),
                                        [&](const Node& node) { return node.name == entry.key; });
    if (is_section || std::find(reserved.begin(), reserved.end(), entry.key) != reserved.end()) {
      fail("this name is reserved for a section: choose another");
    }
    if (is_part(entry.key)) fail("this name is that of a part of every machine: choose another");
    const auto [first, added] = places_.try_emplace(entry.key, entry.place);
    if (!added) {
      fail(fmt::format("this name is taken by another instance at {}: choose another",
                       to_text(first->second)));
    }
  }

  std::map<std::string, config::Place> places_;
};

// The instances that the file names, all parameters at their defaults.
Description outline(const Value& document, const std::vector<Node>& more) {
  Description description;
  Names names;
  for (auto& name : names.read(document, "iommus", more)) {
    description.iommus.push_back({.name = std::move(name)});
  }
  for (auto& name : names.read(document, "root_ports", more)) {
    description.root_ports.push_back({.name = std::move(name), .iommu = {}});
  }
  for (auto& name : names.read(document, "devices", more)) {
    description.devices.push_back({.name = std::move(name), .port = {}});
  }
  return description;
}

template <class Instance>
std::vector<std::string> names_of(const std::vector<Instance>& instances) {
  std::vector<std::string> names;
  for (const Instance& one : instances) names.push_back(one.name);
  return names;
}

// That what the user named exists, that it fits, and that it is not in use.
void check_wiring(const Description& description, const Node& root,
                  const config::Origins& origins) {
  const auto iommus = names_of(description.iommus);
  const auto ports = names_of(description.root_ports);
  const auto require = [&](const std::string& path, const std::string& name,
                           const std::vector<std::string>& known, std::string_view what) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    const auto message = name.empty() ? fmt::format("missing: name {}", what)
                                      : fmt::format("there is no such name; name {}", what);
    throw config::conflict(root, origins, path, message + config::offer(name, known));
  };
  for (const RootPort& port : description.root_ports) {
    require(port.name + ".iommu", port.iommu, iommus, "the IOMMU that serves this port");
  }
  std::map<std::string, std::string> taken;
  for (const Device& device : description.devices) {
    require(device.name + ".port", device.port, ports, "the root port it is plugged into");
    const auto [other, free] = taken.try_emplace(device.port, device.name);
    if (!free) {
      throw config::conflict(
          root, origins, device.name + ".port",
          fmt::format("{} is plugged in there: a port takes one device", other->second));
    }
  }
}

void check_sockets(const Description& description, const Node& root,
                   const config::Origins& origins) {
  const auto sockets = description.sockets;
  if (sockets == 3 || description.cores % sockets != 0) {
    throw config::conflict(root, origins, "cpu.sockets",
                           fmt::format("must be 1, 2 or 4, and divide cpu.cores ({}): every socket "
                                       "has as many cores",
                                       description.cores));
  }
  for (const Iommu& iommu : description.iommus) {
    if (iommu.socket < sockets) continue;
    throw config::conflict(root, origins, iommu.name + ".socket",
                           fmt::format("there are {} (cpu.sockets), counted from 0", sockets));
  }
}

void check_payloads(const Description& description, const Node& root,
                    const config::Origins& origins) {
  for (const Device& device : description.devices) {
    const auto port = std::find_if(description.root_ports.begin(), description.root_ports.end(),
                                   [&](const RootPort& one) { return one.name == device.port; });
    if (device.params.function.max_payload > port->params.max_payload) {
      throw config::conflict(
          root, origins, device.name + ".function.max_payload",
          fmt::format("must not exceed {}.max_payload ({})", port->name, port->params.max_payload));
    }
  }
}

void check_ddio_ways(const Description& description, const Node& root,
                     const config::Origins& origins) {
  const auto ways = description.cache.llc.ways;
  for (const RootPort& port : description.root_ports) {
    if (port.params.ddio_ways <= ways) continue;
    throw config::conflict(root, origins, port.name + ".ddio_ways",
                           fmt::format("must not exceed cache.llc.ways ({})", ways));
  }
}

}  // namespace

std::vector<DeviceKindInfo> device_kinds() {
  return {{DeviceKind::dma_engine, "a copy engine that works off descriptors in memory"}};
}

Node tree(Device& device) {
  return instance(device.name, device.params,
                  {config::leaf("kind", device.kind, "what it is"),
                   config::leaf("port", device.port, "the root port it is plugged into")});
}

Node tree(Description& description, std::vector<Node> more) {
  Node cpu = instance("cpu", description.cpu,
                      {config::leaf("cores", description.cores,
                                    "cores, an equal number in each socket [model choice]",
                                    std::optional{Limits{1u, 64u}}),
                       config::leaf("sockets", description.sockets,
                                    "sockets: 1, 2 or 4, each with its last-level cache and its "
                                    "part of memory [model choice]",
                                    std::optional{Limits{1u, 4u}})});
  cpu.doc = "the cores, all alike";
  std::vector<Node> children{
      header("name", description.name, "the machine's name"),
      header("summary", description.summary, "what it stands for"),
      std::move(cpu),
      config::bind("cache", description.cache, "the cache hierarchy"),
      config::bind("memory", description.memory, "main memory"),
      bind_all("iommus", "remapping units", description.iommus, bind_iommu),
      bind_all("root_ports", "root ports", description.root_ports, bind_port),
      bind_all("devices", "devices", description.devices,
               [](Device& device) { return tree(device); })};
  for (Node& node : more) children.push_back(std::move(node));
  return group("the machine", "", std::move(children));
}

Description load(const Value& document, const std::vector<config::Setting>& settings,
                 std::vector<Node> more) {
  Description description = outline(document, more);
  description.name = std::filesystem::path{document.place.file}.stem().string();
  Node root = tree(description, std::move(more));
  config::Origins origins{{.file = document.place.file}};
  config::apply(document, root, origins);
  for (const config::Setting& setting : settings) config::apply(setting, root, origins);
  config::check(root, origins);
  check_wiring(description, root, origins);
  check_payloads(description, root, origins);
  check_ddio_ways(description, root, origins);
  check_sockets(description, root, origins);
  return description;
}

}  // namespace ioasim::machine
