#include "support/iommu_bench.hpp"

namespace ioasim::test {

IommuBench::IommuBench(const iommu::Params& params)
    : unit{"unit", clock, bus, params, 0, 2},
      tables{[this](std::uint64_t address, std::uint64_t value) { memory.put(address, value); },
             requester} {
  device.socket.bind(unit.port(0));
  device1.socket.bind(unit.port(1));
  cores.socket.bind(unit.registers);
  unit.memory.bind(memory.port(0));
  unit.walker().bind(memory.port(1));
  unit.interrupts.bind(interrupts.port());
  memory.latency = memory_latency;
  device.tlp.requester = {requester};
  device1.tlp.requester = {requester + 8};
}

void IommuBench::enable(std::uint64_t root) {
  set(0x20, root | 1 << 10);  // RTADDR, TTM scalable
  set(0x18, 1u << 30, 4);     // SRTP
  set(0x90, queue_base | 1 << 11);
  set(0x18, 1u << 26, 4);
  set(0x18, 1u << 31 | 1u << 26, 4);
}

void IommuBench::enable_default(vtd::PasidEntry pasid, vtd::Context context) {
  tables.build(context, pasid);
  enable(tables.root());
}

std::uint64_t IommuBench::get(std::uint64_t offset, unsigned bytes) {
  Data data(bytes);
  EXPECT_EQ(cores.debug_read(offset, data), bytes);
  return value_of(data);
}

void IommuBench::set(std::uint64_t offset, std::uint64_t value, unsigned bytes) {
  EXPECT_EQ(cores.debug_write(offset, word(value, bytes)), bytes);
}

void IommuBench::submit(const std::vector<vtd::Descriptor>& descriptors) {
  for (const auto& descriptor : descriptors) {
    memory.put(queue_base + tail_, descriptor.low);
    memory.put(queue_base + tail_ + 8, descriptor.high);
    tail_ = (tail_ + 32) % 4096;
  }
  set(0x88, tail_);
}

void IommuBench::invalidate(std::vector<vtd::Descriptor> descriptors) {
  descriptors.push_back(vtd::wait_status(status_address, ++waits_));
  submit(descriptors);
  sleep(20_us);
  EXPECT_EQ(memory.get(status_address), waits_) << "the wait did not complete";
}

const Request& IommuBench::read(std::uint64_t iova, std::size_t bytes) {
  const Request& request = device.read(iova, bytes);
  sleep(20_us);
  EXPECT_TRUE(request.done);
  return request;
}

const Request& IommuBench::write(std::uint64_t iova, std::size_t bytes, unsigned value) {
  const Request& request = device.write(iova, filled(bytes, value));
  sleep(20_us);
  EXPECT_TRUE(request.done);
  return request;
}

std::size_t IommuBench::walk_reads() const {
  std::size_t reads = 0;
  for (const auto& entry : memory.seen) {
    reads += entry.port == 1 && entry.agent == trace::Agent::walker;
  }
  return reads;
}

IommuBench::FaultRecord IommuBench::fault(unsigned index) {
  const auto records = (get(0x08) >> 24 & 0x3ff) * 16;
  return {get(records + 16 * index), get(records + 16 * index + 8)};
}

void IommuBench::clear_fault(unsigned index) {
  const auto records = (get(0x08) >> 24 & 0x3ff) * 16;
  set(records + 16 * index + 8, 1ull << 63);
}

}  // namespace ioasim::test
