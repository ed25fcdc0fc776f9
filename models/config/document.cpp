#include "config/document.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "base/check.hpp"

namespace ioasim::config {
namespace {

constexpr std::size_t file_bytes_max = 4u << 20;
constexpr std::size_t depth_max = 64;

[[noreturn]] void fail(const Place& place, std::string message) {
  throw ConfigError{{.place = place, .path = {}, .value = {}, .message = std::move(message)}};
}

// Builds the tree from the parser's events. The document classes of yaml-cpp would drop the places
// of keys and all but one of several equal keys.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string name) : name_{std::move(name)} {}

  Value take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    add(node(Value::Kind::null, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(place(mark), "aliases (*name) are not supported: write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& text) override {
    // The parser gives plain scalars the tag "?"; quoted ones are never null.
    const bool null = tag == "?" && (text.empty() || text == "~" || text == "null");
    Value scalar = node(null ? Value::Kind::null : Value::Kind::scalar, mark);
    scalar.text = text;
    add(std::move(scalar));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, Value::Kind::list);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, Value::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Value value;
    bool has_key = false;
    std::string key;
    Place key_place;
  };

  Place place(const YAML::Mark& mark) const { return {name_, mark.line + 1, mark.column + 1}; }

  Value node(Value::Kind kind, const YAML::Mark& mark) const {
    Value value;
    value.kind = kind;
    value.place = place(mark);
    return value;
  }

  void open(const YAML::Mark& mark, Value::Kind kind) {
    if (open_.size() == depth_max) fail(place(mark), "nested too deeply");
    open_.emplace_back().value = node(kind, mark);
  }

  void close() {
    Value value = std::move(open_.back().value);
    open_.pop_back();
    add(std::move(value));
  }

  void add(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Open& parent = open_.back(); parent.value.kind == Value::Kind::list) {
      parent.value.items.push_back(std::move(value));
    } else if (parent.has_key) {
      parent.has_key = false;
      parent.value.entries.push_back({parent.key, parent.key_place, std::move(value)});
    } else {
      begin_entry(parent, std::move(value));
    }
  }

  static void begin_entry(Open& map, Value key) {
    if (key.kind != Value::Kind::scalar) fail(key.place, "a key must be a name");
    if (const Entry* first = map.value.find(key.text)) {
      fail(key.place,
           fmt::format("\"{}\" is given twice: first at line {}", key.text, first->place.line));
    }
    map.has_key = true;
    map.key = std::move(key.text);
    map.key_place = std::move(key.place);
  }

  std::string name_;
  Value root_;
  std::vector<Open> open_;
};

// The parser's own message for a tab does not say what to do about it.
void refuse_tabs(const std::string& text, const std::string& name) {
  int line = 1;
  int column = 1;
  bool indenting = true;
  for (const char c : text) {
    if (indenting && c == '\t') fail({name, line, column}, "a tab: indent with spaces");
    if (c == '\n') {
      ++line;
      column = 1;
      indenting = true;
    } else {
      ++column;
      indenting = indenting && c == ' ';
    }
  }
}

std::string read_all(const std::string& path) {
  struct Descriptor {
    int value;
    ~Descriptor() {
      if (value >= 0) ::close(value);
    }
  };
  const Place place{.file = path};
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value < 0) fail(place, fmt::format("cannot read: {}", std::strerror(errno)));
  struct stat status {};
  if (::fstat(file.value, &status) == 0 && S_ISDIR(status.st_mode)) {
    fail(place, "is a directory: name a file in it");
  }
  std::string text;
  std::array<char, 65536> part{};
  for (;;) {
    const auto bytes = ::read(file.value, part.data(), part.size());
    if (bytes < 0) fail(place, fmt::format("cannot read: {}", std::strerror(errno)));
    if (bytes == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(bytes));
    if (text.size() > file_bytes_max) fail(place, "too large for a configuration");
  }
}

}  // namespace

const Entry* Value::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

std::string_view to_text(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::null:
      return "nothing";
    case Value::Kind::scalar:
      return "a single value";
    case Value::Kind::list:
      return "a list";
    case Value::Kind::map:
      return "a map";
  }
  UNREACHABLE();
}

Value read_text(const std::string& text, const std::string& name) {
  const Place whole{.file = name};
  if (text.find('\0') != std::string::npos) fail(whole, "is not a text file");
  refuse_tabs(text, name);
  std::istringstream stream{text};
  try {
    YAML::Parser parser{stream};
    Builder builder{name};
    if (!parser.HandleNextDocument(builder)) fail(whole, "is empty");
    Value root = builder.take();
    Builder second{name};
    if (parser.HandleNextDocument(second)) {
      fail(second.take().place, "a second document: only one is read");
    }
    if (root.kind == Value::Kind::null) fail(whole, "is empty");
    if (root.kind != Value::Kind::map) {
      fail(root.place, fmt::format("must be a map of sections, not {}", to_text(root.kind)));
    }
    return root;
  } catch (const YAML::Exception& error) {
    fail({name, error.mark.line + 1, error.mark.column + 1},
         fmt::format("malformed YAML: {}", error.msg));
  }
}

Value read_file(const std::string& path) { return read_text(read_all(path), path); }

}  // namespace ioasim::config
