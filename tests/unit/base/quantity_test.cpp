#include "base/quantity.hpp"

#include <gmock/gmock.h>

namespace ioasim {
namespace {

TEST(Time, LiteralsArePicoseconds) {
  EXPECT_EQ((7_ps).count(), 7);
  EXPECT_EQ((7_ns).count(), 7'000);
  EXPECT_EQ((7_us).count(), 7'000'000);
  EXPECT_EQ((7_ms).count(), 7'000'000'000);
  EXPECT_GT(forever, 1'000'000_ms);
}

TEST(Quantity, LiteralsCarryTheirUnit) {
  EXPECT_EQ((3_B).count, 3u);
  EXPECT_EQ((3_KiB).count, 3072u);
  EXPECT_EQ((3_MiB).count, 3145728u);
  EXPECT_EQ((3_GiB).count, 3221225472u);
  EXPECT_EQ((2400_MHz).hertz, 2'400'000'000u);
  EXPECT_EQ((17'066_MBps).bytes_per_second, 17'066'000'000u);
  EXPECT_EQ((2_GBps).bytes_per_second, 2'000'000'000u);
  EXPECT_EQ((16_GTps).hundred_mega, 160u);
}

TEST(Quantity, APeriodIsRoundedUpOnceOverAllCycles) {
  EXPECT_EQ(period(1000_MHz), 1'000_ps);
  EXPECT_EQ(period(2400_MHz), 417_ps);       // 416.67
  EXPECT_EQ(period(2400_MHz, 3), 1'250_ps);  // exactly, and not 3 x 417
  EXPECT_EQ(period(2400_MHz, 0), 0_ps);
  EXPECT_EQ(period(Frequency{3}), Picoseconds{333'333'333'334});
}

TEST(Quantity, ATransferIsRoundedUpToAPicosecond) {
  EXPECT_EQ(transfer_time(64, 1_GBps), 64_ns);
  EXPECT_EQ(transfer_time(64, 17'066_MBps), 3'751_ps);  // 3750.15
  EXPECT_EQ(transfer_time(0, 1_GBps), 0_ps);
  EXPECT_EQ(transfer_time(1, 3_GBps), 334_ps);
  EXPECT_EQ(transfer_time(18'000'000, 1_GBps), 18_ms);
}

}  // namespace
}  // namespace ioasim
