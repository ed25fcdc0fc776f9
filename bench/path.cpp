#include "path.hpp"

namespace ioasim::bench {
namespace {

constexpr std::uint64_t entries_per_table = 512;
constexpr std::uint64_t present = 1;

std::uint64_t index_at(Iova iova, unsigned level) {
  return iova.value >> (12 + 9 * (level - 1)) & (entries_per_table - 1);
}

}  // namespace

// Pages lie scattered over as much memory as there are buffers. Entries above the last level hold
// the place of the next table in `table_`, times 4096, as if it were its address.
Path::Path() : table_(entries_per_table) {
  constexpr auto pages = buffer_bytes / page_bytes;
  for (std::uint64_t page = 0; page < pages; ++page) {
    const Iova iova = buffers + page * page_bytes;
    std::uint64_t table = 0;
    for (unsigned level = levels; level > 1; --level) {
      const auto entry = table + index_at(iova, level);
      if (table_[entry] == 0) {
        table_[entry] = table_.size() * page_bytes | present;
        table_.resize(table_.size() + entries_per_table);
      }
      table = table_[entry] / page_bytes;
    }
    table_[table + index_at(iova, 1)] = page * 40'503 % pages * page_bytes | present;
  }
}

Path::Translation Path::translate(unsigned device, Iova iova, Picoseconds at) {
  ++iotlb_lookups_;
  const auto known = at + lookup;
  const auto key = iova.page() | std::uint64_t{device} << 52;
  if (const Page* page = iotlb_.find(key)) {
    const auto ready = std::max(known, page->ready);
    return {page->base + iova.page_offset(), ready, ready == known};
  }
  ++iotlb_misses_;
  auto& walker = *std::min_element(walker_free_.begin(), walker_free_.end());
  const Page page = walk(iova, std::max(known, walker));
  walker = page.ready;
  iotlb_.insert(key, page);
  return {page.base + iova.page_offset(), page.ready, false};
}

Path::Page Path::walk(Iova iova, Picoseconds at) {
  std::uint64_t table = 0;
  for (unsigned level = levels;; --level) {
    const auto entry = table + index_at(iova, level);
    at = access_line((tables + entry * sizeof(std::uint64_t)).line(), false, at);
    if (level == 1) return {Hpa{table_[entry] & ~(page_bytes - 1)}, at};
    table = table_[entry] / page_bytes;
  }
}

Picoseconds Path::access(Hpa address, std::uint64_t bytes, bool write, Picoseconds at) {
  auto done = at;
  for (auto line = address.line(); line <= (address + (bytes - 1)).line(); ++line) {
    done = std::max(done, access_line(line, write, at));
  }
  return done;
}

Picoseconds Path::access_line(std::uint64_t line, bool write, Picoseconds at) {
  ++llc_lookups_;
  const auto known = at + llc_latency;
  auto slot = llc_.find(line);
  if (slot != TagArray::none) {
    llc_.touch(slot);
    if (write) dirty_[slot] = true;
    return known;
  }
  ++llc_misses_;
  slot = llc_.victim(line);
  if (dirty_[slot]) access_dram(llc_.key(slot), known);
  llc_.fill(slot, line);
  dirty_[slot] = write;
  return write ? known : access_dram(line, known);
}

Picoseconds Path::access_dram(std::uint64_t line, Picoseconds at) {
  auto& channel = channel_free_[(line ^ line >> 8 ^ line >> 16) % channel_free_.size()];
  const auto start = std::max(at, channel);
  channel = start + dram_line;
  return start + dram_latency + dram_line;
}

}  // namespace ioasim::bench
