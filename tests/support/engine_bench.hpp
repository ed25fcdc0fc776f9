// The copy engine alone, and with it the endpoint that every device is: a responder at its link
// sees what it sends, a requester is the cores.
#pragma once

#include "devices/dma_engine.hpp"
#include "support/bench.hpp"
#include "support/requester.hpp"
#include "support/responder.hpp"

namespace ioasim::test {

class EngineBench : public Bench {
 protected:
  static constexpr std::uint64_t bar = 0xc000'0000;
  static constexpr std::uint64_t list = 0x10'0000;
  static constexpr std::uint64_t source = 0x20'0000;
  static constexpr std::uint64_t target = 0x30'0000;
  static constexpr RequesterId id = RequesterId::of(2, 0, 0);

  static devices::DmaEngineParams simple() {
    return {.setup = 100_ns, .issue = 10_ns, .requests_max = 4};
  }
  explicit EngineBench(const devices::DmaEngineParams& params = simple())
      : engine{"engine", clock, bus, params, {.id = id, .bar0 = Hpa{bar}}} {
    engine.upstream.bind(upstream.port());
    cores.socket.bind(engine.downstream);
    upstream.latency = 400_ns;
    upstream.defer = true;
  }

  // ---- configuration space and registers, without time ----
  std::uint32_t config(unsigned offset, unsigned bytes) {
    cores.tlp.kind = pcie::TlpKind::config_read;
    Data data(bytes);
    EXPECT_EQ(cores.debug_read(offset, data), bytes);
    return static_cast<std::uint32_t>(value_of(data));
  }
  void set_config(unsigned offset, std::uint32_t value, unsigned bytes) {
    cores.tlp.kind = pcie::TlpKind::config_write;
    EXPECT_EQ(cores.debug_write(offset, word(value, bytes)), bytes);
  }
  std::uint64_t get(std::uint64_t offset, unsigned bytes) {
    cores.tlp.kind = pcie::TlpKind::memory_read;
    Data data(bytes);
    EXPECT_EQ(cores.debug_read(bar + offset, data), bytes);
    return value_of(data);
  }
  void set(std::uint64_t offset, std::uint64_t value, unsigned bytes) {
    cores.tlp.kind = pcie::TlpKind::memory_write;
    EXPECT_EQ(cores.debug_write(bar + offset, word(value, bytes)), bytes);
  }
  // Offset of a capability, found as software does.
  unsigned capability(unsigned wanted) {
    for (unsigned at = config(0x34, 1); at != 0; at = config(at + 1, 1)) {
      if (config(at, 1) == wanted) return at;
    }
    ADD_FAILURE() << "no capability " << wanted;
    return 0;
  }
  // MSI, to that address with that data.
  void enable_message(std::uint32_t address, std::uint16_t data) {
    const auto msi = capability(0x05);
    set_config(msi + 4, address, 4);
    set_config(msi + 12, data, 2);
    set_config(msi + 2, config(msi + 2, 2) | 1, 2);
  }
  unsigned device_control() { return capability(0x10) + 8; }
  void set_control_bit(unsigned bit, bool value) {
    const auto control = config(device_control(), 2);
    set_config(device_control(), value ? control | 1u << bit : control & ~(1u << bit), 2);
  }

  void put_descriptor(devices::DmaDescriptor descriptor, std::uint64_t at = list) {
    Data bytes(sizeof descriptor);
    std::memcpy(bytes.data(), &descriptor, sizeof descriptor);
    upstream.put(at, bytes);
  }
  void start() {
    set_config(0x04, 0x6, 2);  // memory space, bus master
    set(0x08, list, 8);
    set(0x10, 1, 4);
  }
  // One copy, to its end.
  void copy(devices::DmaDescriptor descriptor) {
    put_descriptor(descriptor);
    start();
    sleep(50_us);
    EXPECT_EQ(status(), done);
    EXPECT_FALSE(requests(false).empty());
    EXPECT_FALSE(requests(true).empty());
  }
  enum Status : std::uint64_t { idle, running, done, halted };
  std::uint64_t status() { return get(0x14, 4); }

  std::vector<Responder::Seen> requests(bool write) const {
    std::vector<Responder::Seen> some;
    for (const auto& entry : upstream.seen) {
      if (entry.write == write && entry.address >> 20 != list >> 20) some.push_back(entry);
    }
    return some;
  }

  devices::DmaEngine engine;
  Responder upstream{"upstream", clock};
  Requester cores{"cores", clock};
};

}  // namespace ioasim::test
