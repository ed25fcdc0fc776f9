// The TLP header of a transaction: the ignorable extension on every PCIe socket. A transaction
// without it is a memory access with default attributes.
#pragma once

#include "pcie/tlp.hpp"
#include "sim/payload.hpp"

namespace ioasim::pcie {

struct TlpExtension final : tlm::tlm_extension<TlpExtension>, Tlp {
  tlm::tlm_extension_base* clone() const override { return new TlpExtension{*this}; }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const TlpExtension&>(other);
  }
};

inline Tlp& tlp_of(sim::Transaction& transaction) {
  return sim::extension<TlpExtension>(transaction);
}

}  // namespace ioasim::pcie
