// Writes every event as one line: time, name, fields.
#pragma once

#include <cstdio>
#include <string>

#include "trace/bus.hpp"

namespace ioasim::trace {

class TextSink final : public Listener {
 public:
  // An open file. The sink closes it in the end, unless it is stdout or stderr.
  explicit TextSink(std::FILE* file);
  ~TextSink() override;
  TextSink(const TextSink&) = delete;
  TextSink& operator=(const TextSink&) = delete;

  void on(Picoseconds at, const Event& event) override;

  // Writes out what is buffered. Empty, or why some of the lines could not be written.
  std::string finish();

 private:
  void flush();

  std::FILE* file_;
  std::string buffer_;
  int error_ = 0;
};

}  // namespace ioasim::trace
