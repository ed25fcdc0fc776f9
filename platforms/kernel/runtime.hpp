// What every part of the kernel shares: its parameters, physical memory, trace and log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cpu/instructions.hpp"
#include "kernel/frames.hpp"
#include "kernel/params.hpp"
#include "trace/bus.hpp"

namespace ioasim::kernel {

struct Runtime {
  const Params& params;
  Frames& frames;
  trace::Bus& trace;
  std::vector<std::string>& log;  // what dmesg would show

  // A phase of a software path, for the timeline. `what` must outlive the trace.
  void phase(const cpu::Instructions& cpu, std::string_view what, std::int64_t result) const {
    TRACE(trace, cpu.now(), trace::Software{cpu.number(), what, result});
  }
};

}  // namespace ioasim::kernel
