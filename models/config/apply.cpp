#include "config/apply.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/nearest.hpp"

namespace ioasim::config {
namespace {

const Place set_place{.file = "--set"};

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

Node* find_child(Node& group, const std::string& name) {
  for (Node& child : group.children) {
    if (child.name == name) return &child;
  }
  return nullptr;
}

std::vector<std::string> child_names(const Node& group) {
  std::vector<std::string> names;
  for (const Node& child : group.children) names.push_back(child.name);
  return names;
}

void apply_leaf(const Value& value, Node& leaf, const std::string& path, Origins& origins) {
  if (value.kind != Value::Kind::scalar) {
    throw ConfigError{{value.place,
                       path,
                       {},
                       fmt::format("must be a single value, not {}", to_text(value.kind))}};
  }
  if (const auto wrong = leaf.parse(value.text)) {
    throw ConfigError{{value.place, path, value.text, *wrong}};
  }
  origins.record(path, value.place);
}

void apply_group(const Value& document, Node& group, const std::string& path, Origins& origins) {
  if (document.kind == Value::Kind::null) return;
  const std::string shown = path.empty() ? group.name : path;
  if (document.kind != Value::Kind::map) {
    throw ConfigError{{document.place, shown, document.text,
                       fmt::format("must be a map of its parameters ({}), not {}",
                                   fmt::join(child_names(group), ", "), to_text(document.kind))}};
  }
  for (const Entry& entry : document.entries) {
    Node* child = find_child(group, entry.key);
    if (!child) {
      throw ConfigError{{entry.place,
                         join(shown, entry.key),
                         {},
                         "unknown key" + offer(entry.key, child_names(group))}};
    }
    const std::string child_path = child->in_path ? join(path, child->name) : path;
    if (child->is_group()) {
      if (child->in_path) origins.record(child_path, entry.place);
      apply_group(entry.value, *child, child_path, origins);
    } else {
      apply_leaf(entry.value, *child, child_path, origins);
    }
  }
}

Node* find_path(Node& group, std::string_view path) {
  for (Node& child : group.children) {
    if (!child.in_path) {
      if (Node* found = find_path(child, path)) return found;
    } else if (child.name == path) {
      return &child;
    } else if (path.size() > child.name.size() && path.starts_with(child.name) &&
               path[child.name.size()] == '.') {
      if (Node* found = find_path(child, path.substr(child.name.size() + 1))) return found;
    }
  }
  return nullptr;
}

std::vector<std::string> paths_of(const Node& root) {
  std::vector<std::string> paths;
  for (const Located& located : parameters(root)) paths.push_back(located.path);
  return paths;
}

void check_group(const Node& root, const Node& group, const std::string& path,
                 const Origins& origins) {
  if (group.check) {
    Problems problems;
    group.check(problems);
    if (!problems.empty()) {
      throw conflict(root, origins, join(path, problems.front().field), problems.front().message);
    }
  }
  for (const Node& child : group.children) {
    check_group(root, child, child.in_path ? join(path, child.name) : path, origins);
  }
}

}  // namespace

Setting parse_setting(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw ConfigError{{set_place, std::string{text}, {}, "write --set PATH=VALUE"}};
  }
  return {std::string{text.substr(0, equals)}, std::string{text.substr(equals + 1)}};
}

void Origins::record(std::string path, Place place) {
  given_.push_back({std::move(path), std::move(place)});
}

Origins::Given Origins::of(std::string_view path) const {
  const auto last_where = [&](auto matches) -> const Given* {
    const auto found = std::find_if(given_.rbegin(), given_.rend(),
                                    [&](const Given& given) { return matches(given.path); });
    return found == given_.rend() ? nullptr : &*found;
  };
  const auto last_at = [&](std::string_view where) {
    return last_where([&](const std::string& given) { return given == where; });
  };
  if (const Given* given = last_at(path)) return *given;
  while (!path.empty()) {
    const auto dot = path.rfind('.');
    path = path.substr(0, dot == std::string_view::npos ? 0 : dot);
    const auto is_below = [&](const std::string& given) {
      return !path.empty() && given.size() > path.size() && given.starts_with(path) &&
             given[path.size()] == '.';
    };
    if (const Given* given = last_where(is_below)) return *given;
    if (const Given* given = last_at(path)) return *given;
  }
  return {{}, whole_};
}

void apply(const Value& document, Node& root, Origins& origins) {
  apply_group(document, root, "", origins);
}

void apply(const Setting& setting, Node& root, Origins& origins) {
  const auto fail = [&](const std::string& message) {
    throw ConfigError{{set_place, setting.path, setting.value, message}};
  };
  Node* node = find_path(root, setting.path);
  if (!node || (!node->is_group() && !node->settable)) {
    fail("unknown parameter" + offer(setting.path, paths_of(root)));
  }
  if (node->is_group()) {
    std::vector<std::string> inside;
    for (const Located& located : parameters(*node)) {
      inside.push_back(join(setting.path, located.path));
    }
    const auto shown = std::min<std::size_t>(inside.size(), 8);
    fail(fmt::format(
        "is a group of parameters; set one of them: {}{}",
        fmt::join(inside.begin(), inside.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
        shown < inside.size() ? ", ..." : ""));
  }
  if (const auto wrong = node->parse(setting.value)) fail(*wrong);
  origins.record(setting.path, set_place);
}

void check(const Node& root, const Origins& origins) { check_group(root, root, "", origins); }

ConfigError conflict(const Node& root, const Origins& origins, const std::string& path,
                     std::string message) {
  const auto value_of = [&](const std::string& wanted) -> std::string {
    for (const Located& located : locate(root)) {
      if (located.path == wanted && !located.node->is_group()) return located.node->print();
    }
    return {};
  };
  auto [given, place] = origins.of(path);
  // The user has set the other one of the two.
  if (place == set_place && given != path) {
    place.file += fmt::format(" {}={}", given, value_of(given));
  }
  return ConfigError{{std::move(place), path, value_of(path), std::move(message)}};
}

}  // namespace ioasim::config
