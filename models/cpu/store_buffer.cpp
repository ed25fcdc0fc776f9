#include "cpu/store_buffer.hpp"

#include <algorithm>

namespace ioasim::cpu {

void StoreBuffer::push(std::uint64_t line, std::uint64_t offset, std::span<const std::byte> bytes) {
  CHECK(!bytes.empty() && offset + bytes.size() <= line_bytes);
  Entry& entry = append(line);
  entry.offset = static_cast<std::uint8_t>(offset);
  entry.bytes = static_cast<std::uint8_t>(bytes.size());
  std::ranges::copy(bytes, entry.data.begin());
  ++stores_[line % stores_.size()];
}

void StoreBuffer::push_flush(std::uint64_t line, bool keep) {
  Entry& entry = append(line);
  entry.offset = 0;
  entry.bytes = 0;
  entry.keep = keep;
}

void StoreBuffer::pop() {
  CHECK(!empty());
  const Entry& entry = oldest();
  if (!entry.flush()) --stores_[entry.line % stores_.size()];
  first_ = place(1);
  --count_;
}

StoreBuffer::Entry& StoreBuffer::append(std::uint64_t line) {
  CHECK(!full());
  Entry& entry = entries_[place(count_)];
  ++count_;
  entry.line = line;
  entry.claimed = false;
  return entry;
}

StoreBuffer::Forward StoreBuffer::search(std::uint64_t line, std::uint64_t offset,
                                         std::span<std::byte> into) const {
  for (auto n = count_; n-- > 0;) {
    const Entry& entry = at(n);
    if (!entry.overlaps(line, offset, into.size())) continue;
    if (!entry.holds(offset, into.size())) return Forward::partial;
    const auto* from = entry.data.data() + (offset - entry.offset);
    std::copy_n(from, into.size(), into.begin());
    return Forward::whole;
  }
  return Forward::none;
}

}  // namespace ioasim::cpu
