// What must hold of every run, whatever the workload: listeners on the trace bus while it runs, and
// laws of conservation over the statistics when it has ended.
#pragma once

#include <map>
#include <set>

#include "cache/oracle.hpp"
#include "iommu/isolation.hpp"
#include "stats/registry.hpp"
#include "swarm/stage.hpp"
#include "trace/hash_sink.hpp"

namespace ioasim::test {

// A device sees stale memory only if its requests may bypass the caches and its driver is careless.
// A walk may see an entry that is being changed, if it is not snooped, until the call that changes
// it returns: that is what flushes are for.
class StaleReads final : public trace::Listener {
 public:
  explicit StaleReads(Stage& stage);
  void on(Picoseconds at, const trace::Event& event) override;

 private:
  bool allowed(const cache::StaleRead& stale) const;

  Stage& stage_;
  cache::Oracle oracle_;
  std::size_t judged_ = 0;
  bool walks_snooped_ = true;
  std::map<std::uint32_t, Picoseconds> in_call_;  // of each core, since when
};

// Counts of what passed, and that No Snoop comes only from where it may.
class Passages final : public trace::Listener {
 public:
  explicit Passages(Stage& stage);
  void on(Picoseconds at, const trace::Event& event) override;
  // After the end: everything that came in has gone out.
  void judge(const stats::Snapshot& stats);

 private:
  std::uint64_t value(const stats::Snapshot& stats, const std::string& path) const;
  void judge_devices(const stats::Snapshot& stats);
  void judge_units(const stats::Snapshot& stats);

  Stage& stage_;
  std::set<RequesterId> without_no_snoop_;
  std::map<trace::Hop, std::uint64_t> hops_;
  std::uint64_t accesses_ = 0;
  std::uint64_t recorded_ = 0;
  std::uint64_t overflows_ = 0;
};

class Checkers {
 public:
  explicit Checkers(Stage& stage);
  ~Checkers();
  // After the end, into the journal.
  void judge();
  const trace::HashSink& hash() const { return hash_; }

 private:
  std::vector<trace::Listener*> all() { return {&hash_, &stale_, &isolation_, &passages_}; }

  Stage& stage_;
  trace::HashSink hash_;
  StaleReads stale_;
  iommu::IsolationChecker isolation_;
  Passages passages_;
};

}  // namespace ioasim::test
