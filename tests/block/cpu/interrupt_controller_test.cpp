// Messages to local APICs.
#include "cpu/interrupt_controller.hpp"

#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/core_pair.hpp"

namespace ioasim::cpu {
namespace {

using test::word;

class InterruptControllerTest : public test::Bench {
 protected:
  InterruptControllerTest()
      : pair{clock, bus}, controller{"controller", clock, {&pair.core0, &pair.core1}, 1} {
    unit.socket.bind(controller.messages(0));
    bus.add(taken);
  }
  void expect_dropped(std::uint64_t address, std::uint32_t data) {
    unit.write(address, word(data, 4));
    sleep(1_us);
    EXPECT_TRUE(taken.entries.empty());
    EXPECT_EQ(controller.stats().dropped.n, 1u);
  }

  test::CorePair pair;
  InterruptController controller;
  test::Requester unit{"unit", clock};
  test::Recorder<trace::Interrupt> taken;
};

TEST_F(InterruptControllerTest, MessageBecomesAVectorAtItsCore) {
  run([&] {
    EXPECT_TRUE(unit.write(0xfee0'1000, word(0x41, 4), 123_ns).ok());
    sleep(1_us);
    ASSERT_EQ(taken.entries.size(), 1u);
    EXPECT_EQ(taken.entries[0].at, 123_ns);
    EXPECT_EQ(taken.entries[0].event.core, 1u);
    EXPECT_EQ(taken.entries[0].event.vector, 0x41u);
  });
}

TEST_F(InterruptControllerTest, NoSuchCore) {
  run([&] { expect_dropped(0xfee0'2000, 0x41); });
}
TEST_F(InterruptControllerTest, RemappableFormat) {
  run([&] { expect_dropped(0xfee0'0010, 0x41); });
}
TEST_F(InterruptControllerTest, LogicalDestination) {
  run([&] { expect_dropped(0xfee0'0004, 0x41); });
}
TEST_F(InterruptControllerTest, OtherDeliveryMode) {
  run([&] { expect_dropped(0xfee0'0000, 0x141); });
}

TEST_F(InterruptControllerTest, OnlyFourByteWritesAreMessages) {
  run([&] {
    EXPECT_FALSE(unit.write(0xfee0'0000, word(0x41, 8)).ok());
    EXPECT_FALSE(unit.read(0xfee0'0000, 4).ok());
    EXPECT_TRUE(taken.entries.empty());
  });
}

}  // namespace
}  // namespace ioasim::cpu
