#include "config/apply.hpp"

#include <gmock/gmock.h>

namespace ioasim::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Cache {
  unsigned entries = 64;
  unsigned ways = 4;

  static constexpr auto fields =
      std::tuple{Field{"entries", &Cache::entries, "entries held [CAL-7]", Limits{1u, 65536u}},
                 Field{"ways", &Cache::ways, "associativity", Limits{1u, 32u}}};
  void check(Problems& problems) const {
    if (entries % ways != 0) problems.push_back({"entries", "must be a multiple of ways"});
  }
};

struct Unit {
  Cache iotlb{};
  Cache nonleaf{.entries = 16, .ways = 2};
  Picoseconds lookup = 2_ns;
  bool coherent = true;
  std::string label = "x";

  static constexpr auto fields = std::tuple{
      Field{"iotlb", &Unit::iotlb, "translations [CAL-8]"},
      Field{"nonleaf", &Unit::nonleaf, "upper levels"},
      Field{"lookup", &Unit::lookup, "time of a hit [model choice]", Limits{0_ps, 1'000_ns}},
      Field{"coherent", &Unit::coherent, "walks are snooped"},
      Field{"label", &Unit::label, "any text"}};
};

// A root with one group whose name is part of paths inside one whose name is not.
class Apply : public testing::Test {
 protected:
  void read(const std::string& text) {
    const Value document = read_text(text, "m.yaml");
    apply(document, root_, origins_);
  }
  void set(std::string_view text) { apply(parse_setting(text), root_, origins_); }

  template <class Act>
  static std::string error_of(Act act) {
    try {
      act();
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  }
  std::string error_of_read(const std::string& text) {
    return error_of([&] { read(text); });
  }
  std::string error_of_set(std::string_view text) {
    return error_of([&] { set(text); });
  }
  std::string error_of_check() {
    return error_of([&] { check(root_, origins_); });
  }

  Node make_root() {
    Node units{.name = "units", .doc = ""};
    units.in_path = false;
    units.children.push_back(bind("iommu0", unit_));
    Node root{.name = "the machine", .doc = ""};
    root.children.push_back(std::move(units));
    return root;
  }

  Unit unit_;
  Node root_ = make_root();
  Origins origins_{{.file = "m.yaml"}};
};

TEST_F(Apply, PathsAndTexts) {
  std::vector<std::string> lines;
  for (const auto& [path, node] : parameters(root_)) {
    lines.push_back(path + "=" + node->print() + " (" + std::string{node->unit} + ") " +
                    node->range + " " + std::string{sentence(node->doc)} + "|" +
                    std::string{source(node->doc)});
  }
  EXPECT_THAT(lines, ElementsAre("iommu0.iotlb.entries=64 (count) 1..65536 entries held|CAL-7",
                                 "iommu0.iotlb.ways=4 (count) 1..32 associativity|CAL-8",
                                 "iommu0.nonleaf.entries=16 (count) 1..65536 entries held|CAL-7",
                                 "iommu0.nonleaf.ways=2 (count) 1..32 associativity|",
                                 "iommu0.lookup=2ns (time) 0ns..1us time of a hit|model choice",
                                 "iommu0.coherent=true (switch) true|false walks are snooped|",
                                 "iommu0.label=x (text)  any text|"));
}

TEST_F(Apply, DefaultsAreThoseOfTheMember) {
  set("iommu0.nonleaf.entries=32");
  for (const auto& [path, node] : parameters(root_)) {
    if (path == "iommu0.nonleaf.entries") {
      EXPECT_EQ(node->initial, "16");
    }
  }
}

TEST_F(Apply, ReadsAFile) {
  read("units:\n  iommu0:\n    iotlb: {entries: 128}\n    lookup: 1.6ns\n    coherent: false\n");
  EXPECT_EQ(unit_.iotlb.entries, 128u);
  EXPECT_EQ(unit_.iotlb.ways, 4u);
  EXPECT_EQ(unit_.lookup, Picoseconds{1600});
  EXPECT_FALSE(unit_.coherent);
}

TEST_F(Apply, EmptyGroupsKeepDefaults) {
  read("units:\n  iommu0:\n    iotlb:\n");
  EXPECT_EQ(unit_.iotlb.entries, 64u);
}

TEST_F(Apply, UnknownKeys) {
  EXPECT_EQ(error_of_read("units:\n  iommu0:\n    iotlb: {entires: 1}\n"),
            "m.yaml:3:13: iommu0.iotlb.entires: unknown key; did you mean entries?");
  EXPECT_EQ(error_of_read("unit: {}\n"),
            "m.yaml:1:1: the machine.unit: unknown key; did you mean units?");
}

TEST_F(Apply, WrongKindOfNode) {
  EXPECT_EQ(error_of_read("units: {iommu0: {lookup: {a: b}}}\n"),
            "m.yaml:1:26: iommu0.lookup: must be a single value, not a map");
  EXPECT_EQ(error_of_read("units: {iommu0: {lookup: [1ns]}}\n"),
            "m.yaml:1:26: iommu0.lookup: must be a single value, not a list");
  EXPECT_THAT(error_of_read("units: {iommu0: {lookup: }}\n"),
              HasSubstr("iommu0.lookup: must be a single value, not nothing"));
  EXPECT_EQ(error_of_read("units: {iommu0: {iotlb: 64}}\n"),
            "m.yaml:1:25: iommu0.iotlb=64: must be a map of its parameters (entries, ways), not a "
            "single value");
}

TEST_F(Apply, WrongValues) {
  EXPECT_EQ(error_of_read("units:\n  iommu0:\n    lookup: 2\n"),
            "m.yaml:3:13: iommu0.lookup=2: missing unit: write 2ns (units are ps, ns, us, ms or "
            "s)");
  EXPECT_EQ(error_of_set("iommu0.iotlb.ways=0"),
            "--set iommu0.iotlb.ways=0: out of range: must be from 1 to 32");
  EXPECT_EQ(error_of_set("iommu0.iotlb.ways=99999999999"),
            "--set iommu0.iotlb.ways=99999999999: out of range: must be from 1 to 32");
  EXPECT_EQ(error_of_set("iommu0.lookup=2us"),
            "--set iommu0.lookup=2us: out of range: must be from 0ns to 1us");
  EXPECT_EQ(unit_.lookup, 2_ns);
  EXPECT_EQ(error_of_set("iommu0.coherent=1"), "--set iommu0.coherent=1: must be true or false");
}

TEST_F(Apply, SetsTheLastWins) {
  read("units: {iommu0: {lookup: 4ns}}\n");
  set("iommu0.lookup=5ns");
  set("iommu0.lookup=6ns");
  set("iommu0.label=a=b");
  EXPECT_EQ(unit_.lookup, 6_ns);
  EXPECT_EQ(unit_.label, "a=b");
}

TEST_F(Apply, SetsThatNameNoParameter) {
  EXPECT_EQ(error_of_set("iommu0.iotlb.entires=1"),
            "--set iommu0.iotlb.entires=1: unknown parameter; did you mean iommu0.iotlb.entries?");
  EXPECT_THAT(error_of_set("lookup=1ns"), HasSubstr("did you mean iommu0.lookup?"));
  EXPECT_THAT(error_of_set("units.iommu0.lookup=1ns"), HasSubstr("did you mean iommu0.lookup?"));
  EXPECT_EQ(error_of_set("iommu0.iotlb=1"),
            "--set iommu0.iotlb=1: is a group of parameters; set one of them: "
            "iommu0.iotlb.entries, iommu0.iotlb.ways");
  EXPECT_EQ(error_of_set("iommu0.lookup"), "--set iommu0.lookup: write --set PATH=VALUE");
  EXPECT_EQ(error_of_set("=1"), "--set =1: write --set PATH=VALUE");
}

TEST_F(Apply, WhatOnlyAFileMaySet) {
  std::string name = "server";
  root_.children.push_back(leaf("name", name, "the machine's name"));
  root_.children.back().settable = false;
  read("name: client\n");
  EXPECT_EQ(name, "client");
  EXPECT_THAT(error_of_set("name=x"), HasSubstr("unknown parameter"));
}

TEST_F(Apply, ChecksNameThePlaceOfTheParameter) {
  read("units:\n  iommu0:\n    nonleaf:\n      entries: 15\n");
  EXPECT_EQ(error_of_check(), "m.yaml:4:16: iommu0.nonleaf.entries=15: must be a multiple of ways");
}

TEST_F(Apply, ChecksNameThePlaceOfTheOtherParameter) {
  read("units:\n  iommu0:\n    iotlb:\n      ways: 3\n");
  EXPECT_EQ(error_of_check(), "m.yaml:4:13: iommu0.iotlb.entries=64: must be a multiple of ways");
  set("iommu0.iotlb.ways=5");
  EXPECT_EQ(error_of_check(),
            "--set iommu0.iotlb.ways=5: iommu0.iotlb.entries=64: must be a multiple of ways");
  set("iommu0.iotlb.ways=4");
  EXPECT_EQ(error_of_check(), "accepted");
}

TEST_F(Apply, ChecksWithoutAnyPlaceNameTheFile) {
  unit_.iotlb.entries = 3;
  EXPECT_EQ(error_of_check(), "m.yaml: iommu0.iotlb.entries=3: must be a multiple of ways");
}

TEST_F(Apply, PrintsYamlThatReadsBack) {
  set("iommu0.lookup=1.6ns");
  set("iommu0.label=\"a: b\" # \\ \t?");
  const std::string yaml = to_yaml(root_);
  EXPECT_THAT(yaml, HasSubstr("units:\n  iommu0:\n    iotlb:\n      entries: 64\n"));
  const Unit before = unit_;
  unit_ = {};
  read(yaml);
  EXPECT_EQ(unit_.lookup, before.lookup);
  EXPECT_EQ(unit_.label, before.label);
  EXPECT_EQ(to_yaml(root_), yaml);
}

TEST(YamlScalar, IsQuotedWhereItMustBe) {
  EXPECT_EQ(yaml_scalar("300ns"), "300ns");
  EXPECT_EQ(yaml_scalar("17.066GB/s"), "17.066GB/s");
  EXPECT_EQ(yaml_scalar(""), "\"\"");
  EXPECT_EQ(yaml_scalar("null"), "\"null\"");
  EXPECT_EQ(yaml_scalar("~"), "\"~\"");
  EXPECT_EQ(yaml_scalar("two words"), "\"two words\"");
  EXPECT_EQ(yaml_scalar("-"), "\"-\"");
  EXPECT_EQ(yaml_scalar("a\nb"), "\"a\\x0ab\"");
  for (const std::string text : {"...", "---", "a: b", "#", "\"", "\\", "\x01", "µs", "[", "*a"}) {
    const auto root = read_text("k: " + yaml_scalar(text) + "\n", "m.yaml");
    EXPECT_EQ(root.find("k")->value.text, text);
  }
}

}  // namespace
}  // namespace ioasim::config
