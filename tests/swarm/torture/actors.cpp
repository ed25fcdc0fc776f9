#include "swarm/torture/actors.hpp"

#include <algorithm>
#include <bit>

#include "cpu/msr.hpp"

namespace ioasim::test::torture {
namespace {

// Entries of the PAT after the reset, and one more.
constexpr cpu::PatIndex write_through{1};
constexpr cpu::PatIndex uncached_minus{2};
constexpr cpu::PatIndex uncached{3};
constexpr cpu::PatIndex write_combining{4};
constexpr std::uint64_t pat = 0x0007'0401'0007'0406;

}  // namespace

// ---- where ----

const Region& Aim::region() { return regions_[random_.between(0, regions_.size() - 1)]; }

Place Aim::within(const Region& region, std::uint64_t from, std::uint64_t to, std::uint64_t most) {
  const auto bytes = random_.between(1, std::min(most, to - from));
  auto low = from;
  auto high = to - bytes;
  if (random_.one_in(4)) {  // near the end of the first line
    low = std::clamp(line_bytes - std::min(bytes, line_bytes), low, high);
    high = std::clamp(line_bytes, low, high);
  }
  return {&region, region.base + random_.between(low, high), bytes};
}

Place Aim::read(std::uint64_t most) { return within(region(), 0, Region::bytes, most); }

Place Aim::write(std::uint64_t most) {
  const Region& where = region();
  if (!where.counts()) return within(where, 0, Region::bytes, most);
  const bool behind =
      where.counter == 0 || (where.counter + 8 < Region::bytes && random_.one_in(2));
  return behind ? within(where, where.counter + 8, Region::bytes, most)
                : within(where, 0, where.counter, most);
}

Hpa Aim::line() { return region().base + (random_.one_in(2) ? line_bytes : 0); }

Data Aim::data(std::uint64_t bytes) {
  Data data(bytes);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes; ++i, word >>= 8) {
    if (i % 8 == 0) word = random_.next();
    data[i] = static_cast<std::byte>(word);
  }
  return data;
}

// ---- a core ----

CoreActor::CoreActor(Rig& rig, History& history, Did& did, const Setup& setup, unsigned core)
    : core_{*rig.cores[core]},
      history_{history},
      order_{history.order(core)},
      did_{did},
      setup_{setup},
      random_{setup.seed, fmt::format("core{}", core)},
      aim_{setup.regions, random_},
      every_way_{rig.home.every_way()},
      counted_(setup.regions.size()) {
  for (const auto weight : setup.weights) weight_ += weight;
}

void CoreActor::begin() { core_.wrmsr(cpu::msr::pat, pat); }

void CoreActor::step() {
  auto draw = random_.between(1, weight_);
  for (std::size_t n = 0; n < steps; ++n) {
    if (draw <= setup_.weights[n]) return take(static_cast<Step>(n));
    draw -= setup_.weights[n];
  }
}

