// Everything that can be observed: one struct per kind of event, each with its table of fields.
// Models emit them; sinks print or hash them; checkers (the oracle, isolation) judge by them.
// An event is emitted at the instant at which what it says takes effect, in the order of effects.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <variant>

#include "base/address.hpp"
#include "base/fields.hpp"
#include "base/time.hpp"

namespace ioasim::trace {

using Data = std::span<const std::byte>;

// Who reads or writes memory.
enum class Agent : std::uint8_t { core, device, walker, queue, debug };

// Where a copy of a line lies: main memory, the last-level cache of a socket, or the private caches
// of a core.
enum class Place : std::uint8_t { memory, llc, core };

// Where a TLP is, on its way from a device to memory and back.
enum class Hop : std::uint8_t {
  issued,           // the device has made the request: tag, attributes, payload
  sent,             // first bit on the link (credits taken, earlier TLPs gone)
  at_root_port,     // last bit received by the root port
  at_iommu,         // through the port's transaction layer, at the lookup
  translated,       // host address known (after a walk, if the IOTLB missed)
  at_memory,        // read or written: the point of serialisation
  data_ready,       // read: data back from cache or DRAM; write: accepted
  completion_sent,  // first bit of the first completion on the link
  completed,        // last bit of the last completion at the device
};

// The agent's number: core, requester id, or IOMMU.
struct MemoryRead {
  Agent agent;
  std::uint32_t who;
  Hpa address;
  Data data;  // what the reader got
  bool snooped;
  Place from = Place::memory;  // where the copy lay that the reader got
  std::uint32_t from_number = 0;
  static constexpr std::string_view name = "memory_read";
  static constexpr auto fields =
      std::tuple{Field{"agent", &MemoryRead::agent, "kind of reader"},
                 Field{"who", &MemoryRead::who, "core, requester id or IOMMU"},
                 Field{"address", &MemoryRead::address, "host physical address"},
                 Field{"data", &MemoryRead::data, "bytes that the reader got"},
                 Field{"snooped", &MemoryRead::snooped, "caches were looked at"},
                 Field{"from", &MemoryRead::from, "kind of place that answered"},
                 Field{"from_number", &MemoryRead::from_number, "core, or socket"}};
};

struct MemoryWrite {
  Agent agent;
  std::uint32_t who;
  Hpa address;
  Data data;
  bool snooped;
  Place to = Place::memory;  // where the bytes now are; memory too if they were written through
  std::uint32_t to_number = 0;
  static constexpr std::string_view name = "memory_write";
  static constexpr auto fields =
      std::tuple{Field{"agent", &MemoryWrite::agent, "kind of writer"},
                 Field{"who", &MemoryWrite::who, "core, requester id or IOMMU"},
                 Field{"address", &MemoryWrite::address, "host physical address"},
                 Field{"data", &MemoryWrite::data, "bytes written"},
                 Field{"snooped", &MemoryWrite::snooped, "caches were looked at"},
                 Field{"to", &MemoryWrite::to, "kind of place that holds them"},
                 Field{"to_number", &MemoryWrite::to_number, "core, or socket"}};
};

// A device's request has touched memory, by this translation.
struct DmaAccess {
  RequesterId requester;
  Pasid pasid;
  bool has_pasid;
  Iova iova;
  Hpa address;
  std::uint32_t bytes;
  bool write;
  bool no_snoop;
  bool snooped;
  static constexpr std::string_view name = "dma_access";
  static constexpr auto fields =
      std::tuple{Field{"requester", &DmaAccess::requester, "requester id"},
                 Field{"pasid", &DmaAccess::pasid, "PASID, if any"},
                 Field{"has_pasid", &DmaAccess::has_pasid, "the request carried a PASID"},
                 Field{"iova", &DmaAccess::iova, "address in the request"},
                 Field{"address", &DmaAccess::address, "host physical address"},
                 Field{"bytes", &DmaAccess::bytes, "length"},
                 Field{"write", &DmaAccess::write, "write, else read"},
                 Field{"no_snoop", &DmaAccess::no_snoop, "No Snoop attribute of the TLP"},
                 Field{"snooped", &DmaAccess::snooped, "caches were looked at"}};
};

struct TlpHop {
  std::uint64_t transaction;
  Hop hop;
  RequesterId requester;
  static constexpr std::string_view name = "tlp_hop";
  static constexpr auto fields =
      std::tuple{Field{"transaction", &TlpHop::transaction, "number of the request, from 1"},
                 Field{"hop", &TlpHop::hop, "where it is"},
                 Field{"requester", &TlpHop::requester, "requester id"}};
};

// The newest data of a line have moved: between caches, or to memory, where they take the place of
// all 64 bytes. A copy that is not newer than memory's is not announced.
struct LineMoved {
  Hpa address;
  Place from;
  std::uint32_t from_number;
  Place to;
  std::uint32_t to_number;
  static constexpr std::string_view name = "line_moved";
  static constexpr auto fields =
      std::tuple{Field{"address", &LineMoved::address, "line"},
                 Field{"from", &LineMoved::from, "kind of place"},
                 Field{"from_number", &LineMoved::from_number, "core, or socket"},
                 Field{"to", &LineMoved::to, "kind of place"},
                 Field{"to_number", &LineMoved::to_number, "core, or socket"}};
};

// A weakly ordered store of a core has entered one of its write-combining buffers; nobody sees it
// before the MemoryWrite that follows when the buffer is emptied.
struct StoreHeld {
  std::uint32_t core;
  Hpa address;
  Data data;
  static constexpr std::string_view name = "store_held";
  static constexpr auto fields =
      std::tuple{Field{"core", &StoreHeld::core, "core"},
                 Field{"address", &StoreHeld::address, "host physical address"},
                 Field{"data", &StoreHeld::data, "bytes that wait in a write-combining buffer"}};
};

// Instructions that take lines out of caches.
enum class Flush : std::uint8_t { clflush, clflushopt, clwb, wbinvd, wbnoinvd, invd };

// A flush of one line that need not take effect before later instructions of its core.
struct FlushHeld {
  std::uint32_t core;
  Hpa address;
  Flush instruction;
  static constexpr std::string_view name = "flush_held";
  static constexpr auto fields = std::tuple{
      Field{"core", &FlushHeld::core, "core"}, Field{"address", &FlushHeld::address, "line"},
      Field{"instruction", &FlushHeld::instruction, "kind of flush"}};
};

// A core has flushed one line out of the whole coherence domain.
struct LineFlushed {
  std::uint32_t core;
  Hpa address;
  Flush instruction;
  bool dirty;
  static constexpr std::string_view name = "line_flushed";
  static constexpr auto fields = std::tuple{
      Field{"core", &LineFlushed::core, "core"}, Field{"address", &LineFlushed::address, "line"},
      Field{"instruction", &LineFlushed::instruction, "kind of flush"},
      Field{"dirty", &LineFlushed::dirty, "it was written back"}};
};

// A core has emptied, or written back, whole caches.
struct CachesFlushed {
  std::uint32_t core;
  Flush instruction;
  std::uint64_t lines;
  std::uint64_t written_back;
  Picoseconds duration;
  static constexpr std::string_view name = "caches_flushed";
  static constexpr auto fields =
      std::tuple{Field{"core", &CachesFlushed::core, "core that executed the instruction"},
                 Field{"instruction", &CachesFlushed::instruction, "kind of flush"},
                 Field{"lines", &CachesFlushed::lines, "lines invalidated"},
                 Field{"written_back", &CachesFlushed::written_back, "lines written back"},
                 Field{"duration", &CachesFlushed::duration, "of the instruction"}};
};

// A line has been dropped with data that memory does not have (invd).
struct LineLost {
  Hpa address;
  Place from;
  std::uint32_t from_number;
  static constexpr std::string_view name = "line_lost";
  static constexpr auto fields = std::tuple{
      Field{"address", &LineLost::address, "line"}, Field{"from", &LineLost::from, "kind of place"},
      Field{"from_number", &LineLost::from_number, "core, or socket"}};
};

// A store of a core has gone to a device: what rings a doorbell. One that is weakly ordered has
// waited in a write-combining buffer since it was executed, and promises nothing about earlier
// ones; of any other, every earlier store to write-back memory is visible.
struct UncachedStore {
  std::uint32_t core;
  Hpa address;
  Picoseconds executed;
  static constexpr std::string_view name = "uncached_store";
  static constexpr auto fields =
      std::tuple{Field{"core", &UncachedStore::core, "core"},
                 Field{"address", &UncachedStore::address, "host physical address"},
                 Field{"executed", &UncachedStore::executed, "when the core executed it"}};
};

// A remapping unit has recorded a fault, or found no free record (overflow).
struct FaultRecorded {
  std::uint32_t iommu;
  RequesterId requester;
  std::uint8_t reason;
  Iova iova;
  bool write;
  bool overflow;
  static constexpr std::string_view name = "fault_recorded";
  static constexpr auto fields =
      std::tuple{Field{"iommu", &FaultRecorded::iommu, "unit"},
                 Field{"requester", &FaultRecorded::requester, "source id"},
                 Field{"reason", &FaultRecorded::reason, "fault reason (VT-d 7.2.3)"},
                 Field{"iova", &FaultRecorded::iova, "faulting page"},
                 Field{"write", &FaultRecorded::write, "write, else read"},
                 Field{"overflow", &FaultRecorded::overflow, "no record was free"}};
};

// Steps of a queued invalidation, in their order. The end, the status write, is a MemoryWrite of
// the queue.
enum class InvalidationStep : std::uint8_t {
  tail_written,  // the tail register has moved
  fetched,       // a descriptor has been read
  caches_cut,    // the named entries are gone
  drained,       // every request that might have used them has touched memory
};

struct Invalidation {
  std::uint32_t iommu;
  InvalidationStep step;
  std::uint8_t descriptor;
  static constexpr std::string_view name = "invalidation";
  static constexpr auto fields =
      std::tuple{Field{"iommu", &Invalidation::iommu, "unit"},
                 Field{"step", &Invalidation::step, "what has happened"},
                 Field{"descriptor", &Invalidation::descriptor, "type of the descriptor"}};
};

struct Interrupt {
  std::uint32_t core;
  std::uint8_t vector;
  static constexpr std::string_view name = "interrupt";
  static constexpr auto fields = std::tuple{Field{"core", &Interrupt::core, "core"},
                                            Field{"vector", &Interrupt::vector, "vector"}};
};

// What software means to be reachable: from MappingAdded to the InvalidationCompleted that
// follows MappingRemoved. `domain` numbers the kernel's I/O page tables.
struct MappingAdded {
  std::uint32_t domain;
  Range<Iova> iova;
  Hpa address;
  bool write;
  static constexpr std::string_view name = "mapping_added";
  static constexpr auto fields =
      std::tuple{Field{"domain", &MappingAdded::domain, "I/O page table"},
                 Field{"iova", &MappingAdded::iova, "addresses, contiguous in memory"},
                 Field{"address", &MappingAdded::address, "first host physical address"},
                 Field{"write", &MappingAdded::write, "writes are permitted"}};
};

struct MappingRemoved {
  std::uint32_t domain;
  Range<Iova> iova;
  static constexpr std::string_view name = "mapping_removed";
  static constexpr auto fields =
      std::tuple{Field{"domain", &MappingRemoved::domain, "I/O page table"},
                 Field{"iova", &MappingRemoved::iova, "addresses"}};
};

// Software has seen that every invalidation it had asked for is complete.
struct InvalidationCompleted {
  std::uint32_t domain;
  static constexpr std::string_view name = "invalidation_completed";
  static constexpr auto fields =
      std::tuple{Field{"domain", &InvalidationCompleted::domain, "I/O page table"}};
};

struct DomainAttached {
  std::uint32_t domain;
  RequesterId requester;
  static constexpr std::string_view name = "domain_attached";
  static constexpr auto fields =
      std::tuple{Field{"domain", &DomainAttached::domain, "I/O page table"},
                 Field{"requester", &DomainAttached::requester, "requester id"}};
};

// The requester's DMA is blocked from the InvalidationCompleted that follows.
struct DomainDetached {
  std::uint32_t domain;
  RequesterId requester;
  static constexpr std::string_view name = "domain_detached";
  static constexpr auto fields =
      std::tuple{Field{"domain", &DomainDetached::domain, "I/O page table"},
                 Field{"requester", &DomainDetached::requester, "requester id"}};
};

// A step of software that a timeline wants to show: the begin or end of a call, a phase in it.
struct Software {
  std::uint32_t core;
  std::string_view what;
  std::int64_t result;
  static constexpr std::string_view name = "software";
  static constexpr auto fields = std::tuple{
      Field{"core", &Software::core, "core"}, Field{"what", &Software::what, "call or phase"},
      Field{"result", &Software::result, "value or -errno; 0 where none"}};
};

using Event = std::variant<MemoryRead, MemoryWrite, DmaAccess, TlpHop, LineMoved, LineLost,
                           StoreHeld, FlushHeld, LineFlushed, CachesFlushed, UncachedStore,
                           FaultRecorded, Invalidation, Interrupt, MappingAdded, MappingRemoved,
                           InvalidationCompleted, DomainAttached, DomainDetached, Software>;

}  // namespace ioasim::trace
