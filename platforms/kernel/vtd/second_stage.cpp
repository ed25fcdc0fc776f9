#include "kernel/vtd/second_stage.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.hpp"
#include "kernel/vtd/formats.hpp"

namespace ioasim::kernel::vtd {
namespace {

constexpr std::uint64_t entries_per_line = line_bytes / 8;

unsigned index(Iova iova, unsigned level) {
  return static_cast<unsigned>(iova.value / paging::span(level) % paging::entries);
}
Hpa entry_at(Hpa table, unsigned index) { return table + index * 8u; }

// Bytes from `iova` to the end of the entry that covers it.
std::uint64_t rest_of_entry(Iova iova, unsigned level) {
  return paging::span(level) - iova.value % paging::span(level);
}

}  // namespace

int SecondStage::create(cpu::Instructions& cpu) {
  const auto table = runtime_.frames.allocate(cpu, Frames::Content::zero);
  if (!table) return -ENOMEM;
  root_ = *table;
  flush(cpu, {root_, page_bytes});
  return 0;
}

void SecondStage::flush(cpu::Instructions& cpu, Range<Hpa> bytes) const {
  if (format_.coherent) return;
  for (Hpa line = bytes.base.line_base(); line < bytes.end(); line += line_bytes) cpu.clflush(line);
}

void SecondStage::stop_relying_on_snoops(cpu::Instructions& cpu) {
  if (!format_.coherent) return;
  std::vector<Hpa> tables;
  collect_tables(cpu, tables);
  format_.coherent = false;
  for (const Hpa table : tables) flush(cpu, {table, page_bytes});
}

int SecondStage::map(cpu::Instructions& cpu, Iova iova, Range<Hpa> memory, Protection protection) {
  CHECK(root_.value != 0);
  CHECK(iova.page_offset() == 0 && memory.base.page_offset() == 0);
  CHECK(memory.bytes > 0 && memory.bytes % page_bytes == 0);
  std::uint64_t bits = 0;
  if (protection.read) bits |= paging::read;
  if (protection.write) bits |= paging::write;
  if (format_.snoop) bits |= paging::snoop;
  return map_level(cpu, root_, format_.levels, {iova, memory.base, memory.bytes, bits});
}

int SecondStage::map_level(cpu::Instructions& cpu, Hpa table, unsigned level, const Run& run) {
  if (level == 1) {
    store_leaves(cpu, table, level, run);
    return 0;
  }
  const auto span = paging::span(level);
  for (std::uint64_t done = 0; done < run.bytes;) {
    const Iova iova = run.iova + done;
    const Hpa memory = run.memory + done;
    const auto bytes = std::min(run.bytes - done, rest_of_entry(iova, level));
    const Hpa entry = entry_at(table, index(iova, level));
    const auto word = cpu.load<std::uint64_t>(entry);
    const bool whole = bytes == span && memory.value % span == 0;
    if (level <= format_.leaf_max && whole && !paging::is_present(word)) {
      store_leaves(cpu, table, level, {iova, memory, bytes, run.bits | paging::large});
    } else {
      const auto child = descend(cpu, entry, word);
      if (!child) return -ENOMEM;
      const int result = map_level(cpu, *child, level - 1, {iova, memory, bytes, run.bits});
      if (result != 0) return result;
    }
    done += bytes;
  }
  return 0;
}

// The table below an entry, which is made if there is none. Hardware sees it empty before it sees
// the entry that leads there.
std::optional<Hpa> SecondStage::descend(cpu::Instructions& cpu, Hpa entry, std::uint64_t word) {
  if (paging::is_present(word)) {
    CHECK((word & paging::large) == 0);  // mappings do not overlap
    return Hpa{word & paging::address};
  }
  const auto table = runtime_.frames.allocate(cpu, Frames::Content::zero);
  if (!table) return std::nullopt;
  flush(cpu, {*table, page_bytes});
  cpu.execute(runtime_.params.entry_update);
  cpu.store<std::uint64_t>(entry, table->value | paging::read | paging::write);
  flush(cpu, {entry, 8});
  return table;
}

void SecondStage::store_leaves(cpu::Instructions& cpu, Hpa table, unsigned level, const Run& run) {
  const auto span = paging::span(level);
  unsigned at = index(run.iova, level);
  for (std::uint64_t done = 0; done < run.bytes;) {
    std::array<std::uint64_t, entries_per_line> words;
    std::size_t count = 0;
    do {
      words[count++] = (run.memory.value + done) | run.bits;
      done += span;
    } while (done < run.bytes && (at + count) % entries_per_line != 0);
    cpu.execute(runtime_.params.entry_update * static_cast<std::int64_t>(count));
    cpu.store(entry_at(table, at), std::as_bytes(std::span{words}.first(count)));
    flush(cpu, {entry_at(table, at), count * 8});
    at += static_cast<unsigned>(count);
  }
}

void SecondStage::unmap(cpu::Instructions& cpu, Range<Iova> range, Gather& gather) {
  CHECK(range.bytes > 0);
  unmap_level(cpu, root_, format_.levels, range, gather);
}

// Linux: dma_pte_clear_level(). A table whose whole reach goes is cut off at the entry above,
// and its own entries are not touched.
void SecondStage::unmap_level(cpu::Instructions& cpu, Hpa table, unsigned level, Range<Iova> range,
                              Gather& gather) {
  static constexpr std::array<std::uint64_t, entries_per_line> zeros{};
  const auto span = paging::span(level);
  const auto note = [&](Hpa entry) {
    if (!format_.coherent && (gather.lines.empty() || gather.lines.back() != entry.line_base())) {
      gather.lines.push_back(entry.line_base());
    }
  };
  for (std::uint64_t done = 0; done < range.bytes;) {
    const Iova iova = range.base + done;
    const unsigned at = index(iova, level);
    const Hpa entry = entry_at(table, at);
    if (level == 1) {
      const auto left = (range.bytes - done) / span;
      const auto count = std::min<std::uint64_t>(left, entries_per_line - at % entries_per_line);
      cpu.execute(runtime_.params.entry_update * static_cast<std::int64_t>(count));
      cpu.store(entry, std::as_bytes(std::span{zeros}.first(count)));
      note(entry);
      gather.entries += count;
      done += count * span;
      continue;
    }
    const auto bytes = std::min(range.bytes - done, rest_of_entry(iova, level));
    const auto word = cpu.load<std::uint64_t>(entry);
    const Hpa child{word & paging::address};
    done += bytes;
    if (!paging::is_present(word)) continue;
    if (bytes < span) {
      CHECK((word & paging::large) == 0);  // mappings are unmapped whole
      unmap_level(cpu, child, level - 1, {iova, bytes}, gather);
      continue;
    }
    cpu.execute(runtime_.params.entry_update);
    cpu.store<std::uint64_t>(entry, 0);
    note(entry);
    ++gather.entries;
    if ((word & paging::large) == 0) collect(cpu, child, level - 1, gather.tables);
  }
}

void SecondStage::collect_tables(cpu::Instructions& cpu, std::vector<Hpa>& tables) const {
  collect(cpu, root_, format_.levels, tables);
}

void SecondStage::collect(cpu::Instructions& cpu, Hpa table, unsigned level,
                          std::vector<Hpa>& tables) const {
  for (unsigned at = 0; level > 1 && at < paging::entries; ++at) {
    const auto word = cpu.load<std::uint64_t>(entry_at(table, at));
    if (!paging::is_present(word) || (word & paging::large) != 0) continue;
    collect(cpu, Hpa{word & paging::address}, level - 1, tables);
  }
  tables.push_back(table);
}

}  // namespace ioasim::kernel::vtd
