#include "scenarios/observers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace ioasim::scenarios {

// ---- HopRecorder ----

Picoseconds HopRecorder::Passage::end() const {
  const auto reached = std::find_if(at.rbegin(), at.rend(), [](const auto& t) { return t; });
  return **reached;
}

void HopRecorder::on(Picoseconds at, const trace::Event& event) {
  if (const auto* access = std::get_if<trace::DmaAccess>(&event)) {
    if (access->requester != device_) return;
    for (auto& passage : passages_) {
      if (passage.transaction == at_memory_) passage.access = *access;
    }
    return;
  }
  const auto* hop = std::get_if<trace::TlpHop>(&event);
  if (hop == nullptr || hop->requester != device_) return;
  auto passage = std::find_if(passages_.begin(), passages_.end(),
                              [&](const Passage& p) { return p.transaction == hop->transaction; });
  if (passage == passages_.end()) {
    passages_.push_back({.transaction = hop->transaction});
    passage = passages_.end() - 1;
  }
  passage->at[static_cast<std::size_t>(hop->hop)] = at;
  if (hop->hop == trace::Hop::at_memory) at_memory_ = hop->transaction;
}

namespace {

// What happens on the way to the hop.
std::string_view way_to(trace::Hop hop) {
  switch (hop) {
    case trace::Hop::issued:
      return "issued";
    case trace::Hop::sent:
      return "wait for the link";
    case trace::Hop::at_root_port:
      return "link up";
    case trace::Hop::at_iommu:
      return "root port, lookup";
    case trace::Hop::translated:
      return "walk";
    case trace::Hop::at_memory:
      return "order behind writes";
    case trace::Hop::data_ready:
      return "caches and memory";
    case trace::Hop::completion_sent:
      return "root port, return";
    case trace::Hop::completed:
      return "link down";
  }
  UNREACHABLE();
}

constexpr std::string_view step_names[] = {"",       "PTE store",        "flush",
                                           "submit", "descriptor fetch", "caches cut",
                                           "drain",  "status write",     "seen by CPU"};

}  // namespace

void HopRecorder::add_columns(Report& report) {
  report.column("request", "", "which request of the device");
  report.column("hop", "", "what it did or waited for");
  report.column("time", "ns", "how long that took");
}

Picoseconds HopRecorder::add_rows(Report& report, std::string_view request,
                                  const Passage& passage) {
  Picoseconds sum{};
  auto before = passage.begin();
  for (std::size_t hop = 1; hop < hops; ++hop) {
    if (!passage.at[hop]) continue;
    const auto time = *passage.at[hop] - before;
    const auto name = way_to(static_cast<trace::Hop>(hop));
    report.row(fmt::format("{}: {}", request, name),
               {{"request", request}, {"hop", name}, {"time", time}});
    sum += time;
    before = *passage.at[hop];
  }
  return sum;
}

// ---- InvalidationRecorder ----

void InvalidationRecorder::on(Picoseconds at_time, const trace::Event& event) {
  if (const auto* call = std::get_if<trace::Software>(&event)) {
    software(at_time, call->what);
  } else if (const auto* step = std::get_if<trace::Invalidation>(&event)) {
    hardware(at_time, *step);
  } else if (const auto* write = std::get_if<trace::MemoryWrite>(&event)) {
    if (write->agent == trace::Agent::queue) reach(status_written, at_time);
  } else if (const auto* access = std::get_if<trace::DmaAccess>(&event)) {
    if (access->iova.page() != page_.page()) return;
    ++(at[status_written] ? touched_after : touched_before);
  }
}

void InvalidationRecorder::software(Picoseconds at_time, std::string_view what) {
  if (what == "unmap.begin") reach(begin, at_time);
  if (what == "unmap.pte") reach(pte_stored, at_time);
  if (what == "unmap.flush") reach(flushed, at_time);
  if (what == "unmap.seen") reach(seen, at_time);
}

void InvalidationRecorder::hardware(Picoseconds at_time, const trace::Invalidation& step) {
  switch (step.step) {
    case trace::InvalidationStep::tail_written:
      return reach(submitted, at_time);
    case trace::InvalidationStep::fetched:
      return reach(fetched, at_time);
    case trace::InvalidationStep::caches_cut:
      return reach(caches_cut, at_time);
    case trace::InvalidationStep::drained:
      return reach(drained, at_time);
  }
}

bool InvalidationRecorder::complete() const {
  return std::all_of(at.begin(), at.end(), [](const auto& time) { return time.has_value(); });
}

void InvalidationRecorder::add_rows(Report& report) const {
  report.column("step", "", "what was done");
  report.column("time", "ns", "how long that took");
  for (std::size_t step = 1; step < steps; ++step) {
    const auto time = *at[step] - *at[step - 1];
    report.row(std::string{step_names[step]}, {{"step", step_names[step]}, {"time", time}});
  }
}

// The first time counts: further descriptors of the call come after.
void InvalidationRecorder::reach(Step step, Picoseconds at_time) {
  if (!at[step]) at[step] = at_time;
}

}  // namespace ioasim::scenarios
