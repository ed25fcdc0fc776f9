// The statistics of a simulation, each by its dotted path, and their values at one instant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "stats/stats.hpp"

namespace ioasim::stats {

// A histogram in figures that a reader wants.
struct Distribution {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  std::uint64_t mean = 0;  // rounded down
  std::uint64_t p50 = 0;
  std::uint64_t p90 = 0;
  std::uint64_t p99 = 0;
  std::uint64_t p999 = 0;
  bool operator==(const Distribution&) const = default;
};

// A level in such figures; the mean is over the whole simulated time.
struct Occupancy {
  std::uint64_t value = 0;
  std::uint64_t max = 0;
  std::uint64_t mean_thousandths = 0;  // rounded down
  bool operator==(const Occupancy&) const = default;
};

struct Reading {
  std::string path;  // "iommu0.iotlb_lookup"
  std::string unit;  // "ps", "B" or "1", as the name's ending says
  std::string doc;
  std::variant<std::uint64_t, Distribution, Occupancy> value;
};

// Sorted by path.
using Snapshot = std::vector<Reading>;

// Dotted path, value, unit and sentence of each, aligned, one a line.
std::string to_text(const Snapshot& snapshot);

class Registry {
 public:
  // Every field of `stats`, as path.name; `stats` must outlive the registry.
  template <StatsStruct Owner>
  void add(const std::string& path, const Owner& stats) {
    for_each_field<Owner>([&](const auto& field) {
      const auto& member = stats.*field.member;
      const std::string name = path + "." + std::string{field.name};
      if constexpr (StatsStruct<std::remove_cvref_t<decltype(member)>>) {
        add(name, member);
      } else {
        entries_.push_back({name, field.doc, &member});
      }
    });
  }

  // CHECKs that no path is there twice.
  Snapshot read(Picoseconds now) const;

 private:
  struct Entry {
    std::string path;
    std::string_view doc;
    std::variant<const Counter*, const Histogram*, const Level*> source;
  };

  std::vector<Entry> entries_;
};

}  // namespace ioasim::stats
