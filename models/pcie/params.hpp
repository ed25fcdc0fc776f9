// Parameters of links, root ports and endpoints.
#pragma once

#include <fmt/format.h>

#include <bit>

#include "base/fields.hpp"
#include "base/quantity.hpp"

namespace ioasim::pcie {

struct LinkParams {
  TransferRate rate = 8_GTps;
  unsigned width = 8;
  Picoseconds propagation = 125_ns;
  unsigned posted_header_credits = 64;
  unsigned posted_data_credits = 1024;
  unsigned nonposted_header_credits = 64;

  static constexpr auto fields = std::tuple{
      Field{"rate", &LinkParams::rate,
            "transfers per second and lane: 2.5GT/s, 5GT/s, 8GT/s, 16GT/s or 32GT/s [CAL-1]",
            Limits{TransferRate{25}, TransferRate{320}}},
      Field{"width", &LinkParams::width, "lanes: 1, 2, 4, 8 or 16", Limits{1u, 16u}},
      Field{"propagation", &LinkParams::propagation,
            "one way through both PHYs and the wire, without serialisation [CAL-2]",
            Limits{0_ps, 100'000_ns}},
      Field{"posted_header_credits", &LinkParams::posted_header_credits,
            "posted TLPs the receiver can hold [model choice]", Limits{1u, 127u}},
      Field{"posted_data_credits", &LinkParams::posted_data_credits,
            "16-byte units of posted data the receiver can hold [model choice]",
            Limits{256u, 2047u}},
      Field{"nonposted_header_credits", &LinkParams::nonposted_header_credits,
            "non-posted TLPs the receiver can hold [model choice]", Limits{1u, 127u}}};

  void check(Problems& problems) const {
    const auto r = rate.hundred_mega;
    if (r != 25 && r != 50 && r != 80 && r != 160 && r != 320) {
      problems.push_back({"rate", "must be one of 2.5GT/s, 5GT/s, 8GT/s, 16GT/s, 32GT/s"});
    }
    if (!std::has_single_bit(width)) problems.push_back({"width", "must be 1, 2, 4, 8 or 16"});
  }
};

struct RootPortParams {
  Picoseconds latency = 71'600_ps;
  unsigned read_completion_boundary = 64;
  unsigned completion_payload = 256;
  unsigned max_payload = 256;
  bool honor_no_snoop = true;
  bool ddio = true;
  unsigned ddio_ways = 0;

  static constexpr auto fields = std::tuple{
      Field{"latency", &RootPortParams::latency,
            "one way through the port's transaction layer and the fabric to the IOMMU [CAL-2]",
            Limits{0_ps, 100'000_ns}},
      Field{"read_completion_boundary", &RootPortParams::read_completion_boundary,
            "completions end on multiples of this many bytes: 64 or 128 (PCIe 2.3.1.1)",
            Limits{64u, 128u}},
      Field{"completion_payload", &RootPortParams::completion_payload,
            "largest payload of a completion that the port makes [B-02]", Limits{64u, 4096u}},
      Field{"max_payload", &RootPortParams::max_payload,
            "largest payload of a TLP in bytes: 128 to 4096 (PCIe 7.5.3.4) [P-01]",
            Limits{128u, 4096u}},
      Field{"honor_no_snoop", &RootPortParams::honor_no_snoop,
            "a No Snoop request may bypass the caches; if not, the port clears the attribute "
            "[platform-specific; model choice]"},
      Field{"ddio", &RootPortParams::ddio,
            "snooped writes may allocate in the last-level cache; else they go to memory [D-09]"},
      Field{
          "ddio_ways", &RootPortParams::ddio_ways,
          "ways that they may allocate in, the first ones; 0: those of the socket; of no effect if "
          "the socket's `cache.llc.ddio` is off [CAL-13]",
          Limits{0u, 32u}}};

  void check(Problems& problems) const {
    if (!std::has_single_bit(max_payload)) {
      problems.push_back({"max_payload", "must be a power of two from 128 to 4096"});
    }
    if (completion_payload > max_payload || completion_payload % read_completion_boundary != 0) {
      problems.push_back({"completion_payload",
                          fmt::format("must be a multiple of read_completion_boundary ({}) and at "
                                      "most max_payload ({})",
                                      read_completion_boundary, max_payload)});
    }
    if (!std::has_single_bit(read_completion_boundary)) {
      problems.push_back({"read_completion_boundary", "must be 64 or 128"});
    }
  }
};

struct EndpointParams {
  bool no_snoop = true;
  unsigned max_payload = 256;
  unsigned max_read_request = 512;
  bool extended_tag = true;
  unsigned posted_max = 64;

  static constexpr auto fields = std::tuple{
      Field{"no_snoop", &EndpointParams::no_snoop,
            "the function can send No Snoop requests; if not, Enable No Snoop in Device Control "
            "is hard-wired to 0 (PCIe 7.5.3.4)"},
      Field{"max_payload", &EndpointParams::max_payload,
            "largest payload in bytes that firmware programs: 128 to 4096 [P-01]",
            Limits{128u, 4096u}},
      Field{"max_read_request", &EndpointParams::max_read_request,
            "largest read request in bytes that firmware programs: 128 to 4096 [P-01]",
            Limits{128u, 4096u}},
      Field{"extended_tag", &EndpointParams::extended_tag, "256 tags instead of 32 (PCIe 2.2.6.2)"},
      Field{"posted_max", &EndpointParams::posted_max,
            "posted requests on their way that the function has room for [model choice]",
            Limits{1u, 4096u}}};

  void check(Problems& problems) const {
    if (!std::has_single_bit(max_payload)) {
      problems.push_back({"max_payload", "must be a power of two from 128 to 4096"});
    }
    if (!std::has_single_bit(max_read_request)) {
      problems.push_back({"max_read_request", "must be a power of two from 128 to 4096"});
    }
  }
};

}  // namespace ioasim::pcie
