#include "swarm/torture/program_order.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ioasim::test::torture {

void ProgramOrder::complain(const std::string& what, Hpa address) {
  complaints_.add(fmt::format("core {} at {:#x}: {}", core_, address.value, what));
}

// ---- stores ----

void ProgramOrder::store(Hpa address, trace::Data data) {
  while (!data.empty()) {
    const auto bytes = std::min<std::size_t>(line_bytes - address.value % line_bytes, data.size());
    stores_.push_back(
        {address, {data.begin(), data.begin() + static_cast<std::ptrdiff_t>(bytes)}, ++age_});
    data = data.subspan(bytes);
    address += bytes;
  }
}

void ProgramOrder::store_around(Hpa address, trace::Data data) {
  ++age_;
  for (std::size_t i = 0; i < data.size(); ++i) around_.push_back({address + i, data[i], age_});
}

bool ProgramOrder::waits(Hpa address, std::byte value) const {
  return std::ranges::any_of(
      around_, [&](const Around& byte) { return byte.address == address && byte.value == value; });
}

bool ProgramOrder::waits(std::uint64_t line, std::uint64_t age) const {
  return std::ranges::any_of(stores_, [&](const Store& store) {
    return store.address.line() == line && store.age <= age;
  });
}

void ProgramOrder::fenced() {
  if (!stores_.empty()) complain("a store is not visible after a fence", stores_.front().address);
  if (!around_.empty()) {
    complain("a weakly ordered store is not visible after a fence", around_.front().address);
  }
}

void ProgramOrder::wrote(Hpa address, trace::Data data, trace::Place to) {
  if (locked_) {
    for (std::size_t i = 0; i < data.size(); ++i) {
      const auto at = address + i - address_;
      if (at >= bytes_ || was_written_[at]) {
        return complain("a locked operation wrote what it should not", address + i);
      }
      was_written_[at] = true;
      written_[at] = data[i];
    }
    return;
  }
  if (wrote_oldest(address, data, to) || wrote_around(address, data)) return;
  complain("a write that is not the oldest store of the program", address);
}

bool ProgramOrder::wrote_oldest(Hpa address, trace::Data data, trace::Place to) {
  if (stores_.empty() || to != trace::Place::core) return false;
  const Store& oldest = stores_.front();
  if (oldest.address != address || !std::ranges::equal(oldest.data, data)) return false;
  for (const Around& byte : around_) {
    if (byte.age < oldest.age && oldest.overlaps(byte.address, 1)) {
      complain("a store passes an older one to the same byte", byte.address);
    }
  }
  stores_.pop_front();
  return true;
}

// A byte that was stored again before its buffer left is written once.
bool ProgramOrder::wrote_around(Hpa address, trace::Data data) {
  std::vector<std::uint64_t> upto(data.size(), 0);
  for (const Around& byte : around_) {
    const auto at = byte.address - address;
    if (at < data.size() && byte.value == data[at]) upto[at] = byte.age;
  }
  if (std::ranges::find(upto, 0u) != upto.end()) return false;
  std::erase_if(around_, [&](const Around& byte) {
    const auto at = byte.address - address;
    return at < data.size() && byte.age <= upto[at];
  });
  for (const Store& store : stores_) {
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (store.age < upto[i] && store.overlaps(address + i, 1)) {
        complain("a weakly ordered store passes an older one to the same byte", address + i);
      }
    }
  }
  return true;
}

// ---- loads and locked operations ----

void ProgramOrder::begin_load(Hpa address, std::uint64_t bytes) {
  address_ = address;
  bytes_ = bytes;
  read_.assign(bytes, {});
  was_read_.assign(bytes, false);
  forwarded_.assign(bytes, {});
  may_forward_.assign(bytes, false);
  for (const Store& store : stores_) {
    if (!store.overlaps(address, bytes)) continue;
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto at = address + i - store.address;
      if (at >= store.data.size()) continue;
      forwarded_[i] = store.data[at];
      may_forward_[i] = true;
    }
  }
}

void ProgramOrder::end_load(trace::Data got) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (was_read_[i]) {
      if (got[i] != read_[i]) complain("a load returns what it did not read", address_ + i);
    } else if (!may_forward_[i]) {
      complain("a load returns a byte that it neither read nor had stored", address_ + i);
    } else if (got[i] != forwarded_[i]) {
      complain("a load does not return the core's own newest store", address_ + i);
    }
  }
  bytes_ = 0;
}

void ProgramOrder::begin_locked(Hpa address, std::uint64_t bytes) {
  begin_load(address, bytes);
  locked_ = false;  // until earlier stores are visible, which the operation sees to
  locked_at_ = 0;
  was_written_.assign(bytes, false);
  written_.assign(bytes, {});
}

void ProgramOrder::end_locked(std::uint64_t old, std::uint64_t stored) {
  for (std::size_t i = 0; i < bytes_; ++i) {
    const auto byte = [&](std::uint64_t value) { return static_cast<std::byte>(value >> 8 * i); };
    if (!was_read_[i] || read_[i] != byte(old)) {
      complain("a locked operation returns what it did not read", address_ + i);
    }
    if (!was_written_[i] || written_[i] != byte(stored)) {
      complain("a locked operation does not store what it should", address_ + i);
    }
  }
  locked_ = false;
  bytes_ = 0;
  was_written_.clear();
  fenced();
}

void ProgramOrder::read(Hpa address, trace::Data data, std::uint64_t event) {
  for (const Store& store : stores_) {
    if (store.overlaps(address, data.size())) complain("a load passes an older store", address);
  }
  for (const Around& byte : around_) {
    if (byte.address - address < data.size()) complain("a load passes an older store", address);
  }
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto at = address + i - address_;
    if (at >= bytes_ || was_read_[at]) {
      return complain("a read that no load asked for", address + i);
    }
    was_read_[at] = true;
    read_[at] = data[i];
  }
  if (was_written_.empty()) return;  // no locked operation
  locked_ = true;
  if (locked_at_ == 0) locked_at_ = event;
}

}  // namespace ioasim::test::torture
