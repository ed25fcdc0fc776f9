// The ticket lock: waiting takes simulated time, and turns are kept.
#include "kernel/lock.hpp"

#include <gtest/gtest.h>

#include "unit/kernel/fake_machine.hpp"

namespace ioasim::kernel {
namespace {

TEST(Lock, WaitingTakesTimeUntilItIsFree) {
  test::FakeMachine cpu;
  Lock lock{20_ns};
  lock.lock(cpu);
  unsigned looks = 0;
  cpu.on_execute = [&] {
    if (++looks == 5) lock.unlock(cpu);
  };
  const auto begin = cpu.now();
  { const Guard guard{lock, cpu}; }
  EXPECT_EQ(cpu.now() - begin, 100_ns);
}

TEST(Lock, FreeLocksTakeNoTime) {
  test::FakeMachine cpu;
  Lock lock{20_ns};
  const auto begin = cpu.now();
  for (int i = 0; i < 3; ++i) const Guard guard{lock, cpu};
  EXPECT_EQ(cpu.now(), begin);
}

}  // namespace
}  // namespace ioasim::kernel
