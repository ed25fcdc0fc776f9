#include "iommu/invalidation_queue.hpp"

namespace ioasim::iommu {
namespace {

using D = Descriptor;

Qword type_of(Qword first) { return D::type_high::get(first) << 4 | D::type_low::get(first); }

DomainId domain_of(Qword first) { return {static_cast<std::uint16_t>(D::domain::get(first))}; }

Pasid pasid_of(Qword first) { return {static_cast<std::uint32_t>(D::pasid::get(first))}; }

// Bits that must be zero in a descriptor's first two qwords.
struct Reserved {
  Qword first;
  Qword second;
};

Reserved reserved_bits(DescriptorType type) {
  switch (type) {
    case DescriptorType::context_cache:
      return {0xfffc'0000'0000'f1c0, ~0ull};
    case DescriptorType::iotlb:
      return {0xffff'ffff'0000'f100, 0xf80};
    case DescriptorType::wait:
      return {0xffff'f180 & 0xffff'ffff, 0x3};
    case DescriptorType::pasid_iotlb:
      return {0xfff0'0000'0000'f1c0, 0xf80};
    case DescriptorType::pasid_cache:
      return {0xfff0'0000'0000'f1c0, ~0ull};
  }
  UNREACHABLE();
}

bool known(Qword type) {
  switch (static_cast<DescriptorType>(type)) {
    case DescriptorType::context_cache:
    case DescriptorType::iotlb:
    case DescriptorType::wait:
    case DescriptorType::pasid_iotlb:
    case DescriptorType::pasid_cache:
      return true;
  }
  return false;
}

// Largest AM (CAP.MAMV) of this unit.
constexpr Qword address_mask_max = 18;

}  // namespace

InvalidationQueue::InvalidationQueue(sim::Clockwork& clock, trace::Bus& bus, std::uint32_t unit,
                                     const Params& params, RegisterFile& registers,
                                     Translator& translator, MemoryPort& memory, Drain& drain,
                                     std::function<void(Message)> send)
    : clock_{clock},
      bus_{bus},
      unit_{unit},
      params_{params},
      registers_{registers},
      translator_{translator},
      memory_{memory},
      drain_{drain},
      send_{std::move(send)} {}

void InvalidationQueue::wake() {
  if (!registers_.queue_running()) return;
  TRACE(bus_, clock_.now(), trace::Invalidation{unit_, trace::InvalidationStep::tail_written, 0});
  if (at_work_) return;
  at_work_ = true;
  run().start();
}

sim::Task<> InvalidationQueue::run() {
  while (registers_.queue_running() && registers_.head() != registers_.tail()) {
    const auto switched = registers_.queue_switched();
    const auto error = co_await step();
    // Switched off meanwhile, and perhaps on again: the head is at the start.
    if (switched != registers_.queue_switched()) continue;
    if (error != reg::QueueError::none) {
      stop(error);
      break;
    }
    registers_.advance_head();
  }
  at_work_ = false;
}

// One descriptor: fetch, verify, execute. The head stays on one that is bad.
sim::Task<reg::QueueError> InvalidationQueue::step() {
  const auto bytes = registers_.descriptor_bytes();
  if (registers_.tail() >= registers_.queue_bytes() || registers_.tail() % bytes != 0) {
    co_return reg::QueueError::bad_tail;
  }
  Words words{};
  const auto into = std::as_writable_bytes(std::span{words}).first(bytes);
  const auto address = registers_.queue_base() + registers_.head();
  if (!co_await memory_.read(trace::Agent::queue, address, into, true)) {
    co_return reg::QueueError::fetch;
  }
  note(trace::InvalidationStep::fetched, words);
  co_await sim::Delay{clock_, params_.descriptor};
  if (const auto error = check(words); error != reg::QueueError::none) co_return error;
  ++stats_.descriptors;
  co_await execute(words);
  co_return reg::QueueError::none;
}

reg::QueueError InvalidationQueue::check(const Words& words) const {
  const auto type = type_of(words[0]);
  if (!known(type)) return reg::QueueError::bad_type;
  const auto descriptor = static_cast<DescriptorType>(type);
  const bool needs_256 =
      descriptor == DescriptorType::pasid_iotlb || descriptor == DescriptorType::pasid_cache;
  if (needs_256 && registers_.descriptor_bytes() != 32) return reg::QueueError::bad_type;
  const auto reserved = reserved_bits(descriptor);
  const bool stray = (words[0] & reserved.first) != 0 || (words[1] & reserved.second) != 0 ||
                     words[2] != 0 || words[3] != 0;
  const bool has_mask =
      descriptor == DescriptorType::iotlb || descriptor == DescriptorType::pasid_iotlb;
  const bool too_wide = has_mask && D::address_mask::get(words[1]) > address_mask_max;
  const bool silent_wait = descriptor == DescriptorType::wait && !D::status_write::test(words[0]) &&
                           !D::interrupt_flag::test(words[0]);
  const auto granularity = D::granularity::get(words[0]);
  const bool no_granularity =
      ((descriptor == DescriptorType::iotlb || descriptor == DescriptorType::context_cache) &&
       granularity == 0) ||
      (descriptor == DescriptorType::pasid_cache && granularity == 2) ||
      (descriptor == DescriptorType::pasid_iotlb && granularity < 2);
  return stray || too_wide || silent_wait || no_granularity ? reg::QueueError::reserved_field
                                                            : reg::QueueError::none;
}

sim::Task<> InvalidationQueue::execute(Words words) {
  if (static_cast<DescriptorType>(type_of(words[0])) == DescriptorType::wait) {
    co_await complete_wait(words);
    co_return;
  }
  const auto begin = clock_.now();
  cut(words);
  note(trace::InvalidationStep::caches_cut, words);
  co_await drain_.wait();
  note(trace::InvalidationStep::drained, words);
  if (static_cast<DescriptorType>(type_of(words[0])) == DescriptorType::iotlb) {
    stats_.inv_iotlb_ps.sample(static_cast<std::uint64_t>((clock_.now() - begin).count()));
  }
}

void InvalidationQueue::cut(const Words& words) {
  switch (static_cast<DescriptorType>(type_of(words[0]))) {
    case DescriptorType::context_cache:
      return cut_contexts(words);
    case DescriptorType::pasid_cache:
      return cut_pasids(words);
    case DescriptorType::iotlb:
    case DescriptorType::pasid_iotlb:
      return cut_pages(words);
    case DescriptorType::wait:
      break;
  }
  UNREACHABLE();
}

void InvalidationQueue::cut_contexts(const Words& words) {
  constexpr Qword device_selective = 3;
  if (D::granularity::get(words[0]) != device_selective) {
    translator_.invalidate().cut_contexts();
    return;
  }
  // FM: 1 ignores function bit 2, 2 bits 2:1, 3 bits 2:0.
  static constexpr std::uint16_t ignored[] = {0b000, 0b100, 0b110, 0b111};
  const RequesterId source{static_cast<std::uint16_t>(D::source::get(words[0]))};
  translator_.invalidate().cut_contexts(source, ignored[D::function_mask::get(words[0])]);
}

void InvalidationQueue::cut_pasids(const Words& words) {
  constexpr Qword domain_selective = 0;
  constexpr Qword pasid_selective = 1;
  auto& caches = translator_.invalidate();
  switch (D::granularity::get(words[0])) {
    case domain_selective:
      return caches.cut_pasids(domain_of(words[0]));
    case pasid_selective:
      return caches.cut_pasids(domain_of(words[0]), pasid_of(words[0]));
    default:
      return caches.cut_pasids();
  }
}

// Second-stage translations carry a domain and no PASID, so a PASID-IOTLB descriptor finds none.
void InvalidationQueue::cut_pages(const Words& words) {
  auto& caches = translator_.invalidate();
  if (static_cast<DescriptorType>(type_of(words[0])) == DescriptorType::pasid_iotlb) return;
  constexpr Qword domain_selective = 2;
  constexpr Qword page_selective = 3;
  const auto domain = domain_of(words[0]);
  switch (D::granularity::get(words[0])) {
    case domain_selective:
      return caches.cut_pages(domain);
    case page_selective: {
      const auto pages = 1ull << D::address_mask::get(words[1]);
      const auto first = D::address::get(words[1]) & ~(pages - 1);
      return caches.cut_pages(domain, {first, pages}, D::hint::test(words[1]));
    }
    default:
      return caches.cut_pages();
  }
}

// Everything before it has taken effect: descriptors are carried out one at a time.
sim::Task<> InvalidationQueue::complete_wait(Words words) {
  ++stats_.waits;
  if (D::status_write::test(words[0])) {
    std::array<std::uint32_t, 1> status{static_cast<std::uint32_t>(D::status_data::get(words[0]))};
    const Hpa address{words[1] & D::status_address::mask};
    const auto bytes = std::as_writable_bytes(std::span{status});
    co_await memory_.write(trace::Agent::queue, address, bytes, true);
  }
  if (D::interrupt_flag::test(words[0]) && registers_.report_wait_completed()) {
    send_(registers_.completion_message());
  }
}

void InvalidationQueue::stop(reg::QueueError error) {
  ++stats_.errors;
  if (registers_.report(error)) send_(registers_.fault_message());
}

sim::Task<> InvalidationQueue::flush_by_register(Actions actions) {
  if (actions.flush_contexts) translator_.invalidate().cut_contexts();
  if (actions.flush_pages) translator_.invalidate().cut_pages();
  co_await drain_.wait();
  if (actions.flush_contexts) registers_.contexts_flushed();
  if (actions.flush_pages) registers_.pages_flushed();
}

void InvalidationQueue::note(trace::InvalidationStep step, const Words& words) {
  TRACE(bus_, clock_.now(),
        trace::Invalidation{unit_, step, static_cast<std::uint8_t>(type_of(words[0]))});
}

}  // namespace ioasim::iommu
