#include "iommu/translator.hpp"

#include <array>

namespace ioasim::iommu {
namespace {

template <std::size_t N>
std::span<std::byte> bytes_of(std::array<Qword, N>& words) {
  return std::as_writable_bytes(std::span{words});
}

}  // namespace

Translator::Translator(sim::Clockwork& clock, const std::string& path, const Params& params,
                       const RegisterFile& registers, MemoryPort& memory)
    : clock_{clock},
      params_{params},
      registers_{registers},
      memory_{memory},
      caches_{params},
      walkers_{clock, path + ".walkers", params.walkers} {}

bool Translator::lookup(const Query& query, Page& page) {
  ++stats_.ctxt_cache_lookup;
  const Context* const context = caches_.context(query.source);
  if (context == nullptr) return false;
  ++stats_.ctxt_cache_hit;
  const auto effective = effective_pasid(*context, query.has_pasid, query.pasid);
  if (!effective) return false;
  ++stats_.pasid_cache_lookup;
  const PasidContext* const pasid = caches_.pasid(query.source, *effective);
  if (pasid == nullptr) return false;
  ++stats_.pasid_cache_hit;
  if (pasid->type == TranslationType::pass_through) {
    page = identity(*pasid, query.iova);
    return true;
  }
  if (!within_second_stage(query.iova, pasid->levels)) return false;
  ++stats_.iotlb_lookup;
  const Page* const held = caches_.page(pasid->domain, query.iova);
  if (held == nullptr) return false;
  ++stats_.iotlb_hit;
  page = *held;
  return true;
}

// VT-d 3.4.3 to 3.7: context entry, PASID entry, second stage.
sim::Task<Answer> Translator::translate(Query query) {
  const auto begin = clock_.now();
  co_await walkers_.take();
  query.generation = generation_;
  Answer answer;
  const auto page = co_await resolve(query);
  if (page) {
    answer.page = *page;
  } else {
    answer.fault = page.error().reason;
    answer.reported = !page.error().disabled || always_reported(page.error().reason);
  }
  walkers_.give();
  stats_.walk_ps.sample(static_cast<std::uint64_t>((clock_.now() - begin).count()));
  co_return answer;
}

sim::Task<Result<Page, Failure>> Translator::resolve(Query query) {
  using Found = Result<Page, Failure>;
  const auto context = co_await find_context(query);
  if (!context) co_return Found{context.error()};
  const auto effective = effective_pasid(*context, query.has_pasid, query.pasid);
  if (!effective) co_return Found{Failure{effective.error(), context->fault_disable}};
  const auto pasid = co_await find_pasid(query, *context, *effective);
  if (!pasid) co_return Found{pasid.error()};
  const auto page = co_await find_page(query, *pasid);
  if (!page) {
    co_return Found{Failure{page.error(), context->fault_disable || pasid->fault_disable}};
  }
  co_return Found{*page};
}

sim::Task<bool> Translator::fetch(Hpa address, std::span<std::byte> into, bool snoop) {
  ++stats_.iommu_mrds;
  co_await sim::Delay{clock_, params_.walk_step};
  co_return co_await memory_.read(trace::Agent::walker, address, into, snoop);
}

sim::Task<Result<Context, Failure>> Translator::find_context(Query query) {
  using Found = Result<Context, Failure>;
  const auto fail = [](FaultReason reason) { return Found{Failure{reason, false}}; };
  if (const auto* cached = caches_.context(query.source)) co_return Found{*cached};
  if (!registers_.scalable_root()) co_return fail(FaultReason::root_table_address);
  std::array<Qword, 2> root{};
  const auto root_address = root_entry_address(registers_.root(), query.source);
  if (!co_await fetch(root_address, bytes_of(root), params_.coherent)) {
    co_return fail(FaultReason::root_entry_access);
  }
  const auto context_address = context_entry_address(root, query.source);
  if (!context_address) co_return fail(context_address.error());
  std::array<Qword, 4> entry{};
  if (!co_await fetch(*context_address, bytes_of(entry), params_.coherent)) {
    co_return fail(FaultReason::context_entry_access);
  }
  const auto context = decode_context(entry, params_, query.source);
  if (!context) {
    // Fault Processing Disable counts even if the entry is not present.
    co_return Found{Failure{context.error(), ContextEntry::fault_disable::test(entry[0])}};
  }
  if (query.generation == generation_) caches_.insert(*context);
  co_return Found{*context};
}

sim::Task<Result<PasidContext, Failure>> Translator::find_pasid(Query query, Context context,
                                                                Pasid pasid) {
  using Found = Result<PasidContext, Failure>;
  bool disabled = context.fault_disable;
  if (const auto* cached = caches_.pasid(query.source, pasid)) co_return Found{*cached};
  std::array<Qword, 1> directory{};
  const auto directory_address = directory_entry_address(context, pasid);
  if (!co_await fetch(directory_address, bytes_of(directory), params_.coherent)) {
    co_return Found{Failure{FaultReason::pasid_directory_access, disabled}};
  }
  disabled = disabled || DirectoryEntry::fault_disable::test(directory[0]);
  const auto entry_address = pasid_entry_address(directory[0], pasid);
  if (!entry_address) co_return Found{Failure{entry_address.error(), disabled}};
  std::array<Qword, 8> entry{};
  if (!co_await fetch(*entry_address, bytes_of(entry), params_.coherent)) {
    co_return Found{Failure{FaultReason::pasid_entry_access, disabled}};
  }
  const auto decoded = decode_pasid(entry, params_, pasid);
  if (!decoded) {
    disabled = disabled || PasidEntry::fault_disable::test(entry[0]);
    co_return Found{Failure{decoded.error(), disabled}};
  }
  if (query.generation == generation_) caches_.insert(query.source, *decoded);
  co_return Found{*decoded};
}

sim::Task<Result<Page, FaultReason>> Translator::find_page(Query query, PasidContext pasid) {
  using Found = Result<Page, FaultReason>;
  if (pasid.type == TranslationType::pass_through) co_return Found{identity(pasid, query.iova)};
  if (!within_second_stage(query.iova, pasid.levels)) {
    co_return Found{FaultReason::second_stage_width};
  }
  if (const Page* cached = caches_.page(pasid.domain, query.iova)) co_return Found{*cached};
  Hpa table = pasid.second_stage;
  Rights rights;
  unsigned level = pasid.levels;
  ++stats_.ss_nonleaf_lookup;
  if (const auto* known = caches_.nonleaf(pasid.domain, query.iova, pasid.levels)) {
    ++stats_.ss_nonleaf_hit;
    table = known->table;
    rights = known->rights;
    level = known->level - 1;
  }
  for (;; --level) {
    std::array<Qword, 1> entry{};
    const auto address = second_stage_entry_address(table, query.iova, level);
    if (!co_await fetch(address, bytes_of(entry), pasid.walk_snoop)) {
      co_return Found{level == pasid.levels ? FaultReason::second_stage_pointer
                                            : FaultReason::second_stage_access};
    }
    const auto step = decode_second_stage(entry[0], level, query.iova, rights, pasid, params_);
    if (!step) co_return Found{step.error()};
    if (step->leaf) {
      if (query.generation == generation_) caches_.insert(step->page);
      co_return Found{step->page};
    }
    table = step->table;
    rights = step->rights;
    if (query.generation == generation_) {
      caches_.insert({.table = table,
                      .rights = rights,
                      .domain = pasid.domain,
                      .iova = query.iova,
                      .level = level});
    }
  }
}

Page Translator::identity(const PasidContext& pasid, Iova iova) {
  return {.base = Hpa{iova.page_base().value},
          .read = true,
          .write = true,
          .snoop = pasid.page_snoop,
          .domain = pasid.domain,
          .iova = iova.page_base()};
}

}  // namespace ioasim::iommu
