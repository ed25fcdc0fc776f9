// Coherence torture: everybody fights for a few lines, and everything that anybody got is judged.
//
// What is checked:
//  * every value read is explained by the history of the byte (history.hpp)
//  * stores are visible once each and in order; loads see their own; locked operations are atomic,
//    and no increment is lost (program_order.hpp)
//  * the oracle reports the stale reads that the history finds, and no others
//  * HomeAgent::breach() of every line, every few steps and whenever all is quiet
//  * everything drains: no thread is stuck, no request open, no event left
//  * once everything is written back, memory holds the newest value of every coherent byte
//  * a write past the caches leaves what they hold alone, until it is flushed
//  * device writes displace no more than their ways of the last level
#pragma once

#include <functional>
#include <string>

#include "swarm/torture/setup.hpp"

namespace ioasim::test::torture {

struct Verdict {
  std::string complaints{};  // empty: nothing was wrong
  Did did{};
};

// In a process of its own, in which `before` is called first.
Verdict run(const Setup& setup, const std::function<void()>& before = {});

}  // namespace ioasim::test::torture
