// The user's mistake in a configuration: found before time zero, said in one line.
#pragma once

#include <stdexcept>
#include <string>

namespace ioasim::config {

// Where a value was given. Without a line it is not from a file ("--set"), or is the whole file.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;

  bool operator==(const Place&) const = default;
};

std::string to_text(const Place& place);

struct Mistake {
  Place place;
  std::string path;     // of the parameter; empty for a mistake of the file as such
  std::string value;    // as the user wrote it
  std::string message;  // what would be right
};

// what(): "server.yaml:12:16: iommu0.iotlb.entries=0: must be from 1 to 65536".
class ConfigError : public std::runtime_error {
 public:
  explicit ConfigError(Mistake mistake);
  const Mistake& mistake() const { return mistake_; }

 private:
  Mistake mistake_;
};

}  // namespace ioasim::config
