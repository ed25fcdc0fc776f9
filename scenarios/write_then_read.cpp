#include "scenarios/write_then_read.hpp"

#include <algorithm>

#include "scenarios/counters.hpp"

namespace ioasim::scenarios {
namespace {

constexpr std::uint64_t huge_page = 2u << 20;

// Times from the issue of each write to the end of the request that follows it.
class WriteReadRecorder final : public trace::Listener {
 public:
  WriteReadRecorder(World& world, RequesterId device) : world_{world}, device_{device} {
    world.listen(*this);
  }
  ~WriteReadRecorder() override { world_.unlisten(*this); }

  // A posted request is the one that has not been completed when the next one is.
  void on(Picoseconds at, const trace::Event& event) override {
    const auto* hop = std::get_if<trace::TlpHop>(&event);
    if (hop == nullptr || hop->requester != device_) return;
    if (hop->hop == trace::Hop::issued) {
      last_ = newest_;
      newest_ = Request{at};
    } else if (hop->hop == trace::Hop::completed) {
      newest_.completed = true;
      if (last_.completed) return;
      sum += at - last_.issued;
      ++pairs;
    }
  }

  Picoseconds sum{};
  std::int64_t pairs = 0;

 private:
  struct Request {
    Picoseconds issued{};
    bool completed = true;

    Request() = default;
    explicit Request(Picoseconds at) : issued{at}, completed{false} {}
  };

  World& world_;
  RequesterId device_;
  Request last_{};
  Request newest_{};
};

std::uint64_t set_stride(const cache::LlcParams& llc) {
  return llc.capacity.count / llc.ways / llc.slices;
}

// Takes pages until the next ones begin a piece of memory that a 2 MiB entry can map.
void align_memory(kernel::Thread& user) {
  for (unsigned n = 0; n < huge_page / page_bytes; ++n) {
    const auto page = user.physical(user.allocate(page_bytes));
    if (!page || (*page + page_bytes).value % huge_page == 0) return;
  }
}

}  // namespace

WriteThenRead::WriteThenRead(World& world, std::string_view device, std::uint64_t window,
                             unsigned accesses)
    : world_{world},
      driver_{world, device, EnforceSnoop::off},
      random_{world.random("lines")},
      accesses_{accesses},
      stride_{set_stride(world.machine().description().cache.llc)},
      images_{(window + huge_page - 1) / huge_page * huge_page} {
  const auto after = driver_.map(page_bytes).iova + page_bytes;
  if (const auto over = after.value % huge_page; over != 0) driver_.map(huge_page - over);
  align_memory(world.user());
  lines_ = driver_.map(images_ + (accesses_ + 1) * line_bytes);
}

std::uint64_t WriteThenRead::offset(const Window& window, std::uint64_t line) const {
  const auto piece = stride_ / line_bytes / window.parts;
  return line / piece * stride_ + line % piece * line_bytes;
}

void WriteThenRead::write(const Window& window) {
  const auto piece = window.parts == 1 ? window.lines() : stride_ / line_bytes / window.parts;
  for (std::uint64_t line = 0; line < window.lines(); line += piece) {
    const auto at = seen(offset(window, line));
    driver_.copy(at, at, piece * line_bytes, 0);
  }
}

// The image of descriptor n + 1 is what descriptor n writes to its line.
void WriteThenRead::store_images(const Window& window) {
  using Descriptor = devices::DmaDescriptor;
  auto& user = world_.user();
  for (std::uint64_t n = 0; n <= accesses_; ++n) {
    const auto image = images_ + n * line_bytes;
    // Evenly: 64 in a row are in different parts of the window.
    const auto drawn = (n % 64 * window.lines() + random_.between(0, window.lines() - 1)) / 64;
    const auto line = seen(offset(window, drawn));
    Descriptor descriptor{};
    if (n < accesses_) {
      descriptor = {.source = seen(image + line_bytes).value,
                    .target = line.value,
                    .bytes = line_bytes,
                    .flags = Descriptor::chain,
                    .next = line.value};
    }
    user.store(at(image), std::as_bytes(std::span{&descriptor, 1}));
    user.clflushopt(at(image));
  }
  user.sfence();
}

WriteThenRead::Result WriteThenRead::measure(const Window& window) {
  store_images(window);
  if (window.written) write(window);
  const Counters counters{world_};
  const WriteReadRecorder recorder{world_, driver_.device()};
  driver_.start_at(seen(images_));
  Result result{.finished = driver_.finish()};
  if (recorder.pairs > 0) result.latency = recorder.sum / recorder.pairs;
  result.hits = counters.since("llc.device_write_hits");
  result.walks = counters.since_of_all("iotlb_lookup") - counters.since_of_all("iotlb_hit");
  return result;
}

}  // namespace ioasim::scenarios
