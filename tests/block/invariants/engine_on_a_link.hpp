// The copy engine alone, with a responder at its link that sees what it sends.
#pragma once

#include "devices/dma_engine.hpp"
#include "support/bench.hpp"
#include "support/requester.hpp"
#include "support/responder.hpp"

namespace ioasim::test {

class EngineOnALink : public Bench {
 protected:
  static constexpr std::uint64_t bar = 0xc000'0000;
  static constexpr std::uint64_t list = 0x10'0000;

  EngineOnALink() {
    engine.upstream.bind(link.port());
    cores.socket.bind(engine.downstream);
    link.latency = 400_ns;
    link.defer = true;
  }

  std::uint64_t get_config(unsigned at, unsigned bytes) {
    cores.tlp.kind = pcie::TlpKind::config_read;
    Data data(bytes);
    EXPECT_EQ(cores.debug_read(at, data), bytes);
    return value_of(data);
  }
  void set_config(unsigned at, std::uint64_t value, unsigned bytes) {
    cores.tlp.kind = pcie::TlpKind::config_write;
    EXPECT_EQ(cores.debug_write(at, word(value, bytes)), bytes);
  }
  unsigned capability(unsigned id) {
    auto at = static_cast<unsigned>(get_config(0x34, 1));
    while (get_config(at, 1) != id) at = static_cast<unsigned>(get_config(at + 1, 1));
    return at;
  }
  void enable_message() {
    const auto msi = capability(0x05);
    set_config(msi + 4, 0xfee0'0000, 4);
    set_config(msi + 2, get_config(msi + 2, 2) | 1, 2);
  }
  void copy(const devices::DmaDescriptor& descriptor) {
    const auto bytes = std::as_bytes(std::span{&descriptor, 1});
    link.put(list, Data(bytes.begin(), bytes.end()));
    set_config(0x04, 0x6, 2);  // memory space, bus master
    cores.tlp.kind = pcie::TlpKind::memory_write;
    cores.debug_write(bar + devices::dma_register::descriptor, word(list));
    cores.debug_write(bar + devices::dma_register::doorbell, word(1, 4));
    sleep(50_us);
  }

  devices::DmaEngine engine{
      "engine", clock, bus, {}, {.id = RequesterId::of(2, 0, 0), .bar0 = Hpa{bar}}};
  Responder link{"link", clock};
  Requester cores{"cores", clock};
};

}  // namespace ioasim::test
