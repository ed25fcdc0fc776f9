#include "unit/kernel/fake_machine.hpp"

#include <algorithm>
#include <cstring>

namespace ioasim::kernel::test {
namespace {

constexpr Hpa ecam_base{0xb000'0000};
constexpr Hpa bar_base{0xc000'0000};
constexpr std::uint64_t bar_window = 0x1000'0000;
constexpr std::uint64_t unit_base = 0xfed9'0000;
constexpr std::uint64_t address_mask = ~0xfffull;

FakeMachine::Translation faulted(unsigned code) {
  FakeMachine::Translation found;
  found.fault = code;
  return found;
}

}  // namespace

void Bytestore::read(Hpa address, std::span<std::byte> into) const {
  for (auto& byte : into) {
    const auto page = pages_.find(address.page());
    byte = page == pages_.end() ? std::byte{0} : page->second[address.page_offset()];
    address += 1;
  }
}

void Bytestore::write(Hpa address, std::span<const std::byte> from) {
  for (const auto byte : from) {
    pages_[address.page()][address.page_offset()] = byte;
    address += 1;
  }
}

std::uint64_t Bytestore::word(Hpa address) const {
  std::uint64_t value = 0;
  read(address, std::as_writable_bytes(std::span{&value, 1}));
  return value;
}

FakeMachine::FakeMachine() {
  firmware.memory = {{Hpa{0}, 64ull << 20}};
  firmware.ecam = {ecam_base, 16ull << 20};
  firmware.cores = 4;
}

void FakeMachine::load(Hpa address, std::span<std::byte> into, cpu::PatIndex) {
  now_ += Picoseconds{1'000};
  caches.read(address, into);
}

void FakeMachine::store(Hpa address, std::span<const std::byte> from, cpu::PatIndex) {
  now_ += Picoseconds{1'000};
  caches.write(address, from);
  for (auto line = address.line(); line <= (address + (from.size() - 1)).line(); ++line) {
    dirty.insert(line);
  }
}

void FakeMachine::clflush(Hpa address) {
  now_ += Picoseconds{10'000};
  std::array<std::byte, line_bytes> line;
  caches.read(address.line_base(), line);
  memory.write(address.line_base(), line);
  dirty.erase(address.line());
  flushed.push_back(address.line_base());
}

void FakeMachine::execute(Picoseconds duration) {
  now_ += duration;
  if (on_execute) on_execute();
}

bool FakeMachine::wait_for_interrupt(std::uint8_t vector, Picoseconds timeout) {
  if (pending.erase(vector) > 0) return true;
  if (timeout != forever) now_ += timeout;
  return false;
}

void FakeMachine::device_write(Hpa address, std::uint32_t value) {
  const auto bytes = std::as_bytes(std::span{&value, 1});
  caches.write(address, bytes);
  memory.write(address, bytes);
}

std::uint64_t FakeMachine::read_uncached(Hpa address, unsigned bytes) {
  now_ += Picoseconds{100'000};
  for (auto& unit : units) {
    if (Range<Hpa>{unit.base, page_bytes}.contains(address)) {
      return read_unit(unit, static_cast<unsigned>(address - unit.base), bytes);
    }
  }
  std::uint64_t value = ~0ull;
  if (firmware.ecam.contains(address)) {
    const RequesterId id{static_cast<std::uint16_t>((address - ecam_base) >> 12)};
    const auto at = functions_.find(id);
    if (at != functions_.end()) {
      std::memcpy(&value, &at->second.config[address.page_offset()], bytes);
    }
  } else if (Range<Hpa>{bar_base, bar_window}.contains(address)) {
    value = address.value;
  }
  return bytes == 8 ? value : value & ((1ull << 8 * bytes) - 1);
}

void FakeMachine::write_uncached(Hpa address, std::uint64_t value, unsigned bytes) {
  now_ += Picoseconds{100'000};
  for (auto& unit : units) {
    if (Range<Hpa>{unit.base, page_bytes}.contains(address)) {
      write_unit(unit, static_cast<unsigned>(address - unit.base), value);
      return;
    }
  }
  if (firmware.ecam.contains(address)) write_config(address, value, bytes);
  if (Range<Hpa>{bar_base, bar_window}.contains(address)) bar_writes.emplace_back(address, value);
}

void FakeMachine::write_config(Hpa address, std::uint64_t value, unsigned bytes) {
  const RequesterId id{static_cast<std::uint16_t>((address - ecam_base) >> 12)};
  const auto at = functions_.find(id);
  if (at == functions_.end()) return;
  auto& function = at->second;
  const auto offset = static_cast<unsigned>(address.page_offset());
  if (offset == 0x10) {
    if (function.bar_bytes == 0) return;
    value &= ~std::uint64_t{function.bar_bytes - 1};
  }
  if (offset == 0x48) value &= ~std::uint64_t{function.hardwired_zero_control};
  std::memcpy(&function.config[offset], &value, bytes);
}

void FakeMachine::set_config(RequesterId id, unsigned offset, std::uint64_t value, unsigned bytes) {
  std::memcpy(&functions_[id].config[offset], &value, bytes);
}

std::uint64_t FakeMachine::config(RequesterId id, unsigned offset, unsigned bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, &functions_.at(id).config[offset], bytes);
  return value;
}

void FakeMachine::add_function(RequesterId id, std::uint16_t vendor, bool bridge) {
  set_config(id, 0x00, vendor, 2);
  set_config(id, 0x02, 0x1234, 2);
  set_config(id, 0x06, 0x10, 2);  // has capabilities
  set_config(id, 0x0e, bridge ? 1 : 0, 1);
  set_config(id, 0x34, 0x40, 1);
  set_config(id, 0x40, 0x6010, 2);  // PCI Express, then 0x60
  set_config(id, 0x42, bridge ? 0x42 : 0x02, 2);
  set_config(id, 0x48, 0x2810, 2);  // reset value: RO, No Snoop, MRRS 512
  set_config(id, 0x60, 0x0005, 2);  // MSI, last
  set_config(id, 0x62, 0x0080, 2);  // 64-bit
}

RequesterId FakeMachine::add_endpoint(unsigned device, unsigned bus) {
  const auto port = RequesterId::of(0, device, 0);
  const auto id = RequesterId::of(bus, 0, 0);
  add_function(port, 0x8086, true);
  set_config(port, 0x19, bus, 1);
  set_config(port, 0x1a, bus, 1);
  add_function(id, 0x1af4, false);
  functions_[id].bar_bytes = 0x1000;
  set_config(id, 0x10, bar_base.value + bus * 0x10'0000u, 4);
  return id;
}

FakeUnit& FakeMachine::add_unit(std::vector<RequesterId> scope, std::uint64_t cap,
                                std::uint64_t ecap) {
  const Hpa base{unit_base + units.size() * page_bytes};
  firmware.units.push_back({.registers = base, .scope = std::move(scope)});
  auto& unit = units.emplace_back();
  unit.base = base;
  unit.cap = cap;
  unit.ecap = ecap;
  return unit;
}

std::uint64_t FakeMachine::read_unit(FakeUnit& unit, unsigned offset, unsigned bytes) {
  std::uint64_t value = 0;
  switch (offset) {
    case 0x00:
      value = 0x40;
      break;
    case 0x08:
      value = unit.cap;
      break;
    case 0x10:
      value = unit.ecap;
      break;
    case 0x1c:
      value = unit.status;
      break;
    case 0x34:
      value = unit.faults;
      break;
    case 0x80:
      value = unit.head;
      break;
    case 0x88:
      value = unit.tail;
      break;
    default:
      value = unit.other[offset];
  }
  return bytes == 8 ? value : value & 0xffff'ffff;
}

void FakeMachine::write_unit(FakeUnit& unit, unsigned offset, std::uint64_t value) {
  switch (offset) {
    case 0x18: {
      unit.commands.push_back(static_cast<std::uint32_t>(value));
      // Level bits follow; SRTP and the interrupt pointer stay set; a flush is over at once.
      const auto level = static_cast<std::uint32_t>(value) & 0x8680'0000u;
      const auto latched = (static_cast<std::uint32_t>(value) | unit.status) & 0x4100'0000u;
      unit.status = (level | latched) & ~unit.refused_commands;
      break;
    }
    case 0x20:
      unit.root = value;
      break;
    case 0x34:
      unit.faults &= ~static_cast<std::uint32_t>(value) | 2;
      run_queue(unit);
      break;
    case 0x88:
      unit.tail = value;
      run_queue(unit);
      break;
    case 0x90:
      unit.queue = value;
      break;
    default:
      unit.other[offset] = value;
      // F of a fault record: the pending bit follows.
      if (offset >= 0x400 && offset % 16 == 12) {
        unit.other[offset - 4] &= ~(1ull << 63);
        unit.faults &= ~2u;
      }
  }
}

void FakeMachine::run_queue(FakeUnit& unit) {
  const auto bytes = page_bytes << (unit.queue & 7);
  while (!unit.stalled && (unit.faults & 0x50) == 0 && unit.head != unit.tail) {
    const Hpa at{(unit.queue & address_mask) + unit.head};
    std::array<std::uint64_t, 4> words;
    for (unsigned i = 0; i < 4; ++i) words[i] = caches.word(at + i * 8u);
    if (unit.refuses && unit.refuses(words)) {
      unit.faults |= 1u << 4;
      return;
    }
    if ((words[0] & 0xf) == 5) {
      device_write(Hpa{words[1]}, static_cast<std::uint32_t>(words[0] >> 32));
    } else {
      unit.descriptors.push_back(words);
      if (unit.on_descriptor) unit.on_descriptor(words);
    }
    unit.head = (unit.head + 32) % bytes;
  }
}

Hpa FakeMachine::pasid_entry(const FakeUnit& unit, RequesterId device) const {
  const bool snooped = (unit.ecap & ecap_coherent) != 0;
  const Hpa root{unit.root & address_mask};
  const auto half = seen(root + device.bus() * 16u + (device.devfn() >= 128 ? 8 : 0), snooped);
  const Hpa context = Hpa{half & address_mask} + device.devfn() % 128 * 32u;
  const Hpa directory{seen(context, snooped) & address_mask};
  return Hpa{seen(directory, snooped) & address_mask};
}

FakeMachine::Translation FakeMachine::translate(const FakeUnit& unit, RequesterId device,
                                                Iova iova) const {
  const bool snooped = (unit.ecap & ecap_coherent) != 0;
  const Hpa root{unit.root & address_mask};
  const auto half = seen(root + device.bus() * 16u + (device.devfn() >= 128 ? 8 : 0), snooped);
  if ((half & 1) == 0) return faulted(0x39);
  const Hpa context = Hpa{half & address_mask} + device.devfn() % 128 * 32u;
  if ((seen(context, snooped) & 1) == 0) return faulted(0x41);
  const Hpa directory{seen(context, snooped) & address_mask};
  if ((seen(directory, snooped) & 1) == 0) return faulted(0x51);
  const Hpa entry{seen(directory, snooped) & address_mask};
  const auto low = seen(entry, snooped);
  const auto high = seen(entry + 8, snooped);
  if ((low & 1) == 0) return faulted(0x59);
  if ((low >> 6 & 7) != 2) return faulted(0x5b);

  Translation found;
  found.read = found.write = true;
  found.levels = static_cast<unsigned>(low >> 2 & 7) + 2;
  found.domain = static_cast<std::uint16_t>(high);
  const bool walk_snooped = (high >> 23 & 1) != 0;
  Hpa table{low & address_mask};
  for (unsigned level = found.levels;; --level) {
    const auto span = 1ull << (12 + 9 * (level - 1));
    const auto word = seen(table + iova.value / span % 512 * 8, walk_snooped);
    found.read = found.read && (word & 1) != 0;
    found.write = found.write && (word & 2) != 0;
    if ((word & 3) == 0) return faulted(0x79);
    const bool leaf = level == 1 || (word & 1ull << 7) != 0;
    const Hpa next{word & 0x000f'ffff'ffff'f000ull};
    if (!leaf) {
      table = next;
      continue;
    }
    found.address = next + iova.value % span;
    found.snoop = (word & 1ull << 11) != 0;
    found.page_bytes = span;
    return found;
  }
}

}  // namespace ioasim::kernel::test
