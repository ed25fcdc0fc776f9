// Copies that come to an end: right ones, and ones that fault.
#include "swarm/actor.hpp"

namespace ioasim::test {
namespace {

using Descriptor = Engine::Descriptor;
using Status = Engine::Status;

constexpr std::uint64_t bytes_max = 6000;

Descriptor descriptor_of(Iova source, Iova target, std::uint64_t bytes, std::uint32_t flags) {
  return {.source = source.value,
          .target = target.value,
          .bytes = static_cast<std::uint32_t>(bytes),
          .flags = flags};
}

Iova iova_of(const Mapping& mapping, const Piece& piece) {
  return mapping.iova + (piece.offset - mapping.memory.offset);
}

bool conflict(const Job::Part& a, const Job::Part& b) {
  return a.target.touches_line_of(b.source) || a.target.touches_line_of(b.target) ||
         a.source.touches_line_of(b.target);
}

}  // namespace

std::optional<std::size_t> Actor::find_mapping(const Space& space, bool read, bool write) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < space.mappings.size(); ++i) {
    const auto& mapping = space.mappings[i];
    const bool descriptors = std::any_of(
        engines_.begin(), engines_.end(),
        [&](const Engine& engine) { return engine.descriptors.area == mapping.memory.area; });
    if (descriptors || mapping.read != read || mapping.write != write) continue;
    found.push_back(i);
  }
  if (found.empty()) return std::nullopt;
  return found[below(found.size())];
}

// ---- attributes ----

// Makes memory the newest copy, and the only one. wbinvd does not reach other sockets, where a
// device may have written.
void Actor::make_coherent(const Piece& piece) {
  if (stage_.features.wbinvd && stage_.configuration.machine.sockets == 1 && chance(3)) {
    thread_.call_driver([](cpu::Instructions& cpu) { cpu.wbinvd(); });
  } else {
    areas_.flush(piece);
  }
}

// No Snoop where it is of no consequence, or after the caches were flushed; a reckless driver
// forgets that, and does not know then what it has got.
std::uint32_t Actor::no_snoop_flags(Engine& engine, Job::Part& part) {
  if (!stage_.features.no_snoop) return 0;
  std::uint32_t flags = 0;
  const auto ask = [&](const Piece& piece, std::uint32_t flag) {
    if (chance(2)) return;
    if (piece.bytes > 0 && engine.may_bypass()) {
      if (stage_.features.false_sharing && piece.area == shared_area_) return;
      if (stage_.features.reckless && chance(3)) {
        part.known = false;
      } else {
        make_coherent(piece);
      }
      did("bypass");
    }
    flags |= flag;
  };
  ask(part.source, Descriptor::source_no_snoop);
  ask(part.target, Descriptor::target_no_snoop);
  if (flags != 0) did("no snoop");
  return flags;
}

// ---- right copies ----

std::optional<Job::Part> Actor::random_part(Engine& engine, std::vector<Descriptor>& chain,
                                            const std::vector<Job::Part>& before) {
  const auto& space = *engine.space;
  const auto from = find_mapping(space, true, !chance(4));
  const auto to = find_mapping(space, !chance(4), true);
  if (!from || !to) return std::nullopt;
  const auto choose = [&](const Mapping& mapping) -> std::optional<Piece> {
    const auto& runs = stage_.shared.runs;
    if (!stage_.features.false_sharing || mapping.memory.area != shared_area_) {
      return random_piece(mapping.memory, bytes_max);
    }
    const auto& run = runs[below(runs.size())];
    if (run.owner != number_) return std::nullopt;
    return Piece{shared_area_, run.offset, run.bytes};
  };
  auto source = choose(space.mappings[*from]);
  auto target = choose(space.mappings[*to]);
  if (!source || !target) return std::nullopt;
  source->bytes = target->bytes = std::min(source->bytes, target->bytes);
  Job::Part part{.source = *source, .target = *target};
  const bool clash = in_use(part.source, false) || in_use(part.target, true) ||
                     part.source.touches_line_of(part.target) ||
                     std::any_of(before.begin(), before.end(),
                                 [&](const Job::Part& other) { return conflict(other, part); });
  if (clash) return std::nullopt;
  // Something new to copy, unless a part before has its source there, and memory is made ready.
  const bool shared = stage_.features.false_sharing && source->area == shared_area_;
  const bool prepared = std::any_of(before.begin(), before.end(), [&](const Job::Part& other) {
    return other.source.touches_line_of(part.source);
  });
  if (!shared && !prepared && !in_use(part.source, true) && chance(2)) {
    areas_.store_random(part.source, random_);
  }
  const auto flags = no_snoop_flags(engine, part);
  chain.push_back(descriptor_of(iova_of(space.mappings[*from], *source),
                                iova_of(space.mappings[*to], *target), source->bytes, flags));
  return part;
}

void Actor::copy_something() {
  Engine* engine = idle_engine(true);
  if (engine == nullptr) return end_all();
  std::vector<Descriptor> chain;
  Job job;
  const auto parts = stage_.features.chains ? random_.between(1, 4) : 1;
  for (unsigned n = 0; n < 8 && job.parts.size() < parts; ++n) {
    const auto part = random_part(*engine, chain, job.parts);
    if (!part) continue;
    job.parts.push_back(*part);
  }
  if (job.parts.empty()) return;
  did("copy");
  begin(*engine, std::move(job), std::move(chain));
  if (chance(2)) end(*engine);
}

