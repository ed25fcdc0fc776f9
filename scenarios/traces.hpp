// The traces that a run is asked to write.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/output.hpp"
#include "trace/text_sink.hpp"

namespace ioasim::scenarios {

// One --trace KIND[:FILE], open.
struct TraceRequest {
  std::string kind;
  std::string file;           // "-" is standard output, "" standard error
  trace::Listener* listener;  // to be added to the bus for the time of the simulation
};

class Traces {
 public:
  // Opens every trace of `texts`, in `out` if there is one and the text names no file. Throws
  // UsageError for a kind that is not known or a file that cannot be written.
  Traces(const std::vector<std::string>& texts, OutputDirectory* out, bool stdout_is_taken);
  // Removes the files that were created, unless finish() was called.
  ~Traces();
  Traces(const Traces&) = delete;
  Traces& operator=(const Traces&) = delete;

  const std::vector<TraceRequest>& requests() const { return requests_; }

  // Throws UsageError if not all could be written.
  void finish();

 private:
  void open(std::string_view text, OutputDirectory* out, bool stdout_is_taken);
  void close(bool keep);

  std::vector<TraceRequest> requests_;
  std::vector<std::unique_ptr<trace::TextSink>> sinks_;
  std::vector<std::string> created_;
};

}  // namespace ioasim::scenarios
