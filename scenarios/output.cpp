#include "scenarios/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "scenarios/usage_error.hpp"

namespace ioasim::scenarios {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& path, std::string_view why) {
  throw UsageError{fmt::format("--out {}: {}", path.string(), why)};
}

}  // namespace

OutputDirectory::OutputDirectory(std::string path) : path_{std::move(path)} {
  if (path_.empty()) throw UsageError{"--out needs the name of a directory"};
  if (!path_.has_filename()) path_ = path_.parent_path();  // "dir/"
  std::error_code error;
  if (fs::symlink_status(path_, error).type() == fs::file_type::symlink && !fs::exists(path_)) {
    refuse(path_, "is a link to nothing");
  }
  fs::path base = path_;
  if (fs::exists(path_, error)) {
    if (!fs::is_directory(path_, error)) refuse(path_, "is a file: name a directory");
    const bool empty = fs::is_empty(path_, error);
    if (error) refuse(path_, error.message());
    if (!empty) refuse(path_, "is not empty: name another directory, or remove it");
  } else {
    while (!fs::exists(base, error)) base = base.has_parent_path() ? base.parent_path() : ".";
    if (!fs::is_directory(base, error)) {
      refuse(path_, fmt::format("{} is no directory", base.string()));
    }
  }
  if (::access(base.c_str(), W_OK | X_OK) != 0) {
    refuse(path_, fmt::format("cannot write in {}: {}", base.string(), std::strerror(errno)));
  }
}

OutputDirectory::~OutputDirectory() {
  if (kept_) return;
  std::error_code ignored;
  for (auto path = created_.rbegin(); path != created_.rend(); ++path) fs::remove(*path, ignored);
}

std::string OutputDirectory::reserve(const std::string& name) {
  create();
  created_.push_back(path_ / name);
  return created_.back().string();
}

void OutputDirectory::write(const std::string& name, const std::string& text) {
  const std::string path = reserve(name);
  std::FILE* file = std::fopen(path.c_str(), "w");
  bool written = file != nullptr;
  if (file) {
    written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    written = std::fclose(file) == 0 && written;
  }
  if (!written) throw UsageError{fmt::format("cannot write {}: {}", path, std::strerror(errno))};
}

void OutputDirectory::create() {
  std::vector<fs::path> missing;
  for (fs::path path = path_; !path.empty() && !fs::exists(path); path = path.parent_path()) {
    missing.push_back(path);
  }
  for (auto path = missing.rbegin(); path != missing.rend(); ++path) {
    std::error_code error;
    if (!fs::create_directory(*path, error)) refuse(path_, error.message());
    created_.push_back(*path);
  }
}

void write_stdout(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    throw UsageError{fmt::format("cannot write to standard output: {}", std::strerror(errno))};
  }
}

}  // namespace ioasim::scenarios
