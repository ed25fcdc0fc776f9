// One direction of a link: lanes that carry one packet after another.
//
// Models: serialisation at rate x width with the encoding's loss, propagation, DLLPs that the
// other direction's traffic calls for (an Ack and an UpdateFC per Ack latency limit), SKP ordered
// sets. A DLLP or SKP that falls into idle time costs nothing.
// Does not model: errors, replay, power states, flit mode.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/address.hpp"
#include "base/time.hpp"
#include "pcie/params.hpp"
#include "pcie/tlp.hpp"

namespace ioasim::pcie {

class Wire {
 public:
  struct Sent {
    Picoseconds first_bit;  // leaves the sender
    Picoseconds last_bit;   // reaches the receiver
  };

  Wire(const LinkParams& params, unsigned max_payload)
      : per_symbol_{symbol_time(params.rate)},
        width_{params.width},
        propagation_{params.propagation},
        ack_limit_{per_symbol_ * ack_limit_symbols(params, max_payload)},
        encoded_{params.rate.hundred_mega <= 50},
        rate_{params.rate.hundred_mega} {}

  // Sends `bytes`, which are ready at `at`, behind all that was sent before.
  Sent send(std::uint64_t bytes, Picoseconds at) {
    make_room(at);
    const auto start = std::max(at, free_at_);
    free_at_ = start + serialization(bytes);
    return {start, free_at_ + propagation_};
  }

  // A TLP has come in on the other direction: this one owes an Ack and an UpdateFC.
  void acknowledge(Picoseconds received) {
    if (ack_due_ == forever) ack_due_ = std::max(received, last_ack_) + ack_limit_;
  }

  Picoseconds serialization(std::uint64_t bytes) const {
    // bytes x 8 bits x (10/8 or 130/128) / (rate x width), rounded up to a picosecond.
    const std::uint64_t numerator = encoded_ ? 100'000 : 81'250;  // ps x 100 MT/s per byte
    const auto divisor = rate_ * width_;
    return Picoseconds{static_cast<std::int64_t>((bytes * numerator + divisor - 1) / divisor)};
  }
  Picoseconds propagation() const { return propagation_; }

 private:
  static constexpr std::int64_t skp_interval_symbols = 1538;
  static constexpr std::int64_t skp_symbols = 4;

  static Picoseconds symbol_time(TransferRate rate) {
    const std::uint64_t bits = rate.hundred_mega <= 50 ? 10 : 8;
    return Picoseconds{static_cast<std::int64_t>(bits * 10'000 / rate.hundred_mega)};
  }
  // PCIe 3.6.3.1: (MPS + 28) x factor / width + delay, in symbol times.
  static std::int64_t ack_limit_symbols(const LinkParams& params, unsigned max_payload) {
    const bool small = max_payload <= 256;
    const std::uint64_t tenths_of_factor = params.width >= 16  ? (small ? 30 : 20)
                                           : params.width >= 8 ? (small ? 25 : 10)
                                                               : (small ? 14 : 10);
    const std::int64_t delay = params.rate.hundred_mega == 25   ? 19
                               : params.rate.hundred_mega == 50 ? 70
                                                                : 115;
    return static_cast<std::int64_t>((max_payload + 28) * tenths_of_factor / 10 / params.width) +
           delay;
  }

  // Puts the DLLPs and SKPs on the wire that fall due before a packet ready at `at` could start.
  void make_room(Picoseconds at) {
    skip_idle_skps(at);
    for (;;) {
      const auto start = std::max(at, free_at_);
      const auto due = std::min(ack_due_, skp_due_);
      if (due > start) return;
      free_at_ = std::max(free_at_, due);
      if (due == skp_due_) {
        free_at_ += per_symbol_ * skp_symbols;
        skp_due_ += per_symbol_ * skp_interval_symbols;
      } else {
        last_ack_ = free_at_;
        free_at_ += serialization(2 * dllp_bytes);
        ack_due_ = forever;
      }
    }
  }

  // Those that began and ended while nothing was sent delay nobody.
  void skip_idle_skps(Picoseconds at) {
    const auto interval = per_symbol_ * skp_interval_symbols;
    const auto idle = at - per_symbol_ * skp_symbols - std::max(skp_due_, free_at_);
    if (idle >= interval) skp_due_ += interval * (idle / interval);
  }

  Picoseconds per_symbol_;
  std::uint64_t width_;
  Picoseconds propagation_;
  Picoseconds ack_limit_;
  bool encoded_;
  std::uint64_t rate_;
  Picoseconds free_at_{};
  Picoseconds ack_due_ = forever;
  Picoseconds last_ack_{};  // packets may be queued beyond now: an Ack covers what came before it
  Picoseconds skp_due_ = per_symbol_ * skp_interval_symbols;
};

}  // namespace ioasim::pcie
