// Copies that never end by themselves, until what they use is taken away under them.
#include "swarm/actor.hpp"

namespace ioasim::test {
namespace {

using Descriptor = Engine::Descriptor;
using Status = Engine::Status;

}  // namespace

void Actor::copy_over_and_over() {
  Engine* engine = idle_engine(true);
  if (engine == nullptr) return;
  auto& space = *engine->space;
  const auto source = find_mapping(space, true, true);
  const auto target = find_mapping(space, !chance(3), true);
  if (!source || !target || source == target) return;
  const auto& from = space.mappings[*source];
  const auto& to = space.mappings[*target];
  const bool clash = from.fixed || to.fixed || in_use(from) || in_use(to) ||
                     from.memory.touches_line_of(to.memory);
  if (clash) return;
  const auto bytes =
      std::min({from.memory.bytes, to.memory.bytes, random_.between(1, 3 * page_bytes)});
  Job::Part part{.source = {from.memory.area, from.memory.offset, bytes},
                 .target = {to.memory.area, to.memory.offset, bytes}};
  areas_.store_random(part.source, random_);
  areas_.store_random(part.target, random_);
  Descriptor descriptor{.source = from.iova.value,
                        .target = to.iova.value,
                        .bytes = static_cast<std::uint32_t>(bytes),
                        .flags = no_snoop_flags(*engine, part) | Descriptor::cyclic};
  engine->job = Job{.parts = {part}};
  engine->start(areas_, {descriptor});
  did("cyclic");
  thread_.cpu().execute(Picoseconds{static_cast<std::int64_t>(random_.between(0, 40'000'000))});
  for (auto n = random_.between(0, 3); n > 0; --n) touch_memory();
  take_away(*engine, *source, *target);
}

void Actor::take_away(Engine& engine, std::size_t source, std::size_t target) {
  const auto& part = engine.job->parts.front();
  const Piece from = part.source;
  const Piece to = part.target;
  const bool known = part.known;
  switch (random_.between(0, 6)) {
    case 0:
    case 1:
      unmap_source(engine, source, from, to);
      break;
    case 2:
    case 3:
      unmap_target(engine, target, to);
      break;
    case 4:
    case 5:
      if (stage_.features.detach || stage_.features.close) {
        cut_off(engine, to);
        break;
      }
      [[fallthrough]];
    default:
      engine.stop();
      settle(engine, engine.wait());
      return;
  }
  engine.job.reset();
  if (!known) areas_.forget(to);
  if (chance(2)) areas_.load(to, "after all");
}

// The engine halts, and has read nothing of what is stored after the call has returned.
void Actor::unmap_source(Engine& engine, std::size_t source, const Piece& from, const Piece& to) {
  std::vector<std::int16_t> old_source;
  for (std::uint64_t i = 0; i < from.bytes; ++i) old_source.push_back(areas_.expected(from, i));
  if (!unmap(*engine.space, source)) return;
  areas_.store_random(from, random_);
  const auto status = engine.wait();
  journal_.expect(static_cast<int>(status), static_cast<int>(Status::halted),
                  "the status of " + engine.name + " after its source was unmapped");
  std::vector<std::int16_t> old_target;
  for (std::uint64_t i = 0; i < to.bytes; ++i) old_target.push_back(areas_.expected(to, i));
  areas_.forget(to);
  const auto data = areas_.load(to, "after the source was unmapped");
  for (std::size_t i = 0; i < data.size() && engine.job->parts.front().known; ++i) {
    const auto got = static_cast<std::int16_t>(data[i]);
    if (got == old_source[i] || got == old_target[i]) continue;
    journal_.complain("byte {} at {:#x} is {:#04x}: {} read it after the unmap", i,
                      (areas_.address_of(to) + i).value, got, engine.name);
    break;
  }
  areas_.store_random(to, random_);
  did("source unmapped");
}

// The engine goes on, its writes are dropped, and none of them comes late.
void Actor::unmap_target(Engine& engine, std::size_t target, const Piece& to) {
  if (!unmap(*engine.space, target)) return;
  expect_untouched(to, "after the target was unmapped");
  engine.stop();
  journal_.expect(static_cast<int>(engine.wait()), static_cast<int>(Status::done),
                  "the status of " + engine.name + " after its target was unmapped");
  did("target unmapped");
}

// From the space, or from the process.
void Actor::cut_off(Engine& engine, const Piece& to) {
  if (stage_.features.detach && chance(2)) {
    detach(engine);
    expect_untouched(to, "after the detach");
    journal_.expect(static_cast<int>(engine.wait()), static_cast<int>(Status::halted),
                    "the status of " + engine.name + " after the detach");
    return;
  }
  if (!stage_.features.close) {
    engine.stop();
    engine.wait();
    areas_.forget(to);
    return;
  }
  const bool alone = engines_.size() == 1 && !stage_.features.shared_space;
  const bool iommu_first = alone && chance(2);
  if (iommu_first) {
    journal_.expect(thread_.close(iommu_), 0, "close of /dev/iommu");
    spaces_.clear();
  }
  engine.close();
  expect_untouched(to, "after the close");
  if (iommu_first) {
    iommu_ = thread_.open("/dev/iommu");
    if (iommu_ < 0) journal_.complain("open of /dev/iommu returned {}", iommu_);
  }
  reopen(engine);
  did("close");
}

void Actor::expect_untouched(const Piece& piece, std::string_view after) {
  areas_.store_random(piece, random_);
  thread_.cpu().execute(Picoseconds{static_cast<std::int64_t>(random_.between(0, 20'000'000))});
  areas_.load(piece, after);
}

void Actor::reopen(Engine& engine) {
  if (!engine.open(iommu_)) return;
  engine.wait();
  if (spaces_.empty()) allocate_space();
  attach(engine, any_space());
}

}  // namespace ioasim::test
