// Reading a unit's fault recording registers into the log (Linux: dmar_fault()).
#pragma once

#include "kernel/runtime.hpp"
#include "kernel/vtd/unit.hpp"

namespace ioasim::kernel::vtd {

// Logs and clears every pending record, then the overflow bit. Returns the number of records.
unsigned handle_faults(cpu::Instructions& cpu, const Runtime& runtime, const Unit& unit);

// What a fault reason of VT-d 7.1 means.
std::string_view fault_reason(unsigned code);

}  // namespace ioasim::kernel::vtd
