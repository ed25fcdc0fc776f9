// The coherence domain alone, under random accesses of every kind: each reader gets what a flat
// memory holds, and after every step the protocol's invariants hold for every line (invariant 36).
// All protocols, inclusive or with a snoop filter, on one, two and four sockets, in caches of a few
// lines, so that everything is displaced all the time.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/prng.hpp"
#include "cache/coherence.hpp"

namespace ioasim::cache {
namespace {

constexpr std::uint64_t lines = 64;
using Bytes = std::vector<std::byte>;

class FlatMemory final : public Backing {
 public:
  Picoseconds now() const override { return {}; }
  void read_memory(std::uint64_t line, std::uint64_t offset, std::span<std::byte> into) override {
    std::copy_n(at(line, offset), into.size(), into.begin());
  }
  void write_memory(std::uint64_t line, std::uint64_t offset,
                    std::span<const std::byte> from) override {
    std::ranges::copy(from, at(line, offset));
  }
  void snoops(unsigned) override {}
  Bytes::iterator at(std::uint64_t line, std::uint64_t offset = 0) {
    return bytes_.begin() + static_cast<std::ptrdiff_t>(line * line_bytes + offset);
  }
  bool holds(std::uint64_t line, std::span<const std::byte> bytes, std::uint64_t offset = 0) {
    return std::ranges::equal(bytes, std::span{at(line, offset), bytes.size()});
  }

 private:
  Bytes bytes_ = Bytes(lines * line_bytes);
};

struct Domain {
  Protocol protocol;
  bool inclusive;
  unsigned sockets;
  Replacement replacement;
  bool back_invalidate = true;

  // Level 2 has 8 lines, the last level 32, or 16 beside a snoop filter of 16.
  Params params() const {
    return {.protocol = protocol,
            .l1d = {.capacity = 256_B, .ways = 1, .replacement = replacement},
            .l2 = {.capacity = 512_B, .ways = 2, .replacement = replacement},
            .llc = {.capacity = inclusive ? 2_KiB : 1_KiB,
                    .ways = 4,
                    .slices = 2,
                    .replacement = replacement,
                    .inclusive = inclusive},
            .filter = {.covers = 1_KiB, .ways = 2},
            .flush = {.back_invalidate = back_invalidate}};
  }
  Topology topology() const { return {.sockets = sockets, .cores = std::max(3u, 2 * sockets)}; }
};

class RandomWalk {
 public:
  RandomWalk(const Domain& domain, std::uint64_t seed)
      : domain_{domain},
        coherence_{domain.params(), domain.topology(), memory_, bus_, seed},
        random_{seed, "coherence"} {}

  // Empty, or what is wrong.
  std::string step() {
    core_ = draw(domain_.topology().cores);
    line_ = draw(lines);
    offset_ = draw(line_bytes);
    bytes_.resize(random_.one_in(2) ? line_bytes : random_.between(1, line_bytes - offset_));
    if (bytes_.size() == line_bytes) offset_ = 0;
    switch (draw(24)) {
      case 0:
      case 1:
        return device_read();
      case 2:
        return device_write();
      case 3:
        return round_the_caches();
      case 4:
        return flush_line();
      case 5:
        return flush_slot();
      case 6:
        return back_door();
      default:
        return random_.one_in(3) ? write() : read();
    }
  }

  // What holds of every line after every step.
  std::string wrong() {
    for (line_ = 0; line_ < lines; ++line_) {
      if (auto breach = coherence_.breach(line_); !breach.empty()) return text(breach.c_str());
      if (auto found = wrong_copy(); !found.empty()) return found;
    }
    return {};
  }

  const Coherence::Stats& stats() const { return coherence_.stats(); }

 private:
  unsigned draw(std::uint64_t n) { return static_cast<unsigned>(random_.between(0, n - 1)); }
  std::string text(const char* what) const {
    return fmt::format("{}: line {}, core {}", what, line_, core_);
  }
  std::string equal(std::span<const std::byte> got, std::uint64_t offset, const char* what) {
    return flat_.holds(line_, got, offset) ? std::string{} : text(what);
  }
  Piece piece() { return {line_, offset_, bytes_}; }
  unsigned socket() const { return domain_.topology().socket_of(core_); }
  void new_bytes() {
    for (auto& byte : bytes_) byte = static_cast<std::byte>(random_.next());
    flat_.write_memory(line_, offset_, bytes_);
  }

