// Context cache, PASID cache, IOTLB and the cache of non-leaf entries, with what each
// invalidation removes from them (VT-d 6.2, 6.5.2). Plain C++.
//
// Only present, fault-free entries are ever held (CAP.CM = 0).
#pragma once

#include "base/tag_array.hpp"
#include "iommu/params.hpp"
#include "iommu/structures.hpp"

namespace ioasim::iommu {

// A cached non-leaf entry: the table it points to, and the rights on the way to it.
struct NonLeaf {
  Hpa table{};
  Rights rights{};
  DomainId domain{};
  Iova iova{};
  unsigned level = 0;  // of the entry
};

// Pages [first, first + count) x 4 KiB.
struct PageRun {
  std::uint64_t first;
  std::uint64_t count;
  bool overlaps(std::uint64_t other_first, std::uint64_t other_count) const {
    return first < other_first + other_count && other_first < first + count;
  }
};

class TranslationCaches {
 public:
  explicit TranslationCaches(const Params& params)
      : contexts_{params.context_cache.entries, params.context_cache.ways},
        pasids_{params.pasid_cache.entries, params.pasid_cache.ways},
        iotlb_{params.iotlb.entries, params.iotlb.ways},
        nonleaf_{params.nonleaf.entries, params.nonleaf.ways} {}

  const Context* context(RequesterId id) { return contexts_.find(id.value); }
  void insert(const Context& context) { contexts_.insert(context.source.value, context); }

  const PasidContext* pasid(RequesterId id, Pasid pasid) {
    return pasids_.find(pasid_key(id, pasid));
  }
  void insert(RequesterId id, const PasidContext& context) {
    pasids_.insert(pasid_key(id, context.pasid), context);
  }

  const Page* page(DomainId domain, Iova iova) {
    if (!within_second_stage(iova, levels_max)) return nullptr;  // keys have no room for more
    for (const unsigned bits : {12u, 21u, 30u}) {
      if (bits != 12 && large_pages_ == 0) return nullptr;
      if (const Page* page = iotlb_.find(page_key(domain, iova, bits))) return page;
    }
    return nullptr;
  }
  void insert(const Page& page) {
    large_pages_ += page.bits != 12;
    iotlb_.insert(page_key(page.domain, page.iova, page.bits), page);
  }

  // The lowest cached entry on the way to `iova`, below `levels`.
  const NonLeaf* nonleaf(DomainId domain, Iova iova, unsigned levels) {
    if (!within_second_stage(iova, levels_max)) return nullptr;
    for (unsigned level = 2; level <= levels; ++level) {
      if (const auto* entry = nonleaf_.find(nonleaf_key(domain, iova, level))) return entry;
    }
    return nullptr;
  }
  void insert(const NonLeaf& entry) {
    nonleaf_.insert(nonleaf_key(entry.domain, entry.iova, entry.level), entry);
  }

  // Context-cache invalidation. Domain-selective widens to global: entries carry no domain in
  // scalable mode.
  void cut_contexts() {
    contexts_.erase_if([](const Context&) { return true; });
  }
  void cut_contexts(RequesterId source, std::uint16_t ignored_bits) {
    contexts_.erase_if([=](const Context& context) {
      return ((context.source.value ^ source.value) & ~ignored_bits) == 0;
    });
  }

  // PASID-cache invalidation: all, of a domain, one PASID of a domain.
  void cut_pasids() {
    pasids_.erase_if([](const PasidContext&) { return true; });
  }
  void cut_pasids(DomainId domain) {
    pasids_.erase_if([=](const PasidContext& held) { return held.domain == domain; });
  }
  void cut_pasids(DomainId domain, Pasid pasid) {
    pasids_.erase_if(
        [=](const PasidContext& held) { return held.domain == domain && held.pasid == pasid; });
  }

  // IOTLB invalidation: all, of a domain, pages of a domain. `keep_nonleaf` is the hint IH.
  void cut_pages() {
    iotlb_.erase_if([](const Page&) { return true; });
    nonleaf_.erase_if([](const NonLeaf&) { return true; });
    large_pages_ = 0;
  }
  void cut_pages(DomainId domain) {
    iotlb_.erase_if([=](const Page& page) { return page.domain == domain; });
    nonleaf_.erase_if([=](const NonLeaf& entry) { return entry.domain == domain; });
  }
  void cut_pages(DomainId domain, PageRun run, bool keep_nonleaf) {
    iotlb_.erase_if([=](const Page& page) {
      return page.domain == domain && run.overlaps(page.iova.page(), 1ull << (page.bits - 12));
    });
    if (keep_nonleaf) return;
    nonleaf_.erase_if([=](const NonLeaf& entry) {
      const auto pages = 1ull << (level_shift(entry.level) - 12);
      return entry.domain == domain && run.overlaps(entry.iova.page() & ~(pages - 1), pages);
    });
  }

 private:
  static constexpr unsigned levels_max = 5;

  // Low bits choose the set: PASIDs and requester ids both vary there.
  static std::uint64_t pasid_key(RequesterId id, Pasid pasid) {
    return std::uint64_t{id.value} << 20 | (pasid.value ^ id.value);
  }
  // 16 bits of domain, 45 of page, 2 of size; the domain is folded into the set's bits.
  static std::uint64_t page_key(DomainId domain, Iova iova, unsigned bits) {
    const auto number = iova.value >> bits;
    const auto size = std::uint64_t{(bits - 12) / 9};
    return size << 61 | std::uint64_t{domain.value} << 45 |
           ((number ^ domain.value) & ((1ull << 45) - 1));
  }
  static std::uint64_t nonleaf_key(DomainId domain, Iova iova, unsigned level) {
    const auto number = iova.value >> level_shift(level);
    return std::uint64_t{level} << 60 | std::uint64_t{domain.value} << 44 |
           ((number ^ domain.value) & ((1ull << 44) - 1));
  }

  AssociativeCache<Context> contexts_;
  AssociativeCache<PasidContext> pasids_;
  AssociativeCache<Page> iotlb_;
  AssociativeCache<NonLeaf> nonleaf_;
  std::uint64_t large_pages_ = 0;  // inserted since the last global cut
};

}  // namespace ioasim::iommu
