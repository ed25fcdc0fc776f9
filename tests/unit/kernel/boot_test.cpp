// What boot finds and programs, and what it does about hardware that refuses.
#include <algorithm>

#include "unit/kernel/system.hpp"

namespace ioasim::kernel::test {
namespace {

class BootTest : public SystemTest {
 public:
  bool logged(std::string_view text) const {
    for (const auto& line : kernel->log()) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }
};

TEST_F(BootTest, NodesAreNumberedInTheOrderOfEnumeration) {
  boot();
  EXPECT_EQ(kernel->vfio_names(), (std::vector<std::string>{"vfio0", "vfio1"}));
  EXPECT_EQ(kernel->vfio_path(device1), "/dev/vfio/devices/vfio1");
  EXPECT_GE(user->open("/dev/vfio/devices/vfio0"), 0);
  EXPECT_GE(user->open("/dev/vfio/devices/0000:02:00.0"), 0);
  EXPECT_EQ(user->open("/dev/vfio/devices/vfio2"), -ENOENT);
  EXPECT_EQ(user->open("/dev/vfio/vfio"), -ENOENT);
}

TEST_F(BootTest, DevicesBehindSwitchesAreFound) {
  const auto upstream = RequesterId::of(2, 0, 0);
  cpu.add_function(upstream, 0x8086, true);
  cpu.set_config(upstream, 0x42, 0x52, 2);
  cpu.set_config(upstream, 0x19, 3, 1);
  for (unsigned port = 0; port < 2; ++port) {
    const auto downstream = RequesterId::of(3, port, 0);
    cpu.add_function(downstream, 0x8086, true);
    cpu.set_config(downstream, 0x42, 0x62, 2);
    cpu.set_config(downstream, 0x19, 4 + port, 1);
    cpu.add_function(RequesterId::of(4 + port, 0, 0), 0x1af4, false);
  }
  boot();
  EXPECT_EQ(kernel->vfio_names().size(), 3u);
  EXPECT_EQ(kernel->vfio_path(RequesterId::of(5, 0, 0)), "/dev/vfio/devices/vfio2");
}

// RFC v2 1.3 and its review: a device in a group with others has no node.
TEST_F(BootTest, FunctionsThatShareALinkHaveNoNode) {
  cpu.set_config(device0, 0x0e, 0x80, 1);
  cpu.add_function(RequesterId::of(1, 0, 1), 0x1af4, false);
  boot();
  EXPECT_EQ(kernel->vfio_path(device0), "");
  EXPECT_EQ(user->open("/dev/vfio/devices/vfio0"), -ENOENT);
  EXPECT_EQ(kernel->vfio_path(device1), "/dev/vfio/devices/vfio2");
}

TEST_F(BootTest, WithoutDmaNoSnoopOnlyDevicesThatCanBeEnforcedHaveNodes) {
  params.dma_no_snoop = false;
  boot();
  EXPECT_EQ(kernel->vfio_names(), std::vector<std::string>{"vfio0"});
}

TEST_F(BootTest, SizingABarPutsItBack) {
  const auto bar = cpu.config(device0, 0x10, 4);
  cpu.set_config(device0, 0x04, 0x0002, 2);
  boot();
  EXPECT_EQ(cpu.config(device0, 0x10, 4), bar);
  EXPECT_EQ(cpu.config(device0, 0x04, 2), 0x0002u);
}

// VT-d 11.4.4: one bit a command, the others as GSTS shows them.
TEST_F(BootTest, CommandsAreQueueThenRootTableThenTranslation) {
  boot();
  EXPECT_EQ(unit0.commands, (std::vector<std::uint32_t>{0x0400'0000, 0x4400'0000, 0x8400'0000}));
  EXPECT_EQ(unit0.root & 0xfff, 0x400u) << "scalable mode";
}

TEST_F(BootTest, CachesAreInvalidatedInTheirOrderAfterTheRootTable) {
  boot();
  ASSERT_EQ(unit0.descriptors.size(), 3u);
  EXPECT_EQ(unit0.descriptors[0][0], 0x11u);
  EXPECT_EQ(unit0.descriptors[1][0], 0x37u);
  EXPECT_EQ(unit0.descriptors[2][0], 0xd2u);
}

TEST_F(BootTest, AUnitThatInvalidatesItselfIsNotAskedTo) {
  unit0.cap |= 1ull << 63;
  boot();
  EXPECT_TRUE(unit0.descriptors.empty());
}

TEST_F(BootTest, EveryDeviceIsBlocked) {
  boot();
  EXPECT_EQ(cpu.translate(unit0, device0, Iova{0}).fault, 0x59u);
  EXPECT_EQ(cpu.translate(unit1, device1, Iova{0}).fault, 0x59u);
}

TEST_F(BootTest, FaultEventsGoToTheBootingCore) {
  cpu.core = 3;
  boot();
  EXPECT_EQ(unit0.other[0x3c], Kernel::fault_vector);
  EXPECT_EQ(unit0.other[0x40], 0xfee0'3000u);
  EXPECT_EQ(unit0.other[0x38], 0u);
}

TEST_F(BootTest, AUnitLeftRunningIsStoppedFirst) {
  unit0.status = 0xc400'0000;
  boot();
  EXPECT_EQ(unit0.commands.front() & 0x8000'0000, 0u);
  EXPECT_EQ(unit0.commands[1] & 0x0400'0000, 0u);
  EXPECT_EQ(kernel->vfio_names().size(), 2u);
}

TEST_F(BootTest, ACommandThatIsNeverTakenIsAnErrorNotAHang) {
  params.hardware_timeout = 1_ms;
  unit0.refused_commands = 1u << 31;
  boot();
  EXPECT_TRUE(logged("translation cannot be enabled, error -110"));
  EXPECT_EQ(kernel->vfio_names(), std::vector<std::string>{"vfio1"});
}

TEST_F(BootTest, UnitsThatLackSomethingServeNobody) {
  unit0.ecap &= ~(1ull << 43);
  unit1.ecap &= ~(1ull << 46);
  boot();
  EXPECT_TRUE(logged("no scalable mode"));
  EXPECT_TRUE(logged("no second-stage translation"));
  EXPECT_TRUE(kernel->vfio_names().empty());
  EXPECT_TRUE(unit0.commands.empty());
}

TEST_F(BootTest, FaultsAreLoggedAndCleared) {
  boot();
  unit0.faults = 2 | 1u << 8;  // pending, first record 1
  unit0.other[0x410] = 0x1234'5000;
  unit0.other[0x418] = 1ull << 63 | 1ull << 62 | 0x59ull << 32 | device0.value;
  EXPECT_EQ(kernel->handle_faults(cpu), 1u);
  EXPECT_EQ(kernel->log().back(),
            "DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0x12345000 "
            "[fault reason 0x59] SM: PASID table entry is not present");
  EXPECT_EQ(unit0.other[0x418] >> 63, 0u);
  EXPECT_EQ(kernel->handle_faults(cpu), 0u);
}

TEST_F(BootTest, AFaultOverflowIsLoggedAndCleared) {
  boot();
  unit0.faults = 1;
  EXPECT_EQ(kernel->handle_faults(cpu), 0u);
  EXPECT_TRUE(logged("primary fault overflow"));
  EXPECT_EQ(unit0.faults, 0u);
}

TEST_F(BootTest, NoSnoopIsEnabledByReadModifyWrite) {
  boot();
  EXPECT_FALSE(kernel->enable_no_snoop(cpu, device0, false));
  EXPECT_EQ(cpu.config(device0, 0x48, 2), 0x2010u);
  EXPECT_TRUE(kernel->enable_no_snoop(cpu, device0, true));
  EXPECT_EQ(cpu.config(device0, 0x48, 2), 0x2810u);
  cpu.function(device1).hardwired_zero_control = 0x800;
  EXPECT_FALSE(kernel->enable_no_snoop(cpu, device1, true));
  EXPECT_FALSE(kernel->enable_no_snoop(cpu, RequesterId{0x1234}, true));
}

// The unit whose reads are not snooped must find everything in memory.
TEST_F(BootTest, StructuresOfAUnitThatDoesNotSnoopLeaveNoLineInTheCaches) {
  boot();
  const auto dirty_lines_of = [&](const FakeUnit& unit, RequesterId device) {
    const Hpa table = cpu.pasid_entry(unit, device);
    EXPECT_NE(table.value, 0u);
    const std::set<std::uint64_t> pages{Hpa{unit.root}.page(), table.page()};
    return std::count_if(cpu.dirty.begin(), cpu.dirty.end(), [&](std::uint64_t line) {
      return pages.contains(line * line_bytes / page_bytes);
    });
  };
  EXPECT_EQ(dirty_lines_of(unit1, device1), 0);
  EXPECT_EQ(dirty_lines_of(unit0, device0), 2 * 64) << "nobody flushes for a unit that snoops";
}

}  // namespace
}  // namespace ioasim::kernel::test
