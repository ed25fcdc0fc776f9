// A copy engine: fetches a descriptor, reads its source, writes its target, interrupts.
//
// Models: descriptors in memory, chained or cyclic; bounded requests in flight; request issue rate;
// No Snoop per descriptor for source and target apart; MSI after the data; halt on an error. Does
// not model: scatter lists, completion records, several channels.
//
// Registers (BAR 0):
//   0x00  32  identity, read-only: 0x444d4101
//   0x08  64  address of the first descriptor
//   0x10  32  doorbell: any write starts at that descriptor; ignored while running
//   0x14  32  status: 0 idle, 1 running, 2 done, 3 halted on an error, with no request left in
//             flight; read-only
//   0x18  64  descriptors completed since reset; read-only
//   0x20  32  stop: any write ends a chain after the current descriptor, a cyclic one after its
//             current round
//   0x28  64  address that an error was met at; read-only
// Descriptor (32 bytes, little-endian): struct Descriptor.
#pragma once

#include <vector>

#include "devices/params.hpp"
#include "pcie/endpoint.hpp"

namespace ioasim::devices {

// The layout that a driver writes.
struct DmaDescriptor {
  std::uint64_t source = 0;  // I/O virtual addresses
  std::uint64_t target = 0;
  std::uint32_t bytes = 0;
  std::uint32_t flags = 0;
  std::uint64_t next = 0;  // the next descriptor, if `chain`

  static constexpr std::uint32_t source_no_snoop = 1u << 0;
  static constexpr std::uint32_t target_no_snoop = 1u << 1;
  static constexpr std::uint32_t interrupt = 1u << 2;
  static constexpr std::uint32_t chain = 1u << 3;
  static constexpr std::uint32_t cyclic = 1u << 4;  // over and over, until stopped
};
static_assert(sizeof(DmaDescriptor) == 32);

namespace dma_register {
inline constexpr std::uint64_t identity = 0x00;
inline constexpr std::uint64_t descriptor = 0x08;
inline constexpr std::uint64_t doorbell = 0x10;
inline constexpr std::uint64_t status = 0x14;
inline constexpr std::uint64_t completed = 0x18;
inline constexpr std::uint64_t stop = 0x20;
inline constexpr std::uint64_t error_address = 0x28;
}  // namespace dma_register

class DmaEngine final : public pcie::Endpoint {
 public:
  using Params = DmaEngineParams;
  enum class Status : std::uint32_t { idle, running, done, halted };

  struct Stats {
    stats::Counter descriptors;
    stats::Counter bytes;
    stats::Histogram copy_ps;

    static constexpr auto fields =
        std::tuple{Field{"descriptors", &Stats::descriptors, "descriptors completed"},
                   Field{"bytes", &Stats::bytes, "bytes copied"},
                   Field{"copy_ps", &Stats::copy_ps, "from descriptor fetch to the last write"}};
  };

  DmaEngine(const sc_core::sc_module_name& name, sim::Clockwork& clock, trace::Bus& bus,
            const Params& params, const pcie::Assignment& assignment);

  const Stats& stats() const { return engine_stats_; }

 private:
  // A piece of a copy that is read and written as one.
  struct Piece {
    Iova source;
    Iova target;
    std::uint64_t bytes;
    std::uint32_t flags;
  };

  std::uint64_t read_register(std::uint64_t offset, unsigned bytes) override;
  void write_register(std::uint64_t offset, unsigned bytes, std::uint64_t value) override;

  sim::Task<> run();
  sim::Task<> copy(DmaDescriptor descriptor);
  sim::Task<> copy_once(DmaDescriptor descriptor);
  sim::Task<> move(Piece piece);
  std::span<std::byte> take_buffer();
  void give_buffer(std::span<std::byte> buffer);
  void fail(Iova at);

  Params params_;
  Status status_ = Status::idle;
  Iova first_{};
  Iova error_address_{};
  std::uint64_t completed_ = 0;
  bool stop_ = false;
  bool failed_ = false;  // a request of the copy under way
  Picoseconds next_issue_{};
  sim::Credits requests_;
  sim::Pending pieces_;
  std::vector<std::vector<std::byte>> buffers_;  // one a request in flight
  std::vector<std::byte*> free_buffers_;
  Stats engine_stats_;
};

}  // namespace ioasim::devices
