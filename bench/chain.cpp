#include "chain.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "iommu/registers.hpp"
#include "workload.hpp"

namespace ioasim::bench {
namespace {

using iommu::Qword;
using Table = std::array<Qword, 512>;

// Where software would have put things.
constexpr Hpa root_table{0x10'0000};
constexpr Hpa context_table{0x11'0000};  // one for all buses: each has one function
constexpr Hpa pasid_directory{0x12'0000};
constexpr Hpa pasid_table{0x13'0000};
constexpr Hpa second_stage{0x20'0000};
constexpr Hpa leaf_tables{0x21'0000};
constexpr Hpa frames{0x1000'0000};
constexpr Hpa ecam{0xe000'0000};
constexpr Bytes capacity{1u << 30};

std::uint8_t bus_of(unsigned port) { return static_cast<std::uint8_t>(port + 1); }

iommu::Params iommu_params() {
  iommu::Params params;
  params.iotlb = {.entries = 512, .ways = 8};
  params.walkers = 8;
  return params;
}

template <class Socket, class... Arguments>
std::unique_ptr<Socket> socket(const std::string& name, Arguments&&... arguments) {
  return std::make_unique<Socket>(name.c_str(), std::forward<Arguments>(arguments)...);
}

}  // namespace

Chain::Chain(const sc_core::sc_module_name& name, unsigned ports, Depth depth)
    : sc_module{name}, depth_{depth}, memory_{"memory", clock, {.capacity = capacity}} {
  if (depth == Depth::dram) return;
  home_ = std::make_unique<cache::HomeAgent>("llc", clock, bus, cache::Params{}, cache::Topology{},
                                             std::vector<unsigned>(3),
                                             std::vector<Range<Hpa>>{{Hpa{0}, capacity.count}});
  home_->memory.bind(memory_.home);
  loader_ = socket<sim::InitiatorSocket>("loader", clock, *this);
  loader_->bind(home_->io(loader_port));
  if (depth == Depth::home) return;
  iommu_ = std::make_unique<iommu::Iommu>("iommu", clock, bus, iommu_params(), 0, ports);
  messages_ = socket<sim::TargetSocket>("messages", clock, *this);
  registers_ = socket<sim::InitiatorSocket>("registers", clock, *this);
  iommu_->memory.bind(home_->io(0));
  iommu_->walker().bind(home_->io(1));
  iommu_->interrupts.bind(*messages_);
  registers_->bind(iommu_->registers);
  if (depth == Depth::iommu) return;
  for (unsigned n = 0; n < ports; ++n) {
    const pcie::RootPortParams params;
    ports_.push_back(std::make_unique<pcie::RootPort>(
        fmt::format("port{}", n).c_str(), clock, params,
        pcie::PortAssignment{RequesterId::of(0, n + 1, 0), bus_of(n), ecam}));
    ports_[n]->iommu.bind(iommu_->port(n));
    if (depth == Depth::port) continue;
    links_.push_back(std::make_unique<pcie::Link>(fmt::format("link{}", n).c_str(), clock, bus,
                                                  pcie::LinkParams{}, params.max_payload,
                                                  params.latency));
    links_[n]->to_port.bind(ports_[n]->from_link);
    configuration_.push_back(
        socket<sim::InitiatorSocket>(fmt::format("configuration{}", n), clock, *this));
    configuration_[n]->bind(ports_[n]->lower_config);
  }
}

RequesterId Chain::requester(unsigned n) { return RequesterId::of(bus_of(n), 0, 0); }

sim::TargetSocket& Chain::entry() {
  switch (depth_) {
    case Depth::dram:
      return memory_.home;
    case Depth::home:
      return home_->io(0);
    case Depth::iommu:
      return iommu_->port(0);
    case Depth::port:
      return ports_[0]->from_link;
    case Depth::link:
      return links_[0]->from_device;
  }
  UNREACHABLE();
}

void Chain::plug_in(unsigned n, sim::InitiatorSocket& upstream, sim::TargetSocket& downstream) {
  upstream.bind(links_[n]->from_device);
  links_[n]->to_device.bind(downstream);
  ports_[n]->to_link.bind(links_[n]->from_port);
}

void Chain::set_up() {
  if (home_) {
    // Memory comes into being when it is first touched: not while time is taken.
    for (std::uint64_t at = 0; at < buffer_bytes; at += 2u << 20) {
      poke(*loader_, (frames + at).value, Qword{0});
    }
  }
  if (iommu_) {
    write_structures();
    write_second_stage();
  }
}

void Chain::enable_function(unsigned n) {
  namespace config = pcie::config;
  const auto command = config::memory_space::mask | config::bus_master::mask;
  const auto bus_base = ecam + bus_of(n) * 0x10'0000ull;
  poke(*configuration_[n], (bus_base + config::command).value, static_cast<std::uint16_t>(command));
}

void Chain::write_structures() {
  using R = iommu::RootEntry;
  using C = iommu::ContextEntry;
  using D = iommu::DirectoryEntry;
  using P = iommu::PasidEntry;
  for (unsigned n = 0; n < 4; ++n) {
    poke(*loader_, (root_table + bus_of(n) * R::bytes).value,
         Qword{R::present::mask | context_table.value});
  }
  poke(*loader_, context_table.value, Qword{C::present::mask | pasid_directory.value});
  poke(*loader_, pasid_directory.value, Qword{D::present::mask | pasid_table.value});
  constexpr std::uint64_t four_levels = 2;
  constexpr std::uint64_t domain = 1;
  const auto type = static_cast<Qword>(iommu::TranslationType::second_stage);
  const std::array<Qword, 2> pasid{
      P::present::mask | P::address_width::of(four_levels) | P::type::of(type) | second_stage.value,
      P::domain::of(domain) | P::walk_snoop::mask};
  poke(*loader_, pasid_table.value, std::span<const Qword>{pasid});
}

// Three tables lead to 128 leaf tables; pages lie scattered.
void Chain::write_second_stage() {
  using E = iommu::SecondStageEntry;
  constexpr auto rights = E::read::mask | E::write::mask;
  constexpr auto pages = buffer_bytes / page_bytes;
  const auto level3 = second_stage + page_bytes;
  const auto level2 = level3 + page_bytes;
  poke(*loader_, second_stage.value, Qword{rights | level3.value});
  poke(*loader_, level3.value, Qword{rights | level2.value});
  for (std::uint64_t n = 0; n < pages / 512; ++n) {
    const auto leaf = leaf_tables + n * page_bytes;
    const auto index = (buffers.value >> 21) + n;
    poke(*loader_, (level2 + index * E::bytes).value, Qword{rights | leaf.value});
    Table entries;
    for (std::uint64_t i = 0; i < entries.size(); ++i) {
      const auto frame = (n * 512 + i) * 40'503 % pages;
      entries[i] = rights | (frames + frame * page_bytes).value;
    }
    poke(*loader_, leaf.value, std::span<const Qword>{entries});
  }
}

void Chain::enable_translation() {
  namespace reg = iommu::reg;
  poke(*registers_, reg::root_table,
       Qword{root_table.value | reg::RootTable::mode::of(reg::RootTable::scalable)});
  poke(*registers_, reg::global_command,
       static_cast<std::uint32_t>(reg::GlobalCommand::set_root::mask |
                                  reg::GlobalCommand::translation::mask));
}

template <class Word>
void Chain::poke(sim::InitiatorSocket& socket, std::uint64_t address, std::span<const Word> words) {
  auto& payload = pool_.take();
  payload.prepare(tlm::TLM_WRITE_COMMAND, address, words.size_bytes());
  std::memcpy(payload.get_data_ptr(), words.data(), words.size_bytes());
  pcie::tlp_of(payload).kind = pcie::TlpKind::config_write;  // memory does not look at it
  CHECK(socket.debug(payload) == words.size_bytes());
  payload.release();
}

std::optional<Picoseconds> Chain::request(unsigned, sim::Transaction&, Picoseconds at) {
  return at;
}

}  // namespace ioasim::bench