  std::string read() {
    if (coherence_.caches(core_).access(line_, false).data == nullptr) {
      coherence_.fetch(core_, line_, Coherence::Want::read);
    }
    return equal(coherence_.caches(core_).data(line_), 0, "a core reads something else");
  }

  // Now and then ownership comes first, and somebody else's access between.
  std::string write() {
    PrivateCaches& own = coherence_.caches(core_);
    if (random_.one_in(4) && !writable(own.state(line_))) {
      coherence_.fetch(core_, line_, Coherence::Want::claim);
      if (!writable(own.state(line_))) return text("a claim does not permit to write");
      return equal(own.data(line_), 0, "a claim brings something else");
    }
    if (own.access(line_, true).data == nullptr) {
      coherence_.fetch(core_, line_, Coherence::Want::write);
    }
    if (own.state(line_) != State::modified) return text("a written line is not Modified");
    if (auto bad = equal(own.data(line_), 0, "a writer finds something else"); !bad.empty()) {
      return bad;
    }
    new_bytes();
    std::ranges::copy(bytes_, own.data(line_).begin() + static_cast<std::ptrdiff_t>(offset_));
    return {};
  }

  std::string device_read() {
    std::vector<State> before;
    for (unsigned n = 0; n < domain_.topology().cores; ++n) {
      before.push_back(coherence_.caches(n).state(line_));
    }
    coherence_.device_read(socket(), piece());
    for (unsigned n = 0; n < domain_.topology().cores; ++n) {
      if (coherence_.caches(n).state(line_) != before[n]) return text("a snapshot changes a state");
    }
    return equal(bytes_, offset_, "a device reads something else");
  }

  std::string device_write() {
    const auto ways = draw(16);
    new_bytes();
    coherence_.device_write(socket(), piece(), ways);
    for (unsigned n = 0; n < domain_.topology().cores; ++n) {
      if (coherence_.caches(n).state(line_) != State::invalid) return text("a core keeps it");
    }
    return ways == 0 ? in_memory("a device's write is not in memory") : std::string{};
  }

  std::string round_the_caches() {
    switch (draw(4)) {
      case 0:
        coherence_.read_uncached(core_, piece());
        return equal(bytes_, offset_, "an uncached read gets something else");
      case 1:
        coherence_.read_without_fill(core_, piece());
        return equal(bytes_, offset_, "a read without fill gets something else");
      case 2:
        new_bytes();
        coherence_.write_uncached(core_, piece());
        return in_memory("an uncached write is not in memory");
      default:
        new_bytes();
        coherence_.write_through(core_, piece());
        return in_memory("a write through is not in memory");
    }
  }

  std::string flush_line() {
    const bool keep = random_.one_in(2);
    coherence_.flush(socket(), line_, keep);
    for (unsigned n = 0; n < domain_.topology().cores && !keep; ++n) {
      if (coherence_.caches(n).state(line_) != State::invalid) return text("a core keeps it");
    }
    return in_memory("a flushed line is not in memory");
  }

  std::string flush_slot() {
    const auto instruction = random_.one_in(2) ? trace::Flush::wbinvd : trace::Flush::wbnoinvd;
    if (random_.one_in(2)) {
      coherence_.flush_private(core_, draw(coherence_.caches(core_).slots()), instruction);
    } else {
      coherence_.flush_shared(core_, draw(coherence_.shared(socket()).lines().slots()),
                              instruction);
    }
    return {};
  }

  std::string back_door() {
    if (random_.one_in(3)) {
      new_bytes();
      coherence_.poke(piece());
      return in_memory("the back door does not reach memory");
    }
    coherence_.peek(piece());
    return equal(bytes_, offset_, "the back door shows something else");
  }

  // The bytes of the access.
  std::string in_memory(const char* what) {
    const auto from = memory_.at(line_, offset_);
    return equal(std::span{from, bytes_.size()}, offset_, what);
  }

