// A configuration file as it was written: maps, lists and scalars, each with its place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/error.hpp"

namespace ioasim::config {

struct Entry;

// One node of a YAML file. Scalars stay text: what they mean is for the parameter to say.
struct Value {
  enum class Kind { null, scalar, list, map };

  Kind kind = Kind::null;
  Place place;
  std::string text;            // of a scalar
  std::vector<Value> items;    // of a list
  std::vector<Entry> entries;  // of a map, in the order of the file; keys are unique

  const Entry* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Place place;
  Value value;
};

std::string_view to_text(Value::Kind kind);

// Both throw ConfigError; `name` stands for the file in places. The outermost node is a map.
Value read_file(const std::string& path);
Value read_text(const std::string& text, const std::string& name);

}  // namespace ioasim::config
