// Address translation in time (VT-d 3.4, 3.7): the caches, and the walk that fills them through
// simulated memory.
//
// Models: context, PASID, non-leaf and page caches; structure reads one after the other, snooped
// as ECAP.C and PWSNP say; several walks at once, as many as there are walkers.
// Does not model: first stage, nesting, legacy mode, accessed and dirty bits, prefetch.
#pragma once

#include "iommu/memory_port.hpp"
#include "iommu/params.hpp"
#include "iommu/register_file.hpp"
#include "iommu/translation_caches.hpp"
#include "sim/credits.hpp"
#include "stats/counter.hpp"
#include "stats/histogram.hpp"

namespace ioasim::iommu {

// What a request asks of the unit.
struct Query {
  RequesterId source{};
  bool has_pasid = false;
  Pasid pasid{};
  Iova iova{};
  std::uint64_t generation = 0;  // of the caches when the walk began
};

// Why there is no translation, and whether Fault Processing Disable keeps it from being reported.
struct Failure {
  FaultReason reason = FaultReason::none;
  bool disabled = false;
};

// The answer: a page, or why there is none.
struct Answer {
  FaultReason fault = FaultReason::none;
  bool reported = true;  // Fault Processing Disable is not set, or does not apply
  Page page{};
};

// Names of the counters are those of VT-d's performance events.
struct TranslatorStats {
  stats::Counter ctxt_cache_lookup;
  stats::Counter ctxt_cache_hit;
  stats::Counter pasid_cache_lookup;
  stats::Counter pasid_cache_hit;
  stats::Counter iotlb_lookup;
  stats::Counter iotlb_hit;
  stats::Counter ss_nonleaf_lookup;
  stats::Counter ss_nonleaf_hit;
  stats::Counter iommu_mrds;
  stats::Histogram walk_ps;

  static constexpr auto fields = std::tuple{
      Field{"ctxt_cache_lookup", &TranslatorStats::ctxt_cache_lookup, "context cache lookups"},
      Field{"ctxt_cache_hit", &TranslatorStats::ctxt_cache_hit, "context cache hits"},
      Field{"pasid_cache_lookup", &TranslatorStats::pasid_cache_lookup, "PASID cache lookups"},
      Field{"pasid_cache_hit", &TranslatorStats::pasid_cache_hit, "PASID cache hits"},
      Field{"iotlb_lookup", &TranslatorStats::iotlb_lookup, "IOTLB lookups"},
      Field{"iotlb_hit", &TranslatorStats::iotlb_hit, "IOTLB hits"},
      Field{"ss_nonleaf_lookup", &TranslatorStats::ss_nonleaf_lookup, "non-leaf cache lookups"},
      Field{"ss_nonleaf_hit", &TranslatorStats::ss_nonleaf_hit, "non-leaf cache hits"},
      Field{"iommu_mrds", &TranslatorStats::iommu_mrds, "structure and table reads of memory"},
      Field{"walk_ps", &TranslatorStats::walk_ps, "from a miss to its translation or fault"}};
};

class Translator {
 public:
  using Stats = TranslatorStats;

  Translator(sim::Clockwork& clock, const std::string& path, const Params& params,
             const RegisterFile& registers, MemoryPort& memory);

  // Whether the caches have all it takes; `page` is then the translation.
  bool lookup(const Query& query, Page& page);
  // The whole way, through memory where caches do not know. What it reads is entered in the
  // caches unless an invalidation came in between.
  sim::Task<Answer> translate(Query query);

  // Each invalidation counts as a new generation: what an older walk read is not cached.
  std::uint64_t generation() const { return generation_; }
  TranslationCaches& invalidate() { return ++generation_, caches_; }

  const Stats& stats() const { return stats_; }

 private:
  sim::Task<Result<Page, Failure>> resolve(Query query);
  sim::Task<Result<Context, Failure>> find_context(Query query);
  sim::Task<Result<PasidContext, Failure>> find_pasid(Query query, Context context, Pasid pasid);
  sim::Task<Result<Page, FaultReason>> find_page(Query query, PasidContext pasid);
  // One structure read, with the walker's own time.
  sim::Task<bool> fetch(Hpa address, std::span<std::byte> into, bool snoop);
  static Page identity(const PasidContext& pasid, Iova iova);

  sim::Clockwork& clock_;
  const Params& params_;
  const RegisterFile& registers_;
  MemoryPort& memory_;
  TranslationCaches caches_;
  sim::Credits walkers_;
  std::uint64_t generation_ = 0;
  Stats stats_;
};

}  // namespace ioasim::iommu
