#include "scenarios/traces.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "config/nearest.hpp"
#include "scenarios/usage_error.hpp"

namespace ioasim::scenarios {
namespace {

const std::vector<std::string> kinds{"text", "perfetto", "vcd", "pcapng"};

void check_kind(const std::string& kind) {
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    throw UsageError{
        fmt::format("--trace: unknown kind \"{}\"{}", kind, config::offer(kind, kinds))};
  }
  if (kind != "text") {
    throw UsageError{fmt::format("--trace {} comes later; today use --trace text:FILE", kind)};
  }
}

}  // namespace

Traces::Traces(const std::vector<std::string>& texts, OutputDirectory* out, bool stdout_is_taken) {
  for (const std::string& text : texts) check_kind(text.substr(0, text.find(':')));
  try {
    for (const std::string& text : texts) open(text, out, stdout_is_taken);
  } catch (const UsageError&) {
    close(false);
    throw;
  }
}

Traces::~Traces() { close(false); }

void Traces::finish() {
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    if (const auto error = sinks_[i]->finish(); !error.empty()) {
      throw UsageError{fmt::format("--trace {}:{}: cannot write: {}", requests_[i].kind,
                                   requests_[i].file, error)};
    }
  }
  close(true);
}

void Traces::open(std::string_view text, OutputDirectory* out, bool stdout_is_taken) {
  const auto colon = text.find(':');
  TraceRequest request{.kind = std::string{text.substr(0, colon)}, .file = {}, .listener = {}};
  if (colon != std::string_view::npos) {
    request.file = text.substr(colon + 1);
    if (request.file.empty()) throw UsageError{fmt::format("--trace {}: name a file", text)};
  } else if (out) {
    request.file = out->reserve("trace.txt");
  }
  const auto same = [&](const TraceRequest& other) { return other.file == request.file; };
  if (std::any_of(requests_.begin(), requests_.end(), same)) {
    throw UsageError{fmt::format("--trace {}: two traces cannot go to one place", text)};
  }

  std::FILE* file = request.file.empty() ? stderr : stdout;
  if (request.file == "-" && stdout_is_taken) {
    throw UsageError{fmt::format("--trace {}: the result goes there: name a file", text)};
  }
  if (!request.file.empty() && request.file != "-") {
    const bool is_new = ::access(request.file.c_str(), F_OK) != 0;
    file = std::fopen(request.file.c_str(), "w");
    if (!file) {
      throw UsageError{fmt::format("--trace {}:{}: cannot write: {}", request.kind, request.file,
                                   std::strerror(errno))};
    }
    if (is_new) created_.push_back(request.file);
  }
  sinks_.push_back(std::make_unique<trace::TextSink>(file));
  request.listener = sinks_.back().get();
  requests_.push_back(std::move(request));
}

void Traces::close(bool keep) {
  sinks_.clear();
  if (!keep) {
    for (const std::string& file : created_) ::unlink(file.c_str());
  }
  created_.clear();
}

}  // namespace ioasim::scenarios
