#include "config/document.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace ioasim::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string error_of(const std::string& text) {
  try {
    read_text(text, "m.yaml");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

std::string error_of_file(const std::string& path) {
  try {
    read_file(path);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Document, KeepsTextAndPlaces) {
  const Value root = read_text("cpu:\n  cores: 2\n  clock: \"2GHz\"\nlist: [a, b]\n", "m.yaml");
  const Entry* cpu = root.find("cpu");
  ASSERT_NE(cpu, nullptr);
  EXPECT_EQ(cpu->place, (Place{"m.yaml", 1, 1}));
  const Entry* clock = cpu->value.find("clock");
  ASSERT_NE(clock, nullptr);
  EXPECT_EQ(clock->value.text, "2GHz");
  EXPECT_EQ(clock->value.place, (Place{"m.yaml", 3, 10}));
  EXPECT_EQ(root.find("list")->value.items.size(), 2u);
  EXPECT_EQ(root.find("memory"), nullptr);
}

TEST(Document, NothingIsNullAndQuotedNothingIsNot) {
  const Value root = read_text("a:\nb: ~\nc: null\nd: \"\"\ne: 'null'\n", "m.yaml");
  for (const auto* name : {"a", "b", "c"}) {
    EXPECT_EQ(root.find(name)->value.kind, Value::Kind::null) << name;
  }
  for (const auto* name : {"d", "e"}) {
    EXPECT_EQ(root.find(name)->value.kind, Value::Kind::scalar) << name;
  }
}

TEST(Document, MalformedYaml) {
  EXPECT_THAT(error_of("cpu: {cores: 2\nmemory: x\n"), StartsWith("m.yaml:2:7: malformed YAML: "));
  EXPECT_THAT(error_of("a: b: c\n"), StartsWith("m.yaml:1:5: malformed YAML: "));
}

TEST(Document, Tabs) {
  EXPECT_EQ(error_of("cpu:\n\tcores: 2\n"), "m.yaml:2:1: a tab: indent with spaces");
  EXPECT_EQ(error_of("cpu:\n  \tcores: 2\n"), "m.yaml:2:3: a tab: indent with spaces");
}

TEST(Document, DuplicateKeys) {
  EXPECT_EQ(error_of("cpu:\n  cores: 2\n  cores: 3\n"),
            "m.yaml:3:3: \"cores\" is given twice: first at line 2");
}

TEST(Document, NotAMap) {
  EXPECT_EQ(error_of(""), "m.yaml: is empty");
  EXPECT_EQ(error_of("# nothing\n"), "m.yaml: is empty");
  EXPECT_EQ(error_of("---\n"), "m.yaml: is empty");
  EXPECT_EQ(error_of("- a\n- b\n"), "m.yaml:1:1: must be a map of sections, not a list");
  EXPECT_EQ(error_of("hello\n"), "m.yaml:1:1: must be a map of sections, not a single value");
}

TEST(Document, WhatIsNotSupported) {
  EXPECT_EQ(error_of("a: &x 1\nb: *x\n"),
            "m.yaml:2:4: aliases (*name) are not supported: write the value out");
  EXPECT_EQ(error_of("a: 1\n---\nb: 2\n"), "m.yaml:3:1: a second document: only one is read");
  EXPECT_EQ(error_of("[a]: 1\n"), "m.yaml:1:1: a key must be a name");
  EXPECT_EQ(error_of(std::string("a: \0b\n", 6)), "m.yaml: is not a text file");
  std::string deep = "a: ";
  for (int i = 0; i < 100; ++i) deep += "[";
  EXPECT_THAT(error_of(deep), HasSubstr("nested too deeply"));
}

TEST(Document, FilesThatCannotBeRead) {
  EXPECT_EQ(error_of_file("/"), "/: is a directory: name a file in it");
  EXPECT_EQ(error_of_file("/nowhere/m.yaml"),
            "/nowhere/m.yaml: cannot read: No such file or directory");
  EXPECT_EQ(error_of_file("/dev/zero"), "/dev/zero: too large for a configuration");
  EXPECT_EQ(error_of_file("/dev/null"), "/dev/null: is empty");
}

TEST(Document, AFile) {
  const std::string path = testing::TempDir() + "/ioasim_document_test.yaml";
  std::ofstream{path} << "cpu: {cores: 2}\n";
  EXPECT_EQ(read_file(path).find("cpu")->value.find("cores")->value.text, "2");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace ioasim::config
