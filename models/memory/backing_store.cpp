#include "memory/backing_store.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace ioasim::memory {

BackingStore::BackingStore(Bytes capacity)
    : capacity_{capacity.count}, pieces_((capacity.count + piece_bytes - 1) / piece_bytes) {}

void BackingStore::read(Hpa address, std::span<std::byte> into) const {
  DCHECK(holds(address, into.size()));
  while (!into.empty()) {
    const auto offset = address.value % piece_bytes;
    const auto run = std::min<std::uint64_t>(into.size(), piece_bytes - offset);
    if (const auto& piece = pieces_[address.value / piece_bytes]) {
      std::memcpy(into.data(), piece.get() + offset, run);
    } else {
      std::memset(into.data(), 0, run);
    }
    into = into.subspan(run);
    address += run;
  }
}

void BackingStore::write(Hpa address, std::span<const std::byte> from) {
  DCHECK(holds(address, from.size()));
  while (!from.empty()) {
    const auto offset = address.value % piece_bytes;
    const auto run = std::min<std::uint64_t>(from.size(), piece_bytes - offset);
    auto& piece = pieces_[address.value / piece_bytes];
    if (!piece) piece = std::make_unique<std::byte[]>(piece_bytes);
    std::memcpy(piece.get() + offset, from.data(), run);
    from = from.subspan(run);
    address += run;
  }
}

}  // namespace ioasim::memory
