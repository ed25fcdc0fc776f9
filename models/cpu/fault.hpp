// An exception that an instruction raises, thrown to the software that executed it. The
// instruction has had no effect, but a serialising one may have waited for earlier ones.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace ioasim::cpu {

enum class Exception : std::uint8_t {
  general_protection = 13,  // #GP(0)
};

class Fault final : public std::runtime_error {
 public:
  // "#GP(0): wbinvd needs CPL 0".
  Fault(Exception exception, const std::string& reason)
      : std::runtime_error{"#GP(0): " + reason}, exception_{exception} {}

  Exception exception() const { return exception_; }

 private:
  Exception exception_;
};

}  // namespace ioasim::cpu
