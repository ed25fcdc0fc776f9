#include "trace/text_sink.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "trace/format.hpp"

namespace ioasim::trace {
namespace {

constexpr std::size_t buffer_bytes = 1u << 16;

}  // namespace

TextSink::TextSink(std::FILE* file) : file_{file} { buffer_.reserve(buffer_bytes); }

TextSink::~TextSink() {
  flush();
  if (file_ != stdout && file_ != stderr) std::fclose(file_);
}

void TextSink::on(Picoseconds at, const Event& event) {
  // 17 columns hold a second of simulated time.
  fmt::format_to(std::back_inserter(buffer_), "{:>17} {}\n", to_text(at), to_text(event));
  if (buffer_.size() > buffer_bytes - 4096) flush();
}

std::string TextSink::finish() {
  flush();
  return error_ == 0 ? std::string{} : std::string{std::strerror(error_)};
}

void TextSink::flush() {
  if (error_ != 0) return;
  const bool written = std::fwrite(buffer_.data(), 1, buffer_.size(), file_) == buffer_.size();
  if (!written || std::fflush(file_) != 0) error_ = errno;
  buffer_.clear();
}

}  // namespace ioasim::trace
