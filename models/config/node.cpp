#include "config/node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace ioasim::config {
namespace {

void locate_under(const Node& group, const std::string& prefix, std::vector<Located>& found) {
  for (const Node& child : group.children) {
    if (!child.in_path) {
      locate_under(child, prefix, found);
      continue;
    }
    const std::string path = prefix.empty() ? child.name : prefix + "." + child.name;
    found.push_back({path, &child});
    locate_under(child, path, found);
  }
}

void print_under(const Node& group, const std::string& indent, std::string& text) {
  for (const Node& child : group.children) {
    text += indent + yaml_scalar(child.name) + ":";
    if (!child.is_group()) {
      text += " " + yaml_scalar(child.print()) + "\n";
    } else if (child.children.empty()) {
      text += " {}\n";
    } else {
      text += "\n";
      print_under(child, indent + "  ", text);
    }
  }
}

// Where the bracketed source at the end of a sentence begins, or its length if there is none.
std::size_t source_begin(std::string_view doc) {
  if (!doc.ends_with(']')) return doc.size();
  const auto begin = doc.rfind('[');
  return begin == std::string_view::npos ? doc.size() : begin;
}

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' ||
         c == '/';
}

}  // namespace

std::string detail::with_source(std::string doc, std::string_view group_doc) {
  if (!source(doc).empty() || source(group_doc).empty()) return doc;
  return doc + " [" + std::string{source(group_doc)} + "]";
}

std::vector<Located> locate(const Node& root) {
  std::vector<Located> found;
  locate_under(root, "", found);
  return found;
}

std::vector<Located> parameters(const Node& root) {
  auto found = locate(root);
  std::erase_if(found, [](const Located& located) {
    return located.node->is_group() || !located.node->settable;
  });
  return found;
}

std::string_view sentence(std::string_view doc) {
  auto text = doc.substr(0, source_begin(doc));
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::string_view source(std::string_view doc) {
  const auto begin = source_begin(doc);
  return begin == doc.size() ? std::string_view{} : doc.substr(begin + 1, doc.size() - begin - 2);
}

std::string to_yaml(const Node& root) {
  std::string text;
  print_under(root, "", text);
  return text;
}

std::string yaml_scalar(std::string_view text) {
  const bool begins_plain = !text.empty() && is_plain(text.front()) && text.front() != '-';
  if (begins_plain && std::all_of(text.begin(), text.end(), is_plain) && text != "null" &&
      text != "..." && text != "Null" && text != "NULL") {
    return std::string{text};
  }
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace ioasim::config
