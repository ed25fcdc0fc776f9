// The remapping unit alone in somebody else's sc_main: everything around it is plain TLM-2.0 with
// the sockets of tlm_utils; only the unit and its Clockwork are ours. Returns 0 if a device's read
// and write arrive where the tables say, and an unmapped one ends in an error.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <systemc>
#include <tlm>
#include <vector>

#include "iommu/iommu.hpp"
#include "support/vtd_tables.hpp"

namespace {

namespace vtd = ioasim::test::vtd;

class Memory final : public sc_core::sc_module {
 public:
  explicit Memory(const sc_core::sc_module_name& name)
      : sc_module{name}, requests{"requests"}, structures{"structures"}, bytes_(16u << 20) {
    requests.register_b_transport(this, &Memory::serve);
    structures.register_b_transport(this, &Memory::serve);
  }

  tlm_utils::simple_target_socket<Memory> requests;
  tlm_utils::simple_target_socket<Memory> structures;

  void put(std::uint64_t address, std::uint64_t value) {
    std::memcpy(bytes_.data() + address, &value, sizeof value);
  }
  std::uint64_t get(std::uint64_t address) const {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes_.data() + address, sizeof value);
    return value;
  }

 private:
  void serve(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    delay += sc_core::sc_time{60, sc_core::SC_NS};
    if (payload.get_address() + payload.get_data_length() > bytes_.size()) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    auto* const held = bytes_.data() + payload.get_address();
    if (payload.is_write()) {
      std::memcpy(held, payload.get_data_ptr(), payload.get_data_length());
    } else {
      std::memcpy(payload.get_data_ptr(), held, payload.get_data_length());
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }

  std::vector<unsigned char> bytes_;
};

class Interrupts final : public sc_core::sc_module {
 public:
  explicit Interrupts(const sc_core::sc_module_name& name) : sc_module{name}, socket{"socket"} {
    socket.register_b_transport(this, &Interrupts::serve);
  }
  tlm_utils::simple_target_socket<Interrupts> socket;
  unsigned messages = 0;

 private:
  void serve(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
    ++messages;
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
};

// Software and device in one thread.
class Test final : public sc_core::sc_module {
 public:
  Test(const sc_core::sc_module_name& name, Memory& memory, Interrupts& interrupts)
      : sc_module{name},
        registers{"registers"},
        device{"device"},
        memory_{memory},
        interrupts_{interrupts} {
    SC_HAS_PROCESS(Test);
    SC_THREAD(run);
  }

  tlm_utils::simple_initiator_socket<Test> registers;
  tlm_utils::simple_initiator_socket<Test> device;
  unsigned failures = 0;
  bool finished = false;

 private:
  template <class Socket>
  tlm::tlm_response_status access(Socket& socket, bool write, std::uint64_t address, void* data,
                                  unsigned bytes) {
    tlm::tlm_generic_payload payload;
    payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    payload.set_address(address);
    payload.set_data_ptr(static_cast<unsigned char*>(data));
    payload.set_data_length(bytes);
    payload.set_streaming_width(bytes);
    auto delay = sc_core::SC_ZERO_TIME;
    socket->b_transport(payload, delay);
    wait(delay);
    return payload.get_response_status();
  }
  void set(std::uint64_t offset, std::uint64_t value, unsigned bytes) {
    access(registers, true, offset, &value, bytes);
  }
  std::uint64_t get(std::uint64_t offset, unsigned bytes) {
    std::uint64_t value = 0;
    access(registers, false, offset, &value, bytes);
    return value;
  }
  void expect(bool holds, const char* what) {
    if (holds) return;
    ++failures;
    std::fprintf(stderr, "failed: %s\n", what);
  }

  void run() {
    ioasim::test::vtd::Tables tables{
        [this](std::uint64_t address, std::uint64_t value) { memory_.put(address, value); }, 0};
    tables.build();
    tables.map(0x5000'0000, 0x7000);
    set(0x20, tables.root() | 1 << 10, 8);
    set(0x18, 1u << 30, 4);
    set(0x18, 1u << 31, 4);
    expect(get(0x1c, 4) == (3u << 30), "translation is on");

    std::uint64_t value = 0x1122'3344;
    expect(access(device, true, 0x5000'0010, &value, 8) == tlm::TLM_OK_RESPONSE, "write is done");
    expect(memory_.get(0x7010) == 0x1122'3344, "write went where the tables say");
    memory_.put(0x7020, 0x5566);
    expect(access(device, false, 0x5000'0020, &value, 8) == tlm::TLM_OK_RESPONSE, "read is done");
    expect(value == 0x5566, "read came from where the tables say");

    set(0x38, 0, 4);  // fault event unmasked
    expect(access(device, false, 0x6000'0000, &value, 8) == tlm::TLM_ADDRESS_ERROR_RESPONSE,
           "unmapped read is an error");
    const auto records = (get(0x08, 8) >> 24 & 0x3ff) * 16;
    expect((get(records + 8, 8) >> 32 & 0xff) == 0x79, "fault is recorded");
    expect(get(records, 8) == 0x6000'0000, "with its page");
    std::uint32_t message = 0x41;
    access(device, true, 0xfee0'0000, &message, 4);
    expect(interrupts_.messages == 2, "fault event and message have arrived");
    finished = true;
  }

  Memory& memory_;
  Interrupts& interrupts_;
};

}  // namespace

int sc_main(int, char**) {
  // Not a word of SystemC is wanted: a warning or an error is a failure.
  unsigned reports = 0;
  ioasim::trace::Bus bus;
  ioasim::sim::Clockwork clock{"clockwork"};
  ioasim::iommu::Iommu unit{"unit", clock, bus, {}, 0, 1};
  Memory memory{"memory"};
  Interrupts interrupts{"interrupts"};
  Test test{"test", memory, interrupts};
  test.device.bind(unit.port(0));
  test.registers.bind(unit.registers);
  unit.memory.bind(memory.requests);
  unit.walker().bind(memory.structures);
  unit.interrupts.bind(interrupts.socket);
  sc_core::sc_start();
  reports += static_cast<unsigned>(sc_core::sc_report_handler::get_count(sc_core::SC_WARNING)) +
             static_cast<unsigned>(sc_core::sc_report_handler::get_count(sc_core::SC_ERROR));
  return test.finished && test.failures == 0 && reports == 0 ? 0 : 1;
}
