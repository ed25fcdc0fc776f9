// The simplified path behind Clockwork and our sockets: one event where order can change (arrival
// at the IOMMU, end of a walk, entry of the return link, completion of a read at the device), plain
// calls everywhere else. Writes are posted: the device hears of the end and needs no event for it.
#include <fmt/format.h>

#include <memory>

#include "measurement.hpp"
#include "path.hpp"
#include "sim/sockets.hpp"

namespace ioasim::bench {
namespace {

using sim::Transaction;

class Device final : public sc_core::sc_module, public sim::Initiator {
 public:
  Device(const sc_core::sc_module_name& name, sim::Clockwork& clock, Meter& meter,
         Workload workload, unsigned number)
      : sc_module{name},
        link{"link", clock, *this},
        clock_{clock},
        meter_{meter},
        requests_{workload, number},
        number_{number} {}

  sim::InitiatorSocket link;

 private:
  void start_of_simulation() override { clock_.at<&Device::issue>(777_ps * number_, this); }

  void issue() {
    if (!meter_.issue()) return;
    const auto now = clock_.now();
    const Request request = requests_.next();
    auto& payload = pool_.take();
    payload.prepare(request.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND,
                    request.iova.value, request.bytes);
    auto& mark = sim::extension<Mark>(payload);
    mark.device = number_;
    mark.issued = now;
    if (const auto done = link.send(payload, now)) response(0, payload, *done);
    clock_.at<&Device::issue>(now + issue_gap, this);
  }

  void response(unsigned, Transaction& transaction, Picoseconds at) override {
    if (transaction.is_read()) {
      clock_.at<&Device::complete>(at, this, &transaction);
      return;
    }
    meter_.complete(at - mark_of(transaction).issued);
    transaction.release();
  }

  void complete(Transaction* transaction) {
    meter_.complete(clock_.now() - mark_of(*transaction).issued);
    transaction->release();
  }

  sim::Clockwork& clock_;
  Meter& meter_;
  Requests requests_;
  unsigned number_;
  sim::PayloadPool pool_;
};

class Link final : public sc_core::sc_module, public sim::Target, public sim::Initiator {
 public:
  Link(const sc_core::sc_module_name& name, sim::Clockwork& clock, Path& path)
      : sc_module{name},
        device{"device", clock, *this},
        iommu{"iommu", clock, *this},
        clock_{clock},
        path_{path} {}

  sim::TargetSocket device;
  sim::InitiatorSocket iommu;

 private:
  std::optional<Picoseconds> request(unsigned, Transaction& transaction, Picoseconds at) override {
    return iommu.send(transaction, path_.send_up(transaction, at));
  }
  unsigned debug(unsigned, Transaction& transaction) override { return iommu.debug(transaction); }

  void response(unsigned, Transaction& transaction, Picoseconds at) override {
    if (transaction.is_write()) {
      device.respond(transaction, at);
    } else {
      clock_.at<&Link::send_down>(at, this, &transaction);
    }
  }
  void send_down(Transaction* transaction) {
    device.respond(*transaction, path_.send_down(*transaction, clock_.now()));
  }

  sim::Clockwork& clock_;
  Path& path_;
};

class Iommu final : public sc_core::sc_module, public sim::Target, public sim::Initiator {
 public:
  Iommu(const sc_core::sc_module_name& name, sim::Clockwork& clock, Path& path)
      : sc_module{name}, memory{"memory", clock, *this}, clock_{clock}, path_{path} {
    for (unsigned n = 0; n < path_devices; ++n) {
      ports.push_back(
          std::make_unique<sim::TargetSocket>(fmt::format("port{}", n).c_str(), clock, *this, n));
    }
  }

  std::vector<std::unique_ptr<sim::TargetSocket>> ports;
  sim::InitiatorSocket memory;

 private:
  std::optional<Picoseconds> request(unsigned, Transaction& transaction, Picoseconds at) override {
    clock_.at<&Iommu::arrive>(at, this, &transaction);
    return std::nullopt;
  }
  unsigned debug(unsigned, Transaction& transaction) override { return memory.debug(transaction); }

  void arrive(Transaction* transaction) {
    auto& mark = mark_of(*transaction);
    const auto translation =
        path_.translate(mark.device, Iova{transaction->get_address()}, clock_.now());
    mark.address = translation.address;
    if (translation.hit) {
      to_memory(*transaction, translation.ready);
    } else {
      clock_.at<&Iommu::walked>(translation.ready, this, transaction);
    }
  }
  void walked(Transaction* transaction) { to_memory(*transaction, clock_.now()); }
  void to_memory(Transaction& transaction, Picoseconds at) {
    if (const auto done = memory.send(transaction, at)) response(0, transaction, *done);
  }
  void response(unsigned, Transaction& transaction, Picoseconds at) override {
    ports[mark_of(transaction).device]->respond(transaction, at);
  }

  sim::Clockwork& clock_;
  Path& path_;
};

class Memory final : public sc_core::sc_module, public sim::Target {
 public:
  Memory(const sc_core::sc_module_name& name, sim::Clockwork& clock, Path& path)
      : sc_module{name}, iommu{"iommu", clock, *this}, path_{path} {}

  sim::TargetSocket iommu;

 private:
  std::optional<Picoseconds> request(unsigned, Transaction& transaction, Picoseconds at) override {
    transaction.set_response_status(tlm::TLM_OK_RESPONSE);
    return path_.access(mark_of(transaction).address, transaction.get_data_length(),
                        transaction.is_write(), at);
  }
  unsigned debug(unsigned, Transaction& transaction) override {
    return transaction.get_data_length();
  }

  Path& path_;
};

Measurement run(Workload workload, std::uint64_t tlps) {
  Meter meter{tlps};
  Path path;
  sim::Clockwork clock{"clockwork"};
  Iommu iommu{"iommu", clock, path};
  Memory memory{"memory", clock, path};
  iommu.memory.bind(memory.iommu);
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<std::unique_ptr<Link>> links;
  for (unsigned n = 0; n < path_devices; ++n) {
    devices.push_back(
        std::make_unique<Device>(fmt::format("device{}", n).c_str(), clock, meter, workload, n));
    links.push_back(std::make_unique<Link>(fmt::format("link{}", n).c_str(), clock, path));
    devices[n]->link.bind(links[n]->device);
    links[n]->iommu.bind(*iommu.ports[n]);
  }
  sc_core::sc_start();
  auto measurement = meter.result(clock.events());
  measurement.iotlb_miss_rate = path.iotlb_miss_rate();
  measurement.llc_miss_rate = path.llc_miss_rate();
  return measurement;
}

template <Workload workload>
Measurement run(std::uint64_t tlps) {
  return run(workload, tlps);
}

}  // namespace

std::vector<Subject> clockwork_subjects() {
  return {{"clockwork/W0", "the simplified path behind Clockwork, 256-byte writes", 400'000,
           run<Workload::stream>},
          {"clockwork/W2", "the same, the mix", 400'000, run<Workload::mix>}};
}

}  // namespace ioasim::bench
