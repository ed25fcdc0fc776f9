// The user's mistake on the command line or in the files that it names: exit status 2.
#pragma once

#include <stdexcept>

namespace ioasim::scenarios {

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace ioasim::scenarios
