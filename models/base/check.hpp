// CHECK: what must hold if our own code is right. Always on, also in release builds. Neither a
// user nor a modelled guest, driver or device can make one fail; if one does, it is our bug.
#pragma once

#include <string>
#include <string_view>

namespace ioasim {

// Exit status of a process whose CHECK failed.
inline constexpr int check_exit_status = 3;

// Says where the simulation stands ("at 12.5 ns in iommu0"); the engine installs it.
using CheckContext = std::string (*)();
void set_check_context(CheckContext context);

// Prints file, line, expression and context to stderr and ends the process with status 3.
[[noreturn]] void check_failed(std::string_view expression, const char* file, int line);

}  // namespace ioasim

#define CHECK(condition)                                      \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::ioasim::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

#ifdef NDEBUG
#define DCHECK(condition) static_cast<void>(sizeof(!(condition)))
#else
#define DCHECK(condition) CHECK(condition)
#endif

#define UNREACHABLE() ::ioasim::check_failed("unreachable", __FILE__, __LINE__)
