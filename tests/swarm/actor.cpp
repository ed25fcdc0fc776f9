#include "swarm/actor.hpp"

namespace ioasim::test {
namespace {

constexpr std::uint64_t huge_bytes = 2u << 20;

}  // namespace

Actor::Actor(Stage& stage, kernel::Thread& thread, unsigned number,
             const std::vector<std::string>& devices)
    : stage_{stage},
      journal_{stage.journal},
      thread_{thread},
      number_{number},
      random_{stage.random(fmt::format("actor{}", number))},
      areas_{stage, thread} {
  for (const auto& device : devices) {
    engines_.emplace_back(stage, thread, device, number * 16 + engines_.size());
  }
}

void Actor::run(unsigned steps) {
  open();
  for (unsigned n = 0; n < steps && journal_.complaints.empty(); ++n) step();
  finish();
}

// ---- beginning ----

void Actor::open() {
  if (stage_.features.false_sharing) add_shared_area();
  const auto areas = random_.between(2, 5);
  for (unsigned n = 0; n < areas; ++n) {
    const bool huge = stage_.features.huge && n == 0;
    const auto bytes = huge ? huge_bytes : random_.between(1, 6) * page_bytes;
    private_areas_.push_back(areas_.allocate(bytes));
  }
  iommu_ = stage_.features.shared_space ? stage_.space.fd : thread_.open("/dev/iommu");
  if (iommu_ < 0) journal_.complain("open of /dev/iommu returned {}", iommu_);
  for (auto& engine : engines_) {
    if (engine.open(iommu_)) add_descriptors(engine);
  }
  if (stage_.features.shared_space) {
    spaces_.push_back({.id = stage_.space, .enforced = stage_.enforced, .formed = true});
  }
  for (auto& engine : engines_) {
    if (engine.is_open() && (spaces_.empty() || chance(3))) allocate_space();
    if (engine.is_open()) attach(engine, any_space());
  }
  if (spaces_.empty()) allocate_space();
}

void Actor::add_descriptors(Engine& engine) {
  engine.descriptors = {areas_.allocate(page_bytes), 0, page_bytes};
  engine.descriptors_at = window() + engine.cookie % 16 * page_bytes;
}

void Actor::add_shared_area() {
  const auto& shared = stage_.shared;
  std::vector<std::int16_t> expected(shared.bytes, Areas::unknown);
  for (const auto& run : shared.runs) {
    if (run.owner != number_) continue;
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(run.offset), run.bytes,
                std::int16_t{0});
  }
  shared_area_ = areas_.add(shared.address, std::move(expected));
}

void Actor::allocate_space() {
  static constexpr std::uint32_t policies[] = {0, uapi::IOMMU_IOASID_ENFORCE_SNOOP,
                                               uapi::IOMMU_IOASID_ENFORCE_SNOOP_AUTO};
  auto policy = policies[below(3)];
  address_bits_ = 39;
  int id = allocate_ioasid(thread_, iommu_, policy, address_bits_);
  if (policy == 0 && !stage_.kernel().dma_no_snoop) {
    journal_.expect(id, -EOPNOTSUPP, "IOASID_ALLOC without enforcement");
    policy = uapi::IOMMU_IOASID_ENFORCE_SNOOP_AUTO;
    id = allocate_ioasid(thread_, iommu_, policy, address_bits_);
  }
  if (id < 0) journal_.complain("IOASID_ALLOC returned {}", id);
  const bool on = policy == uapi::IOMMU_IOASID_ENFORCE_SNOOP || !stage_.kernel().dma_no_snoop;
  spaces_.push_back({.id = {iommu_, id},
                     .enforced = on,
                     .automatic = policy == uapi::IOMMU_IOASID_ENFORCE_SNOOP_AUTO});
}

// What an engine needs of a space: its descriptors and the shared memory are mapped in it.
bool Actor::attach(Engine& engine, Space& space) {
  const int result = attach_device(thread_, engine.fd, space.id);
  const bool able = engine.snoop_control || !space.enforced;
  if (result == 0 && !able) journal_.complain("{} cannot enforce, and was attached", engine.name);
  if (result != 0 && result != -EINVAL) journal_.complain("attach returned {}", result);
  // Another unit's tables may be of another shape; the first device of a space decides.
  if (result != 0 && able && !space.formed) journal_.complain("attach returned {}", result);
  if (result != 0) return false;
  did("attach");
  if (!space.formed && space.automatic) space.enforced = engine.snoop_control;
  space.formed = true;
  engine.space = &space;
  const auto mapped = [&](Iova iova) {
    return std::any_of(space.mappings.begin(), space.mappings.end(),
                       [&](const Mapping& mapping) { return mapping.iova == iova; });
  };
  if (!mapped(engine.descriptors_at)) {
    map(space, {.memory = engine.descriptors, .iova = engine.descriptors_at, .fixed = true});
  }
  const Iova shared_at = window() + 16 * page_bytes;
  if (stage_.features.false_sharing && !mapped(shared_at)) {
    map(space,
        {.memory = {shared_area_, 0, stage_.shared.bytes}, .iova = shared_at, .fixed = true});
  }
  while (space.mappings.size() < 5 && !chance(8)) map_something(space);
  return true;
}

