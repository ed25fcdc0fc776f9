// Parameters of a VT-d remapping unit.
#pragma once

#include <fmt/format.h>

#include <bit>

#include "base/fields.hpp"
#include "base/quantity.hpp"

namespace ioasim::iommu {

// A cache of translations or of translation structures.
struct CacheParams {
  unsigned entries = 128;
  unsigned ways = 8;

  static constexpr auto fields = std::tuple{
      Field{"entries", &CacheParams::entries, "entries held", Limits{1u, 65536u}},
      Field{"ways", &CacheParams::ways, "associativity; divides entries", Limits{1u, 32u}}};

  void check(Problems& problems) const {
    if (entries % ways != 0 || !std::has_single_bit(entries / ways)) {
      problems.push_back({"entries", fmt::format("must be ways ({}) x a power of two", ways)});
    }
  }
};

struct Params {
  bool snoop_control = true;
  bool coherent = true;
  bool walk_coherent = true;
  unsigned address_bits = 48;
  unsigned domains = 65536;
  unsigned pasid_bits = 20;
  CacheParams iotlb{};
  CacheParams nonleaf{.entries = 64, .ways = 4};
  CacheParams context_cache{.entries = 64, .ways = 4};
  CacheParams pasid_cache{.entries = 64, .ways = 4};
  unsigned walkers = 6;
  unsigned fault_records = 8;
  Picoseconds lookup = 2_ns;
  Picoseconds fabric = 40_ns;
  Picoseconds walk_step = 194_ns;
  Picoseconds register_access = 20_ns;
  Picoseconds descriptor = 168_ns;

  static constexpr auto fields = std::tuple{
      Field{"snoop_control", &Params::snoop_control,
            "ECAP.SC: second-stage entries and PASID entries may force snooping (VT-d 11.4.3)"},
      Field{"coherent", &Params::coherent,
            "ECAP.C: reads of root, context and PASID structures are snooped (VT-d 11.4.3)"},
      Field{"walk_coherent", &Params::walk_coherent,
            "ECAP.SMPWCS: page walks may be snooped, if PWSNP asks (VT-d 11.4.3)"},
      Field{"address_bits", &Params::address_bits,
            "width of a second-stage address: 39, 48 or 57 (CAP.SAGAW, CAP.MGAW)",
            Limits{39u, 57u}},
      Field{"domains", &Params::domains, "domain ids: 16 to 65536, 4 to a power (CAP.ND)",
            Limits{16u, 65536u}},
      Field{"pasid_bits", &Params::pasid_bits, "width of a PASID (ECAP.PSS)", Limits{1u, 20u}},
      Field{"iotlb", &Params::iotlb, "translations of pages [CAL-7]"},
      Field{"nonleaf", &Params::nonleaf, "non-leaf entries of second-stage tables [CAL-10]"},
      Field{"context_cache", &Params::context_cache, "context entries [model choice]"},
      Field{"pasid_cache", &Params::pasid_cache, "PASID-table entries [model choice]"},
      Field{"walkers", &Params::walkers, "page walks in flight [CAL-8]", Limits{1u, 64u}},
      Field{"fault_records", &Params::fault_records, "fault recording registers (CAP.NFR) [D-XE]",
            Limits{1u, 128u}},
      Field{"lookup", &Params::lookup, "time of an IOTLB hit [CAL-5]", Limits{0_ps, 1'000_ns}},
      Field{"fabric", &Params::fabric,
            "one way between the unit's own memory accesses and the home agent [model choice]",
            Limits{0_ps, 10'000_ns}},
      Field{"walk_step", &Params::walk_step,
            "the walker's own part of each structure read; with the way there and back and an LLC "
            "hit it makes the 290 ns of a walk whose upper levels are cached [CAL-6]",
            Limits{0_ps, 10'000_ns}},
      Field{"register_access", &Params::register_access,
            "time to answer a register access [model choice]", Limits{0_ps, 10'000_ns}},
      Field{"descriptor", &Params::descriptor,
            "invalidation queue: decode and execute one descriptor, without its memory accesses "
            "and its drain; an idle unmap's submission and wait then take 0.69 us [CAL-11]",
            Limits{0_ps, 10'000_ns}}};

  void check(Problems& problems) const {
    if (address_bits != 39 && address_bits != 48 && address_bits != 57) {
      problems.push_back({"address_bits", "must be 39, 48 or 57"});
    }
    if (!std::has_single_bit(domains) || std::countr_zero(domains) % 2 != 0) {
      problems.push_back({"domains", "must be 16, 64, 256, 1024, 4096, 16384 or 65536"});
    }
  }
};

}  // namespace ioasim::iommu
