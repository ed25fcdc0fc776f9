#include "swarm/random_machine.hpp"

#include <fmt/format.h>

#include "support/random_params.hpp"

namespace ioasim::test {
namespace {

constexpr unsigned line = line_bytes;

unsigned pick(Prng& random, std::initializer_list<unsigned> values) {
  return values.begin()[random.between(0, values.size() - 1)];
}

void randomise_caches(cache::Params& caches, Prng& random) {
  randomise(caches, random);
  auto& l1d = caches.l1d;
  auto& l2 = caches.l2;
  auto& llc = caches.llc;
  constexpr std::array protocols{cache::Protocol::mesi, cache::Protocol::mesif,
                                 cache::Protocol::moesi};
  caches.protocol = protocols[random.between(0, protocols.size() - 1)];
  for (auto* replacement : {&l1d.replacement, &l2.replacement, &llc.replacement}) {
    *replacement = static_cast<Replacement>(random.between(0, 3));
  }
  l1d.ways = power_of_two(random, 1, 8);
  l1d.capacity = {std::uint64_t{line} * l1d.ways * power_of_two(random, 8, 64)};
  l2.ways = power_of_two(random, 1, 8);
  l2.capacity = {std::uint64_t{line} * l2.ways * power_of_two(random, 8, 256)};
  llc.ways = pick(random, {2, 4, 11, 16, 20});
  llc.slices = pick(random, {1, 2, 3, 8, 18});
  llc.capacity = {std::uint64_t{line} * llc.ways * llc.slices * power_of_two(random, 512, 1024)};
  llc.misses = pick(random, {1, 2, 8, 32});
  caches.filter.ways = power_of_two(random, 1, 16);
  caches.filter.covers = {std::uint64_t{line} * caches.filter.ways *
                          power_of_two(random, 64, 1024)};
  caches.home.write_buffers = pick(random, {1, 3, 64});
  constexpr std::array snoops{cache::SocketSnoop::directory, cache::SocketSnoop::broadcast};
  caches.home.snoop = snoops[random.between(0, 1)];
  llc.ddio_ways = static_cast<unsigned>(random.between(1, llc.ways));
}

void randomise_cache(iommu::CacheParams& cache, Prng& random) {
  cache.ways = pick(random, {1, 2, 3, 4, 8});
  cache.entries = cache.ways * power_of_two(random, 1, 32);
}

void randomise_iommu(iommu::Params& unit, Prng& random) {
  randomise(unit, random);
  unit.address_bits = pick(random, {39, 48, 48, 57});
  unit.domains = pick(random, {16, 256, 65536});
  for (auto* cache : {&unit.iotlb, &unit.nonleaf, &unit.context_cache, &unit.pasid_cache}) {
    randomise_cache(*cache, random);
  }
  unit.walkers = power_of_two(random, 1, 8);
  unit.fault_records = power_of_two(random, 1, 16);
}

void randomise_port(machine::RootPort& port, Prng& random) {
  randomise(port.params, random);
  port.params.max_payload = power_of_two(random, 128, 1024);
  port.params.read_completion_boundary = pick(random, {64, 128});
  port.params.completion_payload = power_of_two(random, 128, port.params.max_payload);
  auto& link = port.link;
  randomise(link, random);
  link.rate = TransferRate{pick(random, {25, 50, 80, 160, 320})};
  link.width = power_of_two(random, 1, 16);
  link.posted_header_credits = pick(random, {1, 2, 5, 64, 127});
  link.posted_data_credits = pick(random, {256, 300, 1024, 2047});
  link.nonposted_header_credits = pick(random, {1, 2, 5, 64, 127});
}

void randomise_device(machine::Device& device, const machine::RootPort& port, Prng& random) {
  randomise(device.params, random);
  auto& function = device.params.function;
  function.max_payload = power_of_two(random, 128, port.params.max_payload);
  function.max_read_request = power_of_two(random, 128, 4096);
  device.params.requests_max = pick(random, {1, 2, 7, 32, 64});
}

void randomise_kernel(kernel::Params& kernel, Prng& random) {
  const auto timeout = kernel.hardware_timeout;
  randomise(kernel, random);
  kernel.hardware_timeout = timeout;
  kernel.spin_pause = std::max(kernel.spin_pause, Picoseconds{2_ns});
  kernel.lock_retry = std::max(kernel.lock_retry, Picoseconds{5_ns});
  kernel.dma_no_snoop = !random.one_in(4);
  kernel.queue_order = static_cast<unsigned>(random.between(0, 2));
  kernel.fault_check_polls = pick(random, {1, 3, 100});
}

machine::Description random_machine(Prng& random) {
  machine::Description machine{.name = "swarm", .summary = "drawn from a seed"};
  machine.cores = static_cast<unsigned>(random.between(1, 4));
  machine.sockets = machine.cores % 2 == 0 ? pick(random, {1, 2, machine.cores}) : 1;
  randomise(machine.cpu, random);
  machine.cpu.fill_buffers = pick(random, {1, 2, 10, 16});
  machine.cpu.store_buffer = pick(random, {1, 2, 42});
  machine.cpu.write_combining_buffers = pick(random, {1, 4});
  machine.cpu.clock = Frequency{1'000'000ull * pick(random, {500, 2200, 2201, 5000})};
  randomise_caches(machine.cache, random);
  randomise(machine.memory, random);
  machine.memory.capacity = Bytes{std::uint64_t{pick(random, {64, 256, 4096})} << 20};
  machine.memory.channels = pick(random, {1, 2, 3, 4});
  const auto units = random.between(1, 2);
  for (unsigned n = 0; n < units; ++n) {
    auto& unit = machine.iommus.emplace_back(machine::Iommu{.name = fmt::format("iommu{}", n)});
    unit.socket = static_cast<unsigned>(random.between(0, machine.sockets - 1));
    randomise_iommu(unit.params, random);
  }
  const auto ports = random.between(1, 3);
  for (unsigned n = 0; n < ports; ++n) {
    auto& port = machine.root_ports.emplace_back(
        machine::RootPort{.name = fmt::format("port{}", n),
                          .iommu = fmt::format("iommu{}", random.between(0, units - 1))});
    randomise_port(port, random);
    if (n > 0 && random.one_in(6)) continue;  // nothing is plugged in
    auto& device = machine.devices.emplace_back(
        machine::Device{.name = fmt::format("dma{}", n), .port = port.name});
    randomise_device(device, port, random);
  }
  return machine;
}

}  // namespace

scenarios::Configuration random_configuration(std::uint64_t seed) {
  Prng random{seed, "machine"};
  scenarios::Configuration configuration{.machine = random_machine(random)};
  randomise_kernel(configuration.kernel, random);
  configuration.seed = seed;
  config::check(scenarios::tree(configuration), config::Origins{{.file = "swarm"}});
  return configuration;
}

}  // namespace ioasim::test
