// The whole chain under load, and the chain from each of its stages on.
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "chain.hpp"
#include "measurement.hpp"
#include "workload.hpp"

namespace ioasim::bench {
namespace {

constexpr unsigned chain_devices = 4;
constexpr Picoseconds chain_gap = 64_ns;

// A function that streams.
class Streamer final : public pcie::Endpoint {
 public:
  Streamer(const sc_core::sc_module_name& name, Chain& chain, Meter& meter, Workload workload,
           unsigned number)
      : Endpoint{name,
                 chain.clock,
                 chain.bus,
                 pcie::EndpointParams{},
                 pcie::Assignment{.id = Chain::requester(number), .bar0 = Hpa{0xc000'0000}},
                 pcie::Identity{.vendor = 0x1af5, .device = 0x0020, .class_code = 0x08'80'00}},
        meter_{meter},
        requests_{workload, number} {}

  void start(Picoseconds at) { clock_.at<&Streamer::issue>(at, this); }

 private:
  std::uint64_t read_register(std::uint64_t, unsigned) override { return 0; }
  void write_register(std::uint64_t, unsigned, std::uint64_t) override {}

  void issue() {
    if (!meter_.issue()) return;
    const Request request = requests_.next();
    if (request.write) {
      CHECK(try_write(request.iova, std::span{data_}.first(request.bytes), {}));
      meter_.complete({});  // posted: done when it is handed to the link
    } else {
      fetch(request).start();
    }
    clock_.at<&Streamer::issue>(clock_.now() + chain_gap, this);
  }
  sim::Task<> fetch(Request request) {
    std::array<std::byte, 256> into;
    const auto status = co_await read(request.iova, std::span{into}.first(request.bytes), {});
    CHECK(status == pcie::CompletionStatus::successful);
    meter_.complete({});
  }

  Meter& meter_;
  Requests requests_;
  std::array<std::byte, 256> data_{};
};

Measurement run_chain(Workload workload, unsigned devices, std::uint64_t tlps) {
  Meter meter{tlps};
  Chain chain{"chain", devices, Depth::link};
  std::vector<std::unique_ptr<Streamer>> streamers;
  for (unsigned n = 0; n < devices; ++n) {
    streamers.push_back(
        std::make_unique<Streamer>(fmt::format("device{}", n).c_str(), chain, meter, workload, n));
    chain.plug_in(n, streamers[n]->upstream, streamers[n]->downstream);
  }
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  chain.set_up();
  chain.enable_translation();
  for (unsigned n = 0; n < devices; ++n) {
    chain.enable_function(n);
    streamers[n]->start(chain.clock.now() + 777_ps * n);
  }
  sc_core::sc_start();

  auto measurement = meter.result(chain.clock.events());
  stats::Histogram reads;
  for (const auto& streamer : streamers) reads += streamer->function_stats().read_ps;
  measurement.latency_ns = static_cast<double>(reads.mean()) / 1e3;
  const auto rate = [](const stats::Counter& part, const stats::Counter& other) {
    return static_cast<double>(part.n) / static_cast<double>(part.n + other.n);
  };
  const auto& iotlb = chain.iommu().translator_stats();
  measurement.iotlb_miss_rate = rate(iotlb.iotlb_lookup - iotlb.iotlb_hit, iotlb.iotlb_hit);
  measurement.llc_miss_rate =
      rate(chain.home().coherence_stats().llc_misses, chain.home().coherence_stats().llc_hits);
  CHECK(chain.iommu().stats().faults.n == 0);
  return measurement;
}

// A plain initiator: one event, one payload and one call for a request of 64 bytes.
class Source final : public sc_core::sc_module, public sim::Initiator {
 public:
  Source(const sc_core::sc_module_name& name, sim::Clockwork& clock, Meter& meter,
         Workload workload)
      : sc_module{name},
        target{"target", clock, *this, 0, sim::Binding::optional},
        clock_{clock},
        meter_{meter},
        requests_{workload, 0} {}

  sim::InitiatorSocket target;

  void start(Picoseconds at) { clock_.at<&Source::issue>(at, this); }
  void start_events(Picoseconds at) { clock_.at<&Source::tick>(at, this); }

 private:
  void tick() {
    if (!meter_.issue()) return;
    meter_.complete({});
    clock_.at<&Source::tick>(clock_.now() + chain_gap, this);
  }
  void issue() {
    if (!meter_.issue()) return;
    const auto now = clock_.now();
    auto& payload = pool_.take();
    payload.prepare(tlm::TLM_WRITE_COMMAND, requests_.next().iova.value, 64);
    auto& tlp = pcie::tlp_of(payload);
    tlp = pcie::Tlp{};
    tlp.kind = pcie::TlpKind::memory_write;
    tlp.requester = Chain::requester(0);
    if (const auto done = target.send(payload, now)) response(0, payload, *done);
    clock_.at<&Source::issue>(now + chain_gap, this);
  }
  void response(unsigned, sim::Transaction& transaction, Picoseconds) override {
    CHECK(transaction.is_response_ok());
    meter_.complete({});
    transaction.release();
  }

  sim::Clockwork& clock_;
  Meter& meter_;
  Requests requests_;
  sim::PayloadPool pool_;
};

// Answers at once.
class Sink final : public sc_core::sc_module, public sim::Target {
 public:
  Sink(const sc_core::sc_module_name& name, sim::Clockwork& clock)
      : sc_module{name}, source{"source", clock, *this} {}

  sim::TargetSocket source;

 private:
  std::optional<Picoseconds> request(unsigned, sim::Transaction& transaction,
                                     Picoseconds at) override {
    transaction.set_response_status(tlm::TLM_OK_RESPONSE);
    return at;
  }
  unsigned debug(unsigned, sim::Transaction&) override { return 0; }
};

Measurement run_events(std::uint64_t tlps) {
  Meter meter{tlps};
  sim::Clockwork clock{"clockwork"};
  Source source{"source", clock, meter, Workload::ring};
  for (unsigned n = 0; n < 16; ++n) source.start_events(3_ns * n);
  sc_core::sc_start();
  return meter.result(clock.events());
}

Measurement run_socket(std::uint64_t tlps) {
  Meter meter{tlps};
  sim::Clockwork clock{"clockwork"};
  Source source{"source", clock, meter, Workload::ring};
  Sink sink{"sink", clock};
  source.target.bind(sink.source);
  source.start({});
  sc_core::sc_start();
  return meter.result(clock.events());
}

Measurement run_from(Depth depth, bool translate, Workload workload, std::uint64_t tlps) {
  Meter meter{tlps};
  Chain chain{"chain", 1, depth};
  Source source{"source", chain.clock, meter, workload};
  Sink sink{"sink", chain.clock};
  if (depth == Depth::link) {
    chain.plug_in(0, source.target, sink.source);
  } else {
    source.target.bind(chain.entry());
  }
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  chain.set_up();
  if (translate) chain.enable_translation();
  source.start(chain.clock.now());
  sc_core::sc_start();
  return meter.result(chain.clock.events());
}

template <Depth depth, bool translate = true>
Measurement run_ring_from(std::uint64_t tlps) {
  return run_from(depth, translate, Workload::ring, tlps);
}

template <Workload workload, unsigned devices>
Measurement run_chain(std::uint64_t tlps) {
  return run_chain(workload, devices, tlps);
}

}  // namespace

std::vector<Subject> chain_subjects() {
  constexpr std::uint64_t many = 1'000'000;
  return {
      {"chain/write64", "the whole chain, 64-byte writes that hit in IOTLB and LLC", many,
       run_chain<Workload::ring, chain_devices>},
      {"chain/W0", "the whole chain, 256-byte writes", many,
       run_chain<Workload::stream, chain_devices>},
      {"chain/W2", "the whole chain, the mix", many, run_chain<Workload::mix, chain_devices>},
      {"stage/event", "an event", many, run_events},
      {"stage/socket", "an event, a payload, a call that is answered at once", many, run_socket},
      {"stage/dram", "the same, answered by DRAM", many, run_ring_from<Depth::dram, false>},
      {"stage/home", "from the home agent on, hits", many, run_ring_from<Depth::home, false>},
      {"stage/home_miss", "from the home agent on, misses that write a line back", many,
       [](std::uint64_t tlps) { return run_from(Depth::home, false, Workload::stream, tlps); }},
      {"stage/iommu_off", "from the IOMMU on, translation off", many,
       run_ring_from<Depth::iommu, false>},
      {"stage/iommu", "from the IOMMU on, IOTLB hits", many, run_ring_from<Depth::iommu>},
      {"stage/port", "from the root port on", many, run_ring_from<Depth::port>},
      {"stage/link", "from the link on", many, run_ring_from<Depth::link>},
      {"stage/endpoint", "from the endpoint on: the whole chain with one device", many,
       run_chain<Workload::ring, 1>}};
}

}  // namespace ioasim::bench
