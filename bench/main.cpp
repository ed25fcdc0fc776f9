// ioasim_bench [--benchmark_...]: every benchmark, by Google Benchmark.
// ioasim_bench --measure NAME [--tlps N]: one run, in this process.
//
// SystemC holds one simulation a process, so an iteration of a benchmark is a child that runs the
// second form, and its time is the CPU time that the child took for its TLPs once it was warm. Two
// things follow: what is compared runs alternately, and a child can be put under a profiler as it
// is (instructions.sh).
//
// compare/* run both architectures of the simplified path alternately and print the ratio. The
// program fails if their mean simulated latencies differ, or if ours is not fast enough.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "measurement.hpp"
#include "sim/systemc.hpp"

namespace ioasim::bench {
namespace {

constexpr int rounds = 5;
constexpr double latency_tolerance = 0.005;
constexpr double ratio_wanted = 6;    // on the mix
constexpr double growth_allowed = 2;  // of an access, from 2 cores to 32

bool failed = false;

std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const auto& some :
       {textbook_subjects(), clockwork_subjects(), chain_subjects(), core_subjects()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

const Subject* find(std::string_view name) {
  static const auto all = subjects();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Subject& subject) { return subject.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// ---- the child ----

constexpr const char* line_format =
    "tlps %lu seconds %lf events %lf latency_ns %lf iotlb %lf llc %lf";

int measure(std::string_view name, std::uint64_t tlps) {
  const Subject* subject = find(name);
  if (subject == nullptr) {
    fmt::print(stderr, "ioasim_bench: no measurement is named {}; there are:\n", name);
    for (const auto& one : subjects()) fmt::print(stderr, "  {:<16} {}\n", one.name, one.doc);
    return 2;
  }
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
  const auto m = subject->run(tlps != 0 ? tlps : subject->tlps);
  fmt::print("tlps {} seconds {} events {} latency_ns {} iotlb {} llc {}\n", m.tlps, m.seconds,
             m.events, m.latency_ns, m.iotlb_miss_rate, m.llc_miss_rate);
  return 0;
}

// ---- the parent ----

std::optional<Measurement> run_child(const Subject& subject) {
  static const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
  const auto command = fmt::format("'{}' --measure {}", self, subject.name);
  std::FILE* const child = popen(command.c_str(), "r");
  if (child == nullptr) return std::nullopt;
  Measurement m;
  const int read = std::fscanf(child, line_format, &m.tlps, &m.seconds, &m.events, &m.latency_ns,
                               &m.iotlb_miss_rate, &m.llc_miss_rate);
  const int status = pclose(child);
  if (read != 6 || status != 0) return std::nullopt;
  return m;
}

void fail(benchmark::State& state, const std::string& why) {
  failed = true;
  state.SkipWithError(why.c_str());
}

void run_one(benchmark::State& state, const Subject& subject) {
  Measurement m;
  for (auto _ : state) {
    const auto measured = run_child(subject);
    if (!measured) return fail(state, "the child failed");
    m = *measured;
    state.SetIterationTime(m.seconds);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(m.tlps) * state.iterations());
  state.counters["events/TLP"] = m.events;
  if (m.latency_ns != 0) state.counters["latency_ns"] = m.latency_ns;
  if (m.iotlb_miss_rate != 0) state.counters["iotlb_miss"] = m.iotlb_miss_rate;
  if (m.llc_miss_rate != 0) state.counters["llc_miss"] = m.llc_miss_rate;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void run_ratio(benchmark::State& state, const std::string& workload, double wanted) {
  const Subject& textbook = *find("textbook/" + workload);
  const Subject& clockwork = *find("clockwork/" + workload);
  Measurement slow;
  Measurement fast;
  std::vector<double> ratios;
  for (auto _ : state) {
    const auto first = run_child(textbook);
    const auto second = run_child(clockwork);
    if (!first || !second) return fail(state, "a child failed");
    slow = *first;
    fast = *second;
    const auto cost = [](const Measurement& m) { return m.seconds / static_cast<double>(m.tlps); };
    ratios.push_back(cost(slow) / cost(fast));
    state.SetIterationTime(slow.seconds + fast.seconds);
  }
  const auto ratio = median(ratios);
  state.counters["ratio"] = ratio;
  state.counters["textbook_ns"] = slow.latency_ns;
  state.counters["clockwork_ns"] = fast.latency_ns;
  if (std::abs(fast.latency_ns / slow.latency_ns - 1) > latency_tolerance) {
    return fail(state, fmt::format("simulated latencies differ: {:.2f} ns and {:.2f} ns",
                                   slow.latency_ns, fast.latency_ns));
  }
  if (ratio < wanted) fail(state, fmt::format("ratio {:.2f}, wanted {:.2f}", ratio, wanted));
}

// How the cost of an access grows with cores.
void run_growth(benchmark::State& state) {
  std::vector<double> ratios;
  for (auto _ : state) {
    const auto few = run_child(*find("cores/2"));
    const auto many = run_child(*find("cores/32"));
    if (!few || !many) return fail(state, "a child failed");
    ratios.push_back(many->seconds / static_cast<double>(many->tlps) /
                     (few->seconds / static_cast<double>(few->tlps)));
    state.SetIterationTime(few->seconds + many->seconds);
  }
  const auto ratio = median(ratios);
  state.counters["ratio"] = ratio;
  if (ratio > growth_allowed) {
    fail(state, fmt::format("ratio {:.2f}, allowed {:.2f}", ratio, growth_allowed));
  }
}

int run_all(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const auto add = [](const std::string& name, auto body) {
    return benchmark::RegisterBenchmark(name.c_str(), body)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  };
  for (const auto& subject : subjects()) {
    const auto body = [subject](benchmark::State& state) { run_one(state, subject); };
    add(std::string{subject.name}, body)->Iterations(1);
  }
  for (const std::string workload : {"W0", "W2"}) {
    const double wanted = workload == "W2" ? ratio_wanted : 0;
    const auto body = [=](benchmark::State& state) { run_ratio(state, workload, wanted); };
    add("compare/" + workload, body)->Iterations(rounds);
  }
  add("compare/cores", run_growth)->Iterations(rounds);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return failed ? 1 : 0;
}

int run(int argc, char** argv) {
  std::string_view name;
  std::uint64_t tlps = 0;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--measure") == 0) name = argv[i + 1];
    if (std::strcmp(argv[i], "--tlps") == 0) tlps = std::strtoull(argv[i + 1], nullptr, 10);
  }
  return name.empty() ? run_all(argc, argv) : measure(name, tlps);
}

}  // namespace
}  // namespace ioasim::bench

int main(int argc, char** argv) { return ioasim::bench::run(argc, argv); }
