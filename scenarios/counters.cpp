#include "scenarios/counters.hpp"

#include "base/check.hpp"

namespace ioasim::scenarios {

Counters::Counters(World& world) : world_{world} {
  world.machine().add_to(registry_);
  before_ = read();
}

stats::Snapshot Counters::read() const { return registry_.read(world_.now()); }

std::uint64_t Counters::since(std::string_view path) const {
  const auto now = read();
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (now[i].path != path) continue;
    return std::get<std::uint64_t>(now[i].value) - std::get<std::uint64_t>(before_[i].value);
  }
  UNREACHABLE();
}

std::uint64_t Counters::since_of_all(std::string_view ending) const {
  const auto now = read();
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!now[i].path.ends_with(ending)) continue;
    sum += std::get<std::uint64_t>(now[i].value) - std::get<std::uint64_t>(before_[i].value);
  }
  return sum;
}

}  // namespace ioasim::scenarios
