// The router of uncached accesses, between two cores and two windows.
#include "memory/mmio_router.hpp"

#include <gtest/gtest.h>

#include "support/bench.hpp"
#include "support/requester.hpp"
#include "support/responder.hpp"

namespace ioasim::memory {
namespace {

using test::Request;
using test::word;

class MmioRouterTest : public test::Bench {
 protected:
  MmioRouterTest() : router{"router", clock, 2, {{Hpa{0x1000}, 0x1000}, {Hpa{0x8000}, 0x1000}}} {
    core0.socket.bind(router.core(0));
    core1.socket.bind(router.core(1));
    router.window(0).bind(low.port());
    router.window(1).bind(high.port());
  }

  MmioRouter router;
  test::Requester core0{"core0", clock};
  test::Requester core1{"core1", clock};
  test::Responder low{"low", clock};
  test::Responder high{"high", clock};
};

TEST_F(MmioRouterTest, AccessGoesToItsWindowWithItsAddress) {
  run([&] {
    EXPECT_TRUE(core0.write(0x1ff8, word(1)).ok());
    EXPECT_TRUE(core1.write(0x8000, word(2)).ok());
    EXPECT_EQ(low.seen.at(0).address, 0x1ff8u);
    EXPECT_EQ(high.seen.at(0).address, 0x8000u);
  });
}

TEST_F(MmioRouterTest, AnswerGoesToTheCoreThatAsked) {
  low.defer = true;
  low.latency = 30_ns;
  low.put(0x1000, 11);
  low.put(0x1008, 22);
  run([&] {
    const Request& first = core0.read(0x1000, 8);
    const Request& second = core1.read(0x1008, 8);
    sleep(1_us);
    EXPECT_EQ(first.value(), 11u);
    EXPECT_EQ(second.value(), 22u);
    EXPECT_EQ(first.done_at, 30_ns);
    EXPECT_EQ(core0.completed().size(), 1u);
  });
}

TEST_F(MmioRouterTest, NobodyAnswersOutsideTheWindows) {
  run([&] {
    EXPECT_EQ(core0.read(0x3000, 4).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(core0.read(0x1ffc, 8).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);  // half outside
    test::Data data(4);
    EXPECT_EQ(core0.debug_read(0x3000, data), 0u);
    EXPECT_EQ(core0.debug_read(0x8000, data), 4u);
  });
}

}  // namespace
}  // namespace ioasim::memory
