#include "support/machine_bench.hpp"

namespace ioasim::test {

machine::Description Machine::plain() {
  machine::Description description;
  description.name = "plain";
  description.iommus = {{.name = "iommu0"}};
  description.root_ports = {{.name = "port0", .iommu = "iommu0"}};
  description.devices = {{.name = "dma0", .port = "port0"}};
  return description;
}

Machine::Machine(const machine::Description& description)
    : description_{description},
      machine{description_, {}},
      firmware{machine.firmware()},
      tables{[this](std::uint64_t address, std::uint64_t value) {
               core().store<std::uint64_t>(Hpa{address}, value);
             },
             machine.device_id("dma0").value} {}

Hpa Machine::config(unsigned offset) const {
  return firmware.ecam.base + machine.device_id("dma0").value * page_bytes + offset;
}

void Machine::enable_engine() {
  core().write_uncached(config(0x04), 0x6, 2);
  const auto low = core().read_uncached(config(0x10), 4) & ~0xfull;
  bar_ = Hpa{core().read_uncached(config(0x14), 4) << 32 | low};
}

std::uint64_t Machine::unit(std::uint64_t offset, unsigned bytes) {
  return core().read_uncached(firmware.units[0].registers + offset, bytes);
}

void Machine::set_unit(std::uint64_t offset, std::uint64_t value, unsigned bytes) {
  core().write_uncached(firmware.units[0].registers + offset, value, bytes);
}

void Machine::enable_translation(vtd::PasidEntry pasid) {
  tables.build({}, pasid);
  set_unit(0x20, tables.root() | 1 << 10, 8);
  set_unit(0x18, 1u << 30, 4);
  set_unit(0x90, queue | 1 << 11, 8);
  set_unit(0x18, 1u << 26, 4);
  set_unit(0x18, 1u << 31 | 1u << 26, 4);
  EXPECT_EQ(unit(0x1c, 4), 1u << 31 | 1u << 30 | 1u << 26);
}

void Machine::submit(std::initializer_list<vtd::Descriptor> of_queue) {
  for (const auto& descriptor : of_queue) {
    core().store<std::uint64_t>(Hpa{queue + tail_}, descriptor.low);
    core().store<std::uint64_t>(Hpa{queue + tail_ + 8}, descriptor.high);
    tail_ = (tail_ + 32) % 4096;
  }
  set_unit(0x88, tail_);
}

void Machine::invalidate(const vtd::Descriptor& descriptor) {
  submit({descriptor, vtd::wait_status(status, ++waits_)});
  wait_for_queue();
}

void Machine::invalidate() {
  submit({vtd::context_cache_global(), vtd::pasid_cache_global(), vtd::iotlb_global(),
          vtd::wait_status(status, ++waits_)});
  wait_for_queue();
}

void Machine::wait_for_queue() {
  while (core().load<std::uint32_t>(Hpa{status}) != waits_) core().execute(100_ns);
}

void Machine::start(const devices::DmaDescriptor& descriptor) {
  core().store(Hpa{descriptors}, std::as_bytes(std::span{&descriptor, 1}));
  core().write_uncached(bar_ + devices::dma_register::descriptor, descriptors, 8);
  ring();
}

void Machine::ring() { core().write_uncached(bar_ + devices::dma_register::doorbell, 1, 4); }

std::uint64_t Machine::finish(Picoseconds poll) {
  for (;;) {
    const auto state = core().read_uncached(bar_ + devices::dma_register::status, 4);
    if (state > 1) return state;
    core().execute(poll);
  }
}

std::uint64_t Machine::copy(const devices::DmaDescriptor& descriptor, Picoseconds poll) {
  start(descriptor);
  return finish(poll);
}

namespace {

void fail_on_report(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  if (report.get_severity() == sc_core::SC_INFO) return;
  ADD_FAILURE() << "SystemC: " << report.what();
  sc_core::sc_report_handler::default_handler(report, actions);
}

}  // namespace

MachineBench::MachineBench(const machine::Description& description) : host{description} {
  sc_core::sc_report_handler::set_handler(fail_on_report);
}

MachineBench::~MachineBench() { sc_core::sc_report_handler::set_handler(nullptr); }

void MachineBench::run(std::function<void()> body) {
  script_ = std::make_unique<Script>("software", host.machine.clock(), std::move(body));
  sc_core::sc_start();
  EXPECT_TRUE(script_->finished()) << host.machine.clock().waiting();
}

Picoseconds MachineBench::between(std::uint64_t transaction, trace::Hop from, trace::Hop to) const {
  Picoseconds begin = forever;
  Picoseconds end = forever;
  for (const auto& entry : hops.entries) {
    if (entry.event.transaction != transaction) continue;
    if (entry.event.hop == from && begin == forever) begin = entry.at;
    if (entry.event.hop == to && end == forever) end = entry.at;
  }
  return end - begin;
}

}  // namespace ioasim::test
