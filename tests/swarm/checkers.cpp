#include "swarm/checkers.hpp"

#include <algorithm>

namespace ioasim::test {

// ---- stale reads ----

StaleReads::StaleReads(Stage& stage) : stage_{stage} {
  for (const auto& unit : stage.configuration.machine.iommus) {
    walks_snooped_ = walks_snooped_ && unit.params.coherent && unit.params.walk_coherent;
  }
}

void StaleReads::on(Picoseconds at, const trace::Event& event) {
  if (const auto* call = std::get_if<trace::Software>(&event)) {
    if (call->what.ends_with(".enter")) in_call_[call->core] = at;
    if (call->what.ends_with(".exit")) in_call_.erase(call->core);
  }
  oracle_.on(at, event);
  for (; judged_ < oracle_.stale_reads().size(); ++judged_) {
    const auto& stale = oracle_.stale_reads()[judged_];
    ++stage_.journal.did["stale read"];
    if (!allowed(stale)) stage_.journal.complain("oracle: {}", stale.text());
  }
}

bool StaleReads::allowed(const cache::StaleRead& stale) const {
  switch (stale.reader.agent) {
    case trace::Agent::core:
    case trace::Agent::device:
      return stage_.features.reckless && stage_.features.no_snoop &&
             stale.missing != cache::Missing::nothing;
    case trace::Agent::walker: {
      const auto call = in_call_.find(stale.writer.who);
      return !walks_snooped_ && stale.writer.agent == trace::Agent::core &&
             call != in_call_.end() && call->second <= stale.writer.at;
    }
    case trace::Agent::queue:
    case trace::Agent::debug:
      return false;
  }
  UNREACHABLE();
}

// ---- conservation ----

Passages::Passages(Stage& stage) : stage_{stage} {
  for (const auto& device : stage.configuration.machine.devices) {
    const auto& ports = stage.configuration.machine.root_ports;
    const auto port = std::find_if(ports.begin(), ports.end(),
                                   [&](const auto& one) { return one.name == device.port; });
    if (!device.params.function.no_snoop || !port->params.honor_no_snoop) {
      without_no_snoop_.insert(stage.world.machine().device_id(device.name));
    }
  }
}

void Passages::on(Picoseconds, const trace::Event& event) {
  if (const auto* hop = std::get_if<trace::TlpHop>(&event)) {
    ++hops_[hop->hop];
  } else if (const auto* access = std::get_if<trace::DmaAccess>(&event)) {
    ++accesses_;
    const bool strange = access->no_snoop && without_no_snoop_.contains(access->requester);
    if (strange || (!access->no_snoop && !access->snooped)) {
      stage_.journal.complain("a request of {:#x} bypasses the caches", access->requester.value);
    }
  } else if (const auto* fault = std::get_if<trace::FaultRecorded>(&event)) {
    ++(fault->overflow ? overflows_ : recorded_);
  }
}

std::uint64_t Passages::value(const stats::Snapshot& stats, const std::string& path) const {
  const auto at = std::find_if(stats.begin(), stats.end(),
                               [&](const stats::Reading& reading) { return reading.path == path; });
  CHECK(at != stats.end());
  if (const auto* sampled = std::get_if<stats::Distribution>(&at->value)) return sampled->count;
  return std::get<std::uint64_t>(at->value);
}

void Passages::judge(const stats::Snapshot& stats) {
  judge_devices(stats);
  judge_units(stats);
}

// Every request reaches the root port; every read is answered once.
void Passages::judge_devices(const stats::Snapshot& stats) {
  auto& journal = stage_.journal;
  std::uint64_t requests = 0;
  std::uint64_t reads = 0;
  for (const auto& device : stage_.configuration.machine.devices) {
    const auto of = [&](std::string_view name) {
      return value(stats, fmt::format("{}.function.{}", device.name, name));
    };
    const auto at_port = [&](std::string_view name) {
      return value(stats, fmt::format("{}.{}", device.port, name));
    };
    const auto posted = of("writes") + of("interrupts");
    if (of("read_ps") != of("reads")) {
      journal.complain("{}: {} reads, {} completed", device.name, of("reads"), of("read_ps"));
    }
    if (at_port("reads") != of("reads") || at_port("writes") != posted ||
        at_port("rejected") != 0) {
      journal.complain("{} sent {} reads and {} writes; {} and {} came to the port", device.name,
                       of("reads"), posted, at_port("reads"), at_port("writes"));
    }
    if (of("errors") > at_port("unsupported")) journal.complain("{}: errors", device.name);
    reads += of("reads");
    requests += of("reads") + posted;
  }
  for (const auto hop : {trace::Hop::issued, trace::Hop::sent, trace::Hop::at_root_port,
                         trace::Hop::at_iommu, trace::Hop::data_ready}) {
    if (hops_[hop] == requests) continue;
    journal.complain("{} of {} requests passed hop {}", hops_[hop], requests,
                     static_cast<unsigned>(hop));
  }
  if (hops_[trace::Hop::completed] != reads) {
    journal.complain("{} of {} reads completed", hops_[trace::Hop::completed], reads);
  }
}

// A request becomes an access to memory, a fault, or an interrupt. Each fault is told of, or
// counted as lost; what was recorded, software has seen.
void Passages::judge_units(const stats::Snapshot& stats) {
  auto& journal = stage_.journal;
  std::uint64_t requests = 0;
  std::uint64_t interrupts = 0;
  std::uint64_t faults = 0;
  std::uint64_t lost = 0;
  for (const auto& unit : stage_.configuration.machine.iommus) {
    const auto of = [&](std::string_view name) {
      return value(stats, fmt::format("{}.{}", unit.name, name));
    };
    requests += of("iommu_requests");
    interrupts += of("interrupts");
    faults += of("faults");
    lost += of("faults_lost");
    if (of("queue.errors") != 0) journal.complain("{}: errors of the queue", unit.name);
    if (of("iotlb_hit") > of("iotlb_lookup") || of("iotlb_lookup") > of("iommu_requests")) {
      journal.complain("{}: {} IOTLB lookups, {} hits, {} requests", unit.name, of("iotlb_lookup"),
                       of("iotlb_hit"), of("iommu_requests"));
    }
  }
  if (requests != hops_[trace::Hop::at_iommu] || requests != accesses_ + faults + interrupts) {
    journal.complain("{} requests: {} accesses, {} faults, {} interrupts", requests, accesses_,
                     faults, interrupts);
  }
  if (lost != overflows_ || recorded_ + lost > faults) {
    journal.complain("{} faults: {} recorded, {} lost, {} overflows", faults, recorded_, lost,
                     overflows_);
  }
  if (recorded_ != stage_.faults_handled) {
    journal.complain("{} faults recorded, {} seen by software", recorded_, stage_.faults_handled);
  }
  journal.did["fault"] += faults;
  journal.did["access"] += accesses_;
}

// ---- all ----

Checkers::Checkers(Stage& stage) : stage_{stage}, stale_{stage}, passages_{stage} {
  for (auto* listener : all()) stage_.world.listen(*listener);
}

Checkers::~Checkers() {
  for (auto* listener : all()) stage_.world.unlisten(*listener);
}

void Checkers::judge() {
  auto& machine = stage_.world.machine();
  for (const auto& violation : isolation_.violations()) {
    stage_.journal.complain("isolation: {}", violation);
  }
  if (machine.clock().pending() != 0) stage_.journal.complain("events are left");
  if (const auto waiting = machine.clock().waiting(); !waiting.empty()) {
    stage_.journal.complain("waits for ever: {}", waiting);
  }
  stats::Registry registry;
  machine.add_to(registry);
  passages_.judge(registry.read(stage_.world.now()));
}

}  // namespace ioasim::test