void Actor::detach(Engine& engine) {
  journal_.expect(detach_device(thread_, engine.fd, engine.space->id), 0, "detach");
  engine.space = nullptr;
  did("detach");
}

// ---- end ----

void Actor::finish() {
  end_all();
  for (const auto area : private_areas_) {
    areas_.load({area, 0, areas_.bytes_of(area)}, "at the end");
  }
  for (auto& engine : engines_) {
    if (!engine.is_open()) continue;
    if (engine.space != nullptr && chance(2)) detach(engine);
    if (chance(2)) continue;
    engine.close();
  }
  for (auto& space : spaces_) {
    if (stage_.features.shared_space || chance(2)) unmap_all(space);
  }
  for (auto& engine : engines_) {
    if (engine.is_open()) engine.close();
  }
  if (!stage_.features.shared_space) journal_.expect(thread_.close(iommu_), 0, "close");
}

// ---- work ----

void Actor::step() {
  const auto& may = stage_.features;
  switch (random_.between(0, 19)) {
    case 0:
      return map_something(any_space());
    case 1:
    case 2:
      return unmap_something();
    case 3:
    case 4:
      return touch_memory();
    case 5:
      return may.flushes ? flush_something() : touch_memory();
    case 6:
    case 7:
      return may.cyclic ? copy_over_and_over() : copy_something();
    case 8:
    case 9:
      return may.faults ? copy_into_the_void() : copy_something();
    case 10:
      return may.wrong_calls ? call_wrongly() : touch_memory();
    case 11:
    case 12:
      return may.false_sharing ? touch_shared() : touch_memory();
    case 13:
      return may.detach ? switch_space() : copy_something();
    case 14:
      if (number_ == 0) stage_.faults_handled += stage_.world.kernel().handle_faults(thread_.cpu());
      return;
    case 15:
      return end_all();
    default:
      return copy_something();
  }
}

Piece Actor::random_piece(const Piece& within, std::uint64_t bytes_max) {
  const auto offset = chance(3) ? 0 : random_.between(0, within.bytes - 1);
  const auto left = std::min(within.bytes - offset, bytes_max);
  const auto bytes = chance(3) ? left : random_.between(1, left);
  return {within.area, within.offset + offset, bytes};
}

// By a driver: the instructions need CPL 0.
void Actor::flush_caches() {
  thread_.call_driver([&](cpu::Instructions& cpu) { chance(2) ? cpu.wbinvd() : cpu.wbnoinvd(); });
}

void Actor::touch_memory() {
  const auto area = private_areas_[below(private_areas_.size())];
  const auto piece = random_piece({area, 0, areas_.bytes_of(area)}, 2000);
  if (chance(2)) {
    if (!in_use(piece, false)) areas_.load(piece, "a load");
  } else if (!in_use(piece, true)) {
    areas_.store_random(piece, random_);
  }
}

void Actor::flush_something() {
  if (stage_.features.wbinvd && chance(4)) return flush_caches();
  const auto area = private_areas_[below(private_areas_.size())];
  areas_.flush(random_piece({area, 0, areas_.bytes_of(area)}, 1000));
}

// Bytes of this thread in lines of others: neither takes the other's away.
void Actor::touch_shared() {
  for (unsigned n = 0; n < 8; ++n) {
    const auto& run = stage_.shared.runs[below(stage_.shared.runs.size())];
    const Piece piece{shared_area_, run.offset, run.bytes};
    if (run.owner != number_ || chance(2)) {
      if (!in_use(piece, false)) areas_.load(piece, "a load of shared memory");
    } else if (!in_use(piece, true)) {
      areas_.store_random(piece, random_);
    }
  }
  did("shared");
}

// ---- what is in flight ----

bool Actor::in_use(const Piece& piece, bool to_write) const {
  return std::any_of(engines_.begin(), engines_.end(), [&](const Engine& engine) {
    return engine.job && std::any_of(engine.job->parts.begin(), engine.job->parts.end(),
                                     [&](const Job::Part& part) {
                                       return part.target.touches_line_of(piece) ||
                                              (to_write && part.source.touches_line_of(piece));
                                     });
  });
}

// Its I/O virtual addresses may be: those of its memory are in a job.
bool Actor::in_use(const Mapping& mapping) const { return in_use(mapping.memory, true); }

Engine* Actor::idle_engine(bool attached) {
  std::vector<Engine*> idle;
  for (auto& engine : engines_) {
    if (engine.is_open() && !engine.job && (engine.space != nullptr) == attached) {
      idle.push_back(&engine);
    }
  }
  return idle.empty() ? nullptr : idle[below(idle.size())];
}

}  // namespace ioasim::test