void Actor::begin(Engine& engine, Job job, std::vector<Descriptor> chain) {
  if (engine.event >= 0 && chance(2)) {
    while (thread_.wait(engine.event, Picoseconds{}) == 1) {
    }
    chain.back().flags |= Descriptor::interrupt;
    job.interrupts = true;
  }
  engine.job = std::move(job);
  engine.start(areas_, std::move(chain));
}

void Actor::end(Engine& engine) {
  const Job& job = *engine.job;
  // An MSI comes after the data that it tells of; nothing else tells that they are there.
  if (job.interrupts && !job.halts && !stage_.features.stray_messages) {
    journal_.expect(thread_.wait(engine.event, 50_ms), 1, "wait for the interrupt");
    for (const auto& part : job.parts) {
      if (!part.known || part.target.bytes == 0) continue;
      areas_.copied(part.source, part.target);
      areas_.load(part.target, "after the interrupt");
    }
    did("interrupt");
  }
  settle(engine, engine.wait());
}

void Actor::settle(Engine& engine, Status status) {
  const Job job = *engine.job;
  engine.job.reset();
  const auto wanted = job.halts ? Status::halted : Status::done;
  if (status != wanted) {
    journal_.complain("core {} at {} ps: {} ended with status {}, not {}; error address {:#x}",
                      number_, thread_.cpu().now().count(), engine.name,
                      static_cast<unsigned>(status), static_cast<unsigned>(wanted),
                      engine.error_address());
  }
  if (job.halts) did("halt");
  for (const auto& part : job.parts) {
    if (part.target.bytes == 0) continue;
    if (job.halts || !part.known || part.source.bytes == 0) {
      areas_.forget(part.target);
    } else {
      areas_.copied(part.source, part.target);
    }
    if (chance(2)) areas_.load(part.target, "after a copy");
  }
}

void Actor::end_all() {
  for (auto& engine : engines_) {
    if (engine.job) end(engine);
  }
}

// ---- copies from and to where nothing is, or may not be touched ----

void Actor::copy_into_the_void() {
  if (Engine* engine = idle_engine(false)) {  // not even the descriptor can be read
    begin(*engine, {.parts = {{}}, .halts = true}, {descriptor_of({}, {}, 64, 0)});
    did("blocked");
    return end(*engine);
  }
  Engine* engine = idle_engine(true);
  if (engine == nullptr) return;
  const auto& space = *engine->space;
  const auto read_write = find_mapping(space, true, true);
  const auto void_at = free_iova(space, 2 * page_bytes);
  if (!read_write || !void_at) return;
  const auto& mapping = space.mappings[*read_write];
  if (mapping.fixed || in_use(mapping)) return;
  const auto bytes = std::min(mapping.memory.bytes, random_.between(1, 5000));
  const Piece first{mapping.memory.area, mapping.memory.offset, bytes};
  const auto at_end = std::min<std::uint64_t>(bytes, 700);
  const Piece last{mapping.memory.area, mapping.memory.offset + mapping.memory.bytes - at_end,
                   at_end};
  const Iova end_iova = mapping.iova + mapping.memory.bytes;
  const bool end_is_open =
      std::none_of(space.mappings.begin(), space.mappings.end(),
                   [&](const Mapping& other) { return other.iova == end_iova; });
  Job job{.parts = {{}}};
  auto& part = job.parts.front();
  Descriptor descriptor;
  const auto set = [&](Iova from, Iova to, std::uint64_t length) {
    descriptor = descriptor_of(from, to, length, no_snoop_flags(*engine, part));
  };
  did("void");
  switch (random_.between(0, 8)) {
    case 0:  // from nowhere
      part.target = first;
      job.halts = true;
      set(*void_at, mapping.iova, bytes);
      break;
    case 1:  // to nowhere: writes are dropped, and nobody tells the device
      part.source = first;
      set(mapping.iova, *void_at, bytes);
      break;
    case 2:  // beyond the end of the source
      if (!end_is_open) return;
      job.halts = true;
      part.source = last;
      set(end_iova - at_end, *void_at, at_end + 100);
      break;
    case 3: {  // the target has no write permission
      const auto target = find_mapping(space, true, false);
      if (!target) return;
      part.source = first;
      set(mapping.iova, space.mappings[*target].iova,
          std::min(bytes, space.mappings[*target].memory.bytes));
      break;
    }
    case 4: {  // the source has no read permission
      const auto source = find_mapping(space, false, true);
      if (!source) return;
      part.target = first;
      job.halts = true;
      set(space.mappings[*source].iova, mapping.iova, bytes);
      break;
    }
    case 5:  // beyond the width of every table
      part.target = first;
      job.halts = true;
      set(Iova{1ull << 58 | random_.next() >> 10}, mapping.iova, bytes);
      break;
    case 6:
      part.source = first;
      set(mapping.iova, Iova{1ull << 59}, bytes);
      break;
    case 7:  // nothing can be read where interrupts are written
      part.target = first;
      job.halts = true;
      set(Iova{0xfee0'1000}, mapping.iova, bytes);
      break;
    default:  // a write there is an interrupt, whatever it says
      if (!stage_.features.stray_messages) return;
      part.source = first;
      set(mapping.iova, Iova{0xfee0'0000 + random_.between(0, 1000) * 4},
          std::min<std::uint64_t>(bytes, 64));
      did("stray message");
      break;
  }
  begin(*engine, std::move(job), {descriptor});
  end(*engine);
}

}  // namespace ioasim::test
