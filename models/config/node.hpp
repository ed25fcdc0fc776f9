// Parameters as a tree of names bound to the structs that hold them. Built from their tables of
// fields; reading, overriding, checking and printing then need no templates.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fields.hpp"
#include "config/quantity.hpp"

namespace ioasim::config {

// A parameter, or a group of them. The bound object must stay where it is.
struct Node {
  std::string name;
  std::string doc;  // a sentence; a parameter's ends with the source of its default

  // A group.
  std::vector<Node> children{};
  std::function<void(Problems&)> check{};
  bool in_path = true;  // its name is part of its children's paths

  // A parameter.
  std::string_view unit{};
  std::string range{};
  std::string initial{};  // the value when it was bound: the default
  bool settable = true;   // by --set; else by file only
  std::function<std::string()> print{};
  // Stores the value, or says what would be right and stores nothing.
  std::function<std::optional<std::string>(std::string_view)> parse{};

  bool is_group() const { return !parse; }
};

namespace detail {

// `doc`, with the source of the group around it if it has none of its own.
std::string with_source(std::string doc, std::string_view group_doc);

template <class Value>
std::string range_of(const std::optional<Limits<Value>>& limits) {
  if constexpr (HasNames<Value>) {
    std::string text;
    for (const auto& name : names_of<Value>()) text += (text.empty() ? "" : "|") + name;
    return text;
  } else if constexpr (std::is_same_v<Value, bool>) {
    return "true|false";
  } else {
    if (!limits) return "";
    return Text<Value>::print(limits->min) + ".." + Text<Value>::print(limits->max);
  }
}

}  // namespace detail

template <class Value>
Node leaf(std::string_view name, Value& value, std::string_view doc,
          std::optional<Limits<Value>> limits = std::nullopt) {
  Node node{.name = std::string{name}, .doc = std::string{doc}};
  node.unit = Text<Value>::unit;
  node.range = detail::range_of(limits);
  node.initial = Text<Value>::print(value);
  node.print = [&value] { return Text<Value>::print(value); };
  node.parse = [&value, limits](std::string_view text) -> std::optional<std::string> {
    const auto parsed = Text<Value>::parse(text);
    if constexpr (requires { limits->min < limits->max; }) {
      const bool beyond = parsed ? limits && (*parsed < limits->min || limits->max < *parsed)
                                 : limits && parsed.error().too_large;
      if (beyond) {
        return "out of range: must be from " + Text<Value>::print(limits->min) + " to " +
               Text<Value>::print(limits->max);
      }
    }
    if (!parsed) return parsed.error().message;
    value = *parsed;
    return std::nullopt;
  };
  return node;
}

// The group `name` of the fields of `params`.
template <HasFields Params>
Node bind(std::string_view name, Params& params, std::string_view doc = {}) {
  Node node{.name = std::string{name}, .doc = std::string{doc}};
  for_each_field<Params>([&](const auto& field) {
    auto& member = params.*field.member;
    if constexpr (HasFields<std::remove_reference_t<decltype(member)>>) {
      node.children.push_back(bind(field.name, member, field.doc));
    } else {
      node.children.push_back(
          leaf(field.name, member, detail::with_source(std::string{field.doc}, doc), field.limits));
    }
  });
  if constexpr (requires(Problems & problems) { std::as_const(params).check(problems); }) {
    node.check = [&params](Problems& problems) { std::as_const(params).check(problems); };
  }
  return node;
}

// A node and its full path: "iommu0.iotlb.entries".
struct Located {
  std::string path;
  const Node* node;
};

// Every node under `root` that has a path, parents first.
std::vector<Located> locate(const Node& root);
// Those that are parameters and settable.
std::vector<Located> parameters(const Node& root);

// The sentence without its source, and the source alone ("CAL-7", "model choice" or nothing).
std::string_view sentence(std::string_view doc);
std::string_view source(std::string_view doc);

// Every parameter as YAML, which reads back to the same values.
std::string to_yaml(const Node& root);

// The text as a YAML scalar: plain where that is safe, else quoted.
std::string yaml_scalar(std::string_view text);

}  // namespace ioasim::config
