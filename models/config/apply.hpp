// Gives parameters the values that a file and --set ask for, and checks the result.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/document.hpp"
#include "config/node.hpp"

namespace ioasim::config {

// One --set PATH=VALUE.
struct Setting {
  std::string path;
  std::string value;
};

Setting parse_setting(std::string_view text);

// Where each value came from, so that a check that fails can name the place.
class Origins {
 public:
  explicit Origins(Place whole) : whole_{std::move(whole)} {}

  void record(std::string path, Place place);
  struct Given {
    std::string path;
    Place place;
  };
  // The path itself, else what was last given beside or below it, else a group around it, else
  // the whole file.
  Given of(std::string_view path) const;

 private:
  Place whole_;
  std::vector<Given> given_;  // in the order of the file and of --set
};

// Reads the map `document` into `root`. All of these throw ConfigError.
void apply(const Value& document, Node& root, Origins& origins);
void apply(const Setting& setting, Node& root, Origins& origins);

// Runs every check() under `root`; throws what the first one to complain says first.
void check(const Node& root, const Origins& origins);

// The error for a parameter whose value cannot stand beside another's.
ConfigError conflict(const Node& root, const Origins& origins, const std::string& path,
                     std::string message);

}  // namespace ioasim::config