void CoreActor::take(Step step) {
  ++did_[step_names[static_cast<std::size_t>(step)]];
  switch (step) {
    case Step::load:
      return load();
    case Step::store:
      return store();
    case Step::store_nt:
      return store_nt();
    case Step::locked:
      return locked();
    case Step::count:
      return count();
    case Step::clflush:
      return clflush();
    case Step::clflushopt:
      return flush_weakly(false);
    case Step::clwb:
      return flush_weakly(true);
    case Step::prefetch:
      return core_.prefetch(aim_.read(1).address, random_.one_in(2));
    case Step::fence:
      return random_.one_in(4) ? core_.lfence() : fence(random_.one_in(2));
    case Step::around:
      return around();
    case Step::wbinvd:
      core_.wbinvd();
      return fenced();
    case Step::wbnoinvd:
      core_.wbnoinvd();
      return fenced();
    case Step::io_ways:
      return core_.wrmsr(cpu::msr::iio_llc_ways, random_.between(0, every_way_));
    case Step::caches_off:
      core_.disable_caches(caches_off_ = !caches_off_);
      return fenced();
    case Step::pause:
      return core_.execute(Picoseconds{static_cast<std::int64_t>(random_.between(0, 500'000))});
  }
}

void CoreActor::load() { load_by(aim_.read(random_.one_in(8) ? 64 : 16), {}); }

void CoreActor::load_by(const Place& place, cpu::PatIndex type) {
  Data data(place.bytes);
  order_.begin_load(place.address, place.bytes);
  core_.load(place.address, data, type);
  order_.end_load(data);
}

void CoreActor::store() {
  const auto place = aim_.write(random_.one_in(8) ? 64 : 16);
  auto data = aim_.data(place.bytes);
  if (caches_off_) return store_around(place, data, {});
  order_.store(place.address, data);
  core_.store(place.address, data);
}

// Not by way of the store buffer, and ended when the instruction has.
void CoreActor::store_around(const Place& place, Data& data, cpu::PatIndex type) {
  ++did_["store around"];
  distinguish(place.address, data);
  order_.store_around(place.address, data);
  core_.store(place.address, data, type);
  if (type != write_combining) order_.fenced();
}

// Bytes that are merged on their way must not look like those that they replace.
void CoreActor::distinguish(Hpa address, Data& data) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    while (order_.waits(address + i, data[i])) {
      data[i] = static_cast<std::byte>(static_cast<unsigned>(data[i]) + 1);
    }
  }
}

void CoreActor::store_nt() {
  auto place = aim_.write(random_.one_in(3) ? 64 : 16);
  const bool whole = !place.region->counts() && random_.one_in(6);
  if (whole) {
    place.address = place.region->base + (random_.one_in(2) ? line_bytes : 0);
    place.bytes = line_bytes;
  }
  auto data = aim_.data(place.bytes);
  distinguish(place.address, data);
  order_.store_around(place.address, data);
  if (whole && random_.one_in(2)) {
    core_.movdir64b(place.address, cpu::Command{data});
  } else {
    core_.store_nt(place.address, data);
  }
}

void CoreActor::locked() {
  auto place = aim_.write(8);
  const auto bytes = std::bit_floor(place.bytes);
  const auto size = static_cast<unsigned>(bytes);
  const auto mask = ~0ull >> (64 - 8 * bytes);
  const auto value = random_.next() & mask;
  order_.begin_locked(place.address, bytes);
  if (random_.one_in(2)) {
    const auto old = core_.lock_exchange(place.address, value, size);
    order_.end_locked(old, value);
  } else if (random_.one_in(2)) {
    const auto old = core_.lock_add(place.address, value, size);
    order_.end_locked(old, old + value);
  } else {
    std::uint64_t expected = 0;
    for (std::uint64_t i = 0; i < bytes; ++i) {
      expected |= static_cast<std::uint64_t>(history_.newest(place.address + i)) << 8 * i;
    }
    const auto old = core_.lock_compare_exchange(place.address, expected, value, size);
    order_.end_locked(old, old == expected ? value : old);
  }
  fenced();
}

void CoreActor::count() {
  for (unsigned tries = 0; tries < 4; ++tries) {
    const Region& region = aim_.region();
    if (!region.counts()) continue;
    const auto address = region.base + region.counter;
    order_.begin_locked(address, 8);
    const auto old = core_.lock_add(address, 1, 8);
    order_.end_locked(old, old + 1);
    ++did_["increment"];
    ++counted_[static_cast<std::size_t>(&region - setup_.regions.data())];
    return fenced();
  }
}

// ---- flushes and fences ----

void CoreActor::clflush() {
  const auto line = aim_.line();
  const auto flush = history_.flushing(core_.number(), line.line(), false);
  core_.clflush(line + random_.between(0, 63));
  history_.flushed(line.line(), flush);
}

void CoreActor::flush_weakly(bool keep) {
  const auto line = aim_.line();
  if (held_.size() >= 3) fence(true);
  held_.push_back({line.line(), history_.flushing(core_.number(), line.line(), keep)});
  keep ? core_.clwb(line) : core_.clflushopt(line);
  if (random_.one_in(2)) fence(true);
}

void CoreActor::fence(bool store) {
  store ? core_.sfence() : core_.mfence();
  fenced();
}

void CoreActor::fenced() {
  order_.fenced();
  for (const HeldFlush& held : held_) history_.flushed(held.line, held.flush);
  held_.clear();
}

void CoreActor::settle() {
  if (caches_off_) core_.disable_caches(caches_off_ = false);
  fence(true);
}

// ---- other memory types ----

// Without self-snoop, UC and WC go past the caches.
void CoreActor::around() {
  const bool read = random_.one_in(2);
  const auto place = read ? aim_.read(16) : aim_.write(16);
  auto type = write_through;
  if (!random_.one_in(4)) {
    if (!setup_.core.self_snoop && !place.region->mixed) return;
    type = random_.one_in(3) ? write_combining : random_.one_in(2) ? uncached_minus : uncached;
  }
  ++did_[type == write_through     ? "write-through"
         : type == write_combining ? "write-combining"
                                   : "uncached"];
  if (read) return load_by(place, type);
  auto data = aim_.data(place.bytes);
  store_around(place, data, type);
}

// ---- a device ----

DeviceActor::DeviceActor(Rig& rig, History& history, Complaints& complaints, Did& did,
                         const Setup& setup, unsigned device)
    : rig_{rig},
      requester_{*rig.devices[device]},
      history_{history},
      complaints_{complaints},
      did_{did},
      setup_{setup},
      random_{setup.seed, fmt::format("device{}", device)},
      aim_{setup.regions, random_} {}

bool DeviceActor::idle() {
  std::erase_if(in_flight_, [&](const InFlight& sent) {
    if (!sent.request->done) return false;
    if (sent.request->data != sent.data) {
      complaints_.add(fmt::format("{} ps: device {:#x} was not given what was read for it",
                                  sent.request->done_at.count(), requester_.origin.who));
    }
    return true;
  });
  return in_flight_.empty();
}

Picoseconds DeviceActor::step() {
  idle();
  if (random_.one_in(50)) {
    back_door();
  } else if (random_.one_in(50)) {  // wakes the program, whatever it waits for
    ++did_["interrupt"];
    rig_.cores[random_.between(0, rig_.cores.size() - 1)]->interrupt(32);
  } else if (in_flight_.size() < setup_.device_depth) {
    random_.one_in(2) ? read() : write();
  }
  const auto most = static_cast<std::uint64_t>(setup_.device_gap.count());
  return Picoseconds{static_cast<std::int64_t>(random_.between(0, most))};
}

// What a coherent reader would see; and a write that everybody sees.
void DeviceActor::back_door() {
  auto place = aim_.write(16);
  if (random_.one_in(2)) {
    ++did_["back-door write"];
    requester_.debug_write(place.address.value, aim_.data(place.bytes));
    return;
  }
  ++did_["back-door read"];
  Data data(place.bytes);
  requester_.debug_read(place.address.value, data);
  for (std::uint64_t i = 0; i < place.bytes && !place.region->mixed; ++i) {
    if (data[i] == history_.newest(place.address + i)) continue;
    return complaints_.add(fmt::format(
        "the back door at {:#x} does not show what is now the newest", place.address.value));
  }
}

bool DeviceActor::past_the_caches(const Region& region) {
  return region.mixed && setup_.device_mixes && random_.one_in(2);
}

void DeviceActor::read() {
  constexpr trace::Agent agents[] = {trace::Agent::device, trace::Agent::walker,
                                     trace::Agent::queue};
  const auto place = aim_.read(random_.one_in(2) ? 16 : Region::bytes);
  requester_.origin.agent = agents[random_.between(0, 2)];
  requester_.origin.snoop = !past_the_caches(*place.region);
  requester_.enables.clear();
  ++did_[requester_.origin.snoop ? "device read" : "no-snoop read"];
  history_.begin_device_read();
  const Request& request = requester_.read(place.address.value, place.bytes);
  in_flight_.push_back({&request, history_.device_read()});
}

// It takes effect as it arrives, which is at once.
void DeviceActor::write() {
  auto place = aim_.write(random_.one_in(2) ? 16 : Region::bytes);
  requester_.enables.clear();
  if (random_.one_in(3)) {  // whole lines, but for the counter
    const bool one = random_.one_in(2);
    place.address = place.region->base;
    if (one && random_.one_in(2)) place.address += line_bytes;
    place.bytes = one ? line_bytes : Region::bytes;
    if (place.region->counts()) {
      requester_.enables.assign(place.bytes, 0xff);
      for (std::uint64_t i = 0; i < place.bytes; ++i) {
        const auto offset = place.address + i - place.region->base;
        if (offset - place.region->counter < 8) requester_.enables[i] = 0;
      }
    }
  } else if (random_.one_in(3)) {
    requester_.enables.resize(random_.between(1, place.bytes));
    for (auto& enable : requester_.enables) enable = random_.one_in(2) ? 0xff : 0;
  }
  Data before(place.bytes);
  for (std::uint64_t i = 0; i < place.bytes; ++i) before[i] = history_.newest(place.address + i);
  const auto data = aim_.data(place.bytes);
  requester_.origin.agent = trace::Agent::device;
  requester_.origin.snoop = !past_the_caches(*place.region);
  requester_.origin.io_ways = ~0u;
  ++did_[requester_.origin.snoop ? "device write" : "no-snoop write"];
  if (!requester_.enables.empty()) ++did_["byte enables"];
  if (random_.one_in(4)) requester_.origin.io_ways = static_cast<std::uint32_t>(random_.next());
  in_flight_.push_back({&requester_.write(place.address.value, data), data});
  const auto& enables = requester_.enables;
  for (std::uint64_t i = 0; i < place.bytes; ++i) {
    const bool enabled = enables.empty() || enables[i % enables.size()] != 0;
    if (history_.newest(place.address + i) == (enabled ? data[i] : before[i])) continue;
    return complaints_.add(fmt::format("a device's write to {:#x} is not what is now the newest",
                                       place.address.value));
  }
}

}  // namespace ioasim::test::torture
