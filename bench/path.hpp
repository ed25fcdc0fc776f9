// A simplified path from device to memory: the rules and the state that two architectures, the
// textbook one (textbook.cpp) and ours (clockwork_path.cpp), put in simulated time.
//
// Models: serialisation of both directions of a link; an IOTLB with the walk of a four-level table,
// each entry read through the LLC, and a limited number of walkers; LLC tags; DRAM channels. Does
// not model: credits, ordering rules, structure caches, cores, data.
//
// Every call reserves what it needs from `at` on, so calls come in order of arrival.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "base/tag_array.hpp"
#include "base/time.hpp"
#include "sim/payload.hpp"
#include "workload.hpp"

namespace ioasim::bench {

inline constexpr unsigned path_devices = 4;
inline constexpr Picoseconds issue_gap = 32_ns;

// The ignorable extension that a request carries along the path.
struct Mark final : tlm::tlm_extension<Mark> {
  unsigned device = 0;
  Picoseconds issued{};
  Hpa address{};  // once translated

  tlm::tlm_extension_base* clone() const override { return new Mark{*this}; }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const Mark&>(other);
  }
};

inline Mark& mark_of(const sim::Transaction& transaction) {
  return *transaction.get_extension<Mark>();
}

class Path {
 public:
  struct Translation {
    Hpa address;
    Picoseconds ready;
    bool hit;  // known at once
  };

  Path();

  // When the last byte of a request, or of a completion, is at the other end of the link.
  Picoseconds send_up(const sim::Transaction& request, Picoseconds at) {
    return send(up_free_[mark_of(request).device], request.is_write(), request, at);
  }
  Picoseconds send_down(const sim::Transaction& request, Picoseconds at) {
    return send(down_free_[mark_of(request).device], request.is_read(), request, at);
  }
  Translation translate(unsigned device, Iova iova, Picoseconds at);
  // When the data are there, or the write is visible.
  Picoseconds access(Hpa address, std::uint64_t bytes, bool write, Picoseconds at);

  double iotlb_miss_rate() const {
    return static_cast<double>(iotlb_misses_) / static_cast<double>(iotlb_lookups_);
  }
  double llc_miss_rate() const {
    return static_cast<double>(llc_misses_) / static_cast<double>(llc_lookups_);
  }

 private:
  struct Page {
    Hpa base;
    Picoseconds ready;  // a walk under way ends then
  };

  static constexpr unsigned levels = 4;
  static constexpr Hpa tables{0x40'0000'0000};
  static constexpr Picoseconds lookup = 2_ns;
  static constexpr Picoseconds propagation = 150_ns;
  static constexpr Picoseconds llc_latency = 12_ns;
  static constexpr Picoseconds dram_latency = 45_ns;
  static constexpr Picoseconds dram_line = 3'750_ps;  // 17 GB/s a channel

  static Picoseconds send(Picoseconds& free_at, bool with_data, const sim::Transaction& request,
                          Picoseconds at) {
    constexpr std::uint64_t overhead = 24;
    constexpr std::uint64_t bytes_per_ns = 63;  // 32 GT/s x 16
    const auto bytes = overhead + (with_data ? request.get_data_length() : 0);
    const auto start = std::max(at, free_at);
    free_at = start + Picoseconds{static_cast<std::int64_t>(bytes * 1'000 / bytes_per_ns)};
    return free_at + propagation;
  }
  Page walk(Iova iova, Picoseconds at);
  Picoseconds access_line(std::uint64_t line, bool write, Picoseconds at);
  Picoseconds access_dram(std::uint64_t line, Picoseconds at);

  std::array<Picoseconds, path_devices> up_free_{};
  std::array<Picoseconds, path_devices> down_free_{};
  std::vector<std::uint64_t> table_;  // entries of all levels; the root comes first
  AssociativeCache<Page> iotlb_{512, 8};
  std::array<Picoseconds, 8> walker_free_{};
  TagArray llc_{4096, 16};  // 4 MiB
  std::vector<bool> dirty_ = std::vector<bool>(4096 * 16);
  std::array<Picoseconds, 8> channel_free_{};
  std::uint64_t iotlb_lookups_ = 0;
  std::uint64_t iotlb_misses_ = 0;
  std::uint64_t llc_lookups_ = 0;
  std::uint64_t llc_misses_ = 0;
};

}  // namespace ioasim::bench
