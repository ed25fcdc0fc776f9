// The unit's own reads and writes of memory: structures, page tables, the invalidation queue.
#pragma once

#include <coroutine>

#include "memory/origin.hpp"
#include "sim/sockets.hpp"
#include "sim/task.hpp"

namespace ioasim::iommu {

class MemoryPort final : public sim::Initiator {
 public:
  // `fabric` is the time to the home agent, and back.
  MemoryPort(const char* name, sim::Clockwork& clock, std::uint32_t unit, Picoseconds fabric)
      : socket{name, clock, *this}, clock_{clock}, unit_{unit}, fabric_{fabric} {}

  struct Access;

  // co_await port.read(...): goes on when the data are here; false if memory did not answer.
  // `into` lives in the awaiting task.
  Access read(trace::Agent agent, Hpa address, std::span<std::byte> into, bool snoop);
  // Likewise. The write takes effect `fabric` after the call, before the task goes on.
  Access write(trace::Agent agent, Hpa address, std::span<std::byte> from, bool snoop);

  sim::InitiatorSocket socket;

 private:
  Access access(tlm::tlm_command command, trace::Agent agent, Hpa address,
                std::span<std::byte> data, bool snoop);
  void send(Access* access);
  void response(unsigned, sim::Transaction& transaction, Picoseconds at) override;

  sim::Clockwork& clock_;
  std::uint32_t unit_;
  Picoseconds fabric_;
  sim::PayloadPool pool_;
};

struct MemoryPort::Access {
  MemoryPort& port;
  sim::Payload& payload;
  std::coroutine_handle<> waiter{};

  // Leads from the transaction back to who waits for it.
  struct Mark final : tlm::tlm_extension<Mark> {
    Access* access = nullptr;
    tlm::tlm_extension_base* clone() const override { return new Mark{*this}; }
    void copy_from(const tlm::tlm_extension_base& other) override {
      *this = static_cast<const Mark&>(other);
    }
  };

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> task) {
    waiter = task;
    sim::extension<Mark>(payload).access = this;
    port.clock_.at<&MemoryPort::send>(port.clock_.now() + port.fabric_, &port, this);
  }
  bool await_resume() const {
    const bool ok = payload.is_response_ok();
    payload.release();
    return ok;
  }
};

inline MemoryPort::Access MemoryPort::access(tlm::tlm_command command, trace::Agent agent,
                                             Hpa address, std::span<std::byte> data, bool snoop) {
  auto& payload = pool_.take();
  payload.prepare(command, address.value, data);
  auto& origin = sim::extension<memory::Origin>(payload);
  origin.agent = agent;
  origin.who = unit_;
  origin.snoop = snoop;
  return Access{*this, payload};
}

inline MemoryPort::Access MemoryPort::read(trace::Agent agent, Hpa address,
                                           std::span<std::byte> into, bool snoop) {
  return access(tlm::TLM_READ_COMMAND, agent, address, into, snoop);
}

inline MemoryPort::Access MemoryPort::write(trace::Agent agent, Hpa address,
                                            std::span<std::byte> from, bool snoop) {
  return access(tlm::TLM_WRITE_COMMAND, agent, address, from, snoop);
}

inline void MemoryPort::send(Access* access) {
  if (const auto done = socket.send(access->payload, clock_.now())) {
    response(0, access->payload, *done);
  }
}

inline void MemoryPort::response(unsigned, sim::Transaction& transaction, Picoseconds at) {
  clock_.resume_at(at + fabric_,
                   sim::extension<Access::Mark>(transaction).access->waiter.address());
}

}  // namespace ioasim::iommu
