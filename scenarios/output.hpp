// Files and streams that a run writes. A run that fails leaves none of its files behind.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ioasim::scenarios {

// The directory of --out. It must not exist, or be empty.
class OutputDirectory {
 public:
  // Throws UsageError if nothing could be written there. Writes nothing yet.
  explicit OutputDirectory(std::string path);
  // Removes all that was written, unless keep() was called.
  ~OutputDirectory();
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;

  // The path for a file that somebody else writes.
  std::string reserve(const std::string& name);
  // Throws UsageError if not all of the text could be written.
  void write(const std::string& name, const std::string& text);
  void keep() { kept_ = true; }

 private:
  void create();

  std::filesystem::path path_;
  std::vector<std::filesystem::path> created_;  // in order of creation
  bool kept_ = false;
};

// Throws UsageError if not all of the text could be written.
void write_stdout(const std::string& text);

}  // namespace ioasim::scenarios