  std::string wrong_copy() {
    LineBuffer data;
    bool newer = false;
    for (unsigned core = 0; core < domain_.topology().cores; ++core) {
      const State state = coherence_.caches(core).state(line_);
      newer |= dirty(state);
      LastLevel& shared = coherence_.shared(domain_.topology().socket_of(core));
      Entry* entry = shared.entry(line_);
      const bool listed = entry != nullptr && (entry->holders >> core & 1) != 0;
      if (listed != (state != State::invalid)) return text("the directory is not exact");
      if (state == State::invalid) continue;
      coherence_.caches(core).peek(line_, data);
      if (!flat_.holds(line_, data)) return text("a core's copy is old");
      if (domain_.inclusive && shared.find(line_) == LastLevel::none) return text("no inclusion");
      if (state == State::owned && domain_.protocol != Protocol::moesi) return text("Owned");
      if (state == State::forward && domain_.protocol != Protocol::mesif) return text("Forward");
    }
    unsigned forwarding = 0;
    for (unsigned n = 0; n < domain_.sockets; ++n) {
      LastLevel& shared = coherence_.shared(n);
      if (const Entry* entry = shared.entry(line_)) forwarding += entry->forward ? 1u : 0u;
      const auto slot = shared.find(line_);
      if (shared.filtered(line_) != nullptr) {
        if (slot != LastLevel::none) return text("in the filter and in the last level");
        if (shared.filtered(line_)->holders == 0)
          return text("the filter tracks what nobody holds");
        if (shared.filtered(line_)->dirty) return text("the filter holds no data");
      }
      if (slot == LastLevel::none) continue;
      const Entry& entry = shared.lines().state(slot);
      newer |= entry.dirty;
      const bool superseded =
          entry.owner != Entry::nobody && dirty(coherence_.caches(entry.owner).state(line_));
      if (!superseded && !flat_.holds(line_, shared.lines().data(slot))) {
        return text("the last level's copy is old");
      }
    }
    if (forwarding > (domain_.protocol == Protocol::mesif ? 1u : 0u)) {
      return text("several sockets forward");
    }
    if (!newer && !flat_.holds(line_, std::span{memory_.at(line_), line_bytes})) {
      return text("the newest data are lost");
    }
    return {};
  }

  Domain domain_;
  FlatMemory memory_;
  FlatMemory flat_;
  trace::Bus bus_;
  Coherence coherence_;
  Prng random_;
  unsigned core_ = 0;
  std::uint64_t line_ = 0;
  std::uint64_t offset_ = 0;
  Bytes bytes_;
};

class CoherenceRandom : public testing::TestWithParam<Domain> {};

TEST_P(CoherenceRandom, AccessesAgreeWithAFlatMemoryAndBreachNothing) {
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    RandomWalk walk{GetParam(), seed};
    for (int step = 0; step < 3000; ++step) {
      ASSERT_EQ(walk.step(), "") << "seed " << seed << ", step " << step;
      ASSERT_EQ(walk.wrong(), "") << "seed " << seed << ", step " << step;
    }
    EXPECT_GT(walk.stats().writebacks.n, 30u);
    EXPECT_GT(walk.stats().evictions.n, 30u);
    EXPECT_GT(walk.stats().back_invalidations.n, 30u);
    EXPECT_GT(walk.stats().snoops.n, 30u);
  }
}

std::vector<Domain> every_domain() {
  std::vector<Domain> domains;
  for (const auto protocol : {Protocol::mesi, Protocol::mesif, Protocol::moesi}) {
    for (const bool inclusive : {true, false}) {
      for (const unsigned sockets : {1u, 2u, 4u}) {
        domains.push_back({protocol, inclusive, sockets, Replacement::lru});
        domains.push_back({protocol, inclusive, sockets, Replacement::random, sockets != 2});
      }
    }
  }
  return domains;
}

std::string name_of(const testing::TestParamInfo<Domain>& tested) {
  const Domain& domain = tested.param;
  std::string protocol;
  for (const auto& entry : enum_names(domain.protocol)) {
    if (entry.value == domain.protocol) protocol = entry.name;
  }
  return fmt::format("{}_{}_{}_{}", protocol, domain.inclusive ? "inclusive" : "filter",
                     domain.sockets, domain.replacement == Replacement::lru ? "lru" : "random");
}

INSTANTIATE_TEST_SUITE_P(Domains, CoherenceRandom, testing::ValuesIn(every_domain()), name_of);

}  // namespace
}  // namespace ioasim::cache
