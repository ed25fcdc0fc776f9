// Byte enables of a TLM-2.0 transaction, as runs of bytes that are written.
#pragma once

#include "sim/payload.hpp"

namespace ioasim::memory {

// Calls visit(offset, bytes) for each run of enabled bytes, in order. The enable pattern repeats
// over the data (IEEE 1666 14.15); without one all bytes are enabled.
template <class Visit>
void for_each_enabled_run(const sim::Transaction& transaction, Visit visit) {
  const std::uint64_t length = transaction.get_data_length();
  const auto* enables = transaction.get_byte_enable_ptr();
  if (enables == nullptr) {
    visit(std::uint64_t{0}, length);
    return;
  }
  const std::uint64_t period = transaction.get_byte_enable_length();
  const auto enabled = [&](std::uint64_t i) { return enables[i % period] == TLM_BYTE_ENABLED; };
  for (std::uint64_t begin = 0; begin < length;) {
    auto end = begin;
    while (end < length && enabled(end)) ++end;
    if (end > begin) visit(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace ioasim::memory
