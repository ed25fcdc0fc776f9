#include "base/fields.hpp"

#include <gmock/gmock.h>

#include <array>
#include <map>

#include "base/quantity.hpp"

namespace ioasim {
namespace {

using testing::ElementsAre;

enum class Colour { red, green };

struct None {};
struct One {
  int a;
};
struct Inner {
  unsigned x = 1;
  Picoseconds y = 2_ns;
  static constexpr auto fields =
      std::tuple{Field{"x", &Inner::x, "a count", Limits{1u, 8u}}, Field{"y", &Inner::y, "a time"}};
};
// Every kind of member that a table of fields may name.
struct Every {
  bool flag = false;
  unsigned number = 0;
  std::string text;
  std::vector<int> list;
  std::array<int, 3> row{};
  std::optional<int> maybe;
  Colour colour = Colour::red;
  Inner inner{};
  Bytes bytes{};
  std::map<int, int> map;
};

TEST(MemberCount, CountsMembersOfEveryKindOnce) {
  EXPECT_EQ(detail::member_count<None>(), 0u);
  EXPECT_EQ(detail::member_count<One>(), 1u);
  EXPECT_EQ(detail::member_count<Inner>(), 2u);
  EXPECT_EQ(detail::member_count<Every>(), 10u);
}

TEST(MemberCount, CountsManyMembers) {
  struct Twelve {
    int a, b, c, d, e, f, g, h, i, j, k, l;
  };
  EXPECT_EQ(detail::member_count<Twelve>(), 12u);
}

TEST(Fields, AreVisitedInOrderWithNameSentenceAndLimits) {
  std::vector<std::string> names;
  std::vector<bool> limited;
  for_each_field<Inner>([&](const auto& field) {
    names.emplace_back(field.name);
    limited.push_back(field.limits.has_value());
    EXPECT_FALSE(field.doc.empty());
  });
  EXPECT_THAT(names, ElementsAre("x", "y"));
  EXPECT_THAT(limited, ElementsAre(true, false));
}

TEST(Fields, ReachTheMember) {
  Inner inner;
  const auto& field = std::get<0>(Inner::fields);
  inner.*field.member = 5;
  EXPECT_EQ(inner.x, 5u);
  EXPECT_EQ(field.limits->min, 1u);
  EXPECT_EQ(field.limits->max, 8u);
}

TEST(Fields, AreThereOrNot) {
  EXPECT_TRUE(HasFields<Inner>);
  EXPECT_FALSE(HasFields<Every>);
}

}  // namespace
}  // namespace ioasim
