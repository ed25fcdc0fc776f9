#include "scenarios/verbs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "machine/shipped.hpp"
#include "scenarios/json.hpp"
#include "scenarios/table.hpp"
#include "scenarios/usage_error.hpp"

namespace ioasim::scenarios {
namespace {

const std::vector<std::string> listed{"scenarios", "platforms", "devices"};

std::string kind_name(machine::DeviceKind kind) {
  return config::Text<machine::DeviceKind>::print(kind);
}

// Name and sentence of each entry of one list.
std::vector<Cells> entries_of(const Program& program, const std::string& what) {
  std::vector<Cells> entries;
  if (what == "scenarios") {
    for (const Scenario& one : program.scenarios) {
      entries.push_back({std::string{one.name}, std::string{one.question}});
    }
  } else if (what == "platforms") {
    for (const machine::Shipped& one : machine::shipped()) {
      const auto description =
          configure({.platform = std::string{one.name}}, nullptr, program.scenarios).machine;
      entries.push_back({std::string{one.name}, description.summary});
    }
  } else {
    for (const auto& one : machine::device_kinds()) {
      entries.push_back({kind_name(one.kind), std::string{one.doc}});
    }
  }
  return entries;
}

std::vector<Cells> parameter_rows(const config::Node& root) {
  std::vector<Cells> rows{{"path", "value", "unit", "range", "doc", "source"}};
  for (const auto& [path, node] : config::parameters(root)) {
    rows.push_back({path, node->print(), std::string{node->unit}, node->range,
                    std::string{config::sentence(node->doc)},
                    std::string{config::source(node->doc)}});
  }
  return rows;
}

std::string parameter_table(const config::Node& root) {
  std::vector<Cells> rows;
  for (Cells& row : parameter_rows(root)) {
    if (!rows.empty() && !row[5].empty()) row[4] += " [" + row[5] + "]";
    row.pop_back();
    rows.push_back(std::move(row));
  }
  return aligned(rows, std::vector<Align>(5, Align::left));
}

std::string describe_scenario(const Scenario& scenario) {
  Parameters parameters = scenario.parameters();
  config::Node root;
  root.children.push_back(parameters.bind());
  std::string text = fmt::format("scenario {}\n{}\nplatform {}\n", scenario.name, scenario.question,
                                 scenario.platform);
  if (!config::parameters(root).empty()) text += "\n" + parameter_table(root);
  return text + fmt::format("\nRun it: ioasim run {}\n", scenario.name);
}

std::string describe_platform(const Program& program, const std::string& name) {
  const auto machine = configure({.platform = name}, nullptr, program.scenarios).machine;
  std::vector<Cells> parts;
  const auto part = [&](const std::string& what, std::string kind, std::string where) {
    parts.push_back({what, std::move(kind), std::move(where)});
  };
  part("cpu", fmt::format("{} cores", machine.cores),
       config::Text<Frequency>::print(machine.cpu.clock));
  part("cache.llc", config::Text<Bytes>::print(machine.cache.llc.capacity),
       fmt::format("{} ways", machine.cache.llc.ways));
  part("memory", config::Text<Bytes>::print(machine.memory.capacity),
       fmt::format("{} channels", machine.memory.channels));
  for (const auto& iommu : machine.iommus) {
    part(iommu.name, "IOMMU", iommu.params.snoop_control ? "snoop control" : "no snoop control");
  }
  for (const auto& port : machine.root_ports) {
    part(port.name,
         fmt::format("root port, {} x{}", config::Text<TransferRate>::print(port.link.rate),
                     port.link.width),
         "behind " + port.iommu);
  }
  for (const auto& device : machine.devices) {
    part(device.name, kind_name(device.kind), "at " + device.port);
  }
  return fmt::format("platform {}\n{}\n\n{}\nAll parameters: ioasim params --platform {}\n",
                     machine.name, machine.summary,
                     aligned(parts, std::vector<Align>(3, Align::left)), name);
}

std::string describe_device(const machine::DeviceKindInfo& kind) {
  machine::Device device{.name = "NAME", .kind = kind.kind, .port = {}};
  config::Node root;
  root.children.push_back(machine::tree(device));
  return fmt::format("device {}\n{}\n\n{}", kind_name(kind.kind), kind.doc, parameter_table(root));
}

}  // namespace

std::string list(const Program& program, const std::string& what) {
  if (!what.empty() && std::find(listed.begin(), listed.end(), what) == listed.end()) {
    throw UsageError{fmt::format("list: unknown \"{}\"{}", what, config::offer(what, listed))};
  }
  std::string text;
  for (const std::string& one : listed) {
    if (!what.empty() && what != one) continue;
    if (what.empty()) text += (text.empty() ? "" : "\n") + one + "\n";
    auto entries = entries_of(program, one);
    if (what.empty()) {
      for (Cells& entry : entries) entry.front().insert(0, "  ");
    }
    text += aligned(entries, {Align::left, Align::left});
  }
  return text;
}

std::string describe(const Program& program, const std::string& name) {
  std::vector<std::string> known;
  for (const Scenario& one : program.scenarios) {
    if (one.name == name) return describe_scenario(one);
    known.emplace_back(one.name);
  }
  for (const machine::Shipped& one : machine::shipped()) {
    if (one.name == name) return describe_platform(program, name);
    known.emplace_back(one.name);
  }
  for (const auto& one : machine::device_kinds()) {
    if (kind_name(one.kind) == name) return describe_device(one);
    known.push_back(kind_name(one.kind));
  }
  throw UsageError{
      fmt::format("describe: unknown name \"{}\"{}", name, config::offer(name, known))};
}

std::string params(const Program& program, const std::string& platform,
                   const std::vector<std::string>& settings, const std::string& format) {
  const Format form = parse_format(format);
  Configuration configuration = configure(
      {.platform = platform, .settings = parse_settings(settings)}, nullptr, program.scenarios);
  const config::Node root = tree(configuration);
  switch (form) {
    case Format::text:
      return parameter_table(root);
    case Format::json:
      return to_json(parameter_rows(root));
    case Format::csv:
      return csv(parameter_rows(root));
  }
  UNREACHABLE();
}

std::string check(const Program& program, const std::string& file) {
  const Configuration configuration = configure({.platform = file}, nullptr, program.scenarios);
  const auto& machine = configuration.machine;
  return fmt::format("{}: machine {}: {} IOMMUs, {} root ports, {} devices: valid\n", file,
                     machine.name, machine.iommus.size(), machine.root_ports.size(),
                     machine.devices.size());
}

}  // namespace ioasim::scenarios
