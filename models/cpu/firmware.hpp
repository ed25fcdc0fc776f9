// What firmware tells the operating system: the contents of its tables (ACPI MADT, MCFG, DMAR,
// memory map), as a struct. It names addresses; everything behind them is found by MMIO.
#pragma once

#include <vector>

#include "base/address.hpp"

namespace ioasim::cpu {

// DMAR: one remapping unit, where its registers are, and which functions it serves.
struct RemappingUnit {
  Hpa registers;                    // one 4 KiB page
  std::vector<RequesterId> scope;   // root ports whose whole hierarchy it serves
  bool graphics_dedicated = false;  // the unit serves a graphics device alone
};

struct Firmware {
  std::vector<Range<Hpa>> memory;     // usable RAM
  std::vector<Range<Hpa>> sockets{};  // SRAT: where each socket's memory lies; none if there is one
  Range<Hpa> ecam;                    // configuration space: 4 KiB per function from bus 0 (MCFG)
  std::vector<RemappingUnit> units;   // DMAR
  unsigned cores = 0;                 // MADT; local APIC ids count from 0
};

}  // namespace ioasim::cpu
