#include "sim/event_wheel.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"

namespace ioasim::sim {

EventWheel::EventWheel() {
  head_.fill(nil);
  tail_.fill(nil);
}

EventWheel::Index EventWheel::take_node(const Event& event) {
  ++count_;
  if (free_ == nil) {
    nodes_.push_back({event, nil});
    return static_cast<Index>(nodes_.size() - 1);
  }
  const Index node = free_;
  free_ = nodes_[static_cast<std::size_t>(node)].next;
  nodes_[static_cast<std::size_t>(node)] = {event, nil};
  return node;
}

void EventWheel::push(const Event& event) {
  CHECK(event.due >= base_);  // an event in the past would never be found
  const Index node = take_node(event);
  if (tick(event.due) - tick(base_) < buckets) {
    insert_near(node);
  } else {
    push_far(node);
  }
  if (first_ != nil && before(event, nodes_[static_cast<std::size_t>(first_)].event)) {
    first_ = nil;
  }
}

void EventWheel::insert_near(Index node) {
  Node& mine = nodes_[static_cast<std::size_t>(node)];
  const auto bucket = tick(mine.event.due) % buckets;
  const Index tail = tail_[bucket];
  if (tail == nil) {
    head_[bucket] = tail_[bucket] = node;
    occupied_[bucket / 64] |= 1ull << bucket % 64;
    words_occupied_ |= 1ull << bucket / 64;
    return;
  }
  if (before(nodes_[static_cast<std::size_t>(tail)].event, mine.event)) {
    nodes_[static_cast<std::size_t>(tail)].next = node;
    tail_[bucket] = node;
    return;
  }
  Index* link = &head_[bucket];
  while (before(nodes_[static_cast<std::size_t>(*link)].event, mine.event)) {
    link = &nodes_[static_cast<std::size_t>(*link)].next;
  }
  mine.next = *link;
  *link = node;
}

// The earliest of the calendar: buckets are looked through from base_'s on, around the ring.
EventWheel::Index EventWheel::first_near() const {
  if (words_occupied_ == 0) return nil;
  const auto start = tick(base_) % buckets;
  auto word = start / 64;
  auto bits = occupied_[word] >> start % 64 << start % 64;
  if (bits == 0) {
    const auto later = word == words - 1 ? 0 : words_occupied_ >> (word + 1) << (word + 1);
    word = static_cast<std::uint64_t>(std::countr_zero(later != 0 ? later : words_occupied_));
    bits = occupied_[word];
  }
  return head_[word * 64 + static_cast<std::uint64_t>(std::countr_zero(bits))];
}

const Event& EventWheel::peek() {
  DCHECK(count_ != 0);
  if (first_ == nil) {
    first_ = first_near();
    first_is_far_ = false;
    if (!far_.empty()) {
      const Index far = far_.front();
      if (first_ == nil || before(nodes_[static_cast<std::size_t>(far)].event,
                                  nodes_[static_cast<std::size_t>(first_)].event)) {
        first_ = far;
        first_is_far_ = true;
      }
    }
  }
  return nodes_[static_cast<std::size_t>(first_)].event;
}

Event EventWheel::pop() {
  const Event event = peek();
  const Index node = first_;
  if (first_is_far_) {
    pop_far();
  } else {
    remove_near(node);
  }
  nodes_[static_cast<std::size_t>(node)].next = free_;
  free_ = node;
  first_ = nil;
  base_ = event.due;
  --count_;
  return event;
}

void EventWheel::remove_near(Index node) {
  const auto& mine = nodes_[static_cast<std::size_t>(node)];
  const auto bucket = tick(mine.event.due) % buckets;
  head_[bucket] = mine.next;
  if (mine.next != nil) return;
  tail_[bucket] = nil;
  occupied_[bucket / 64] &= ~(1ull << bucket % 64);
  if (occupied_[bucket / 64] == 0) words_occupied_ &= ~(1ull << bucket / 64);
}

void EventWheel::push_far(Index node) {
  far_.push_back(node);
  std::push_heap(far_.begin(), far_.end(), [this](Index a, Index b) {
    return before(nodes_[static_cast<std::size_t>(b)].event,
                  nodes_[static_cast<std::size_t>(a)].event);
  });
}

EventWheel::Index EventWheel::pop_far() {
  std::pop_heap(far_.begin(), far_.end(), [this](Index a, Index b) {
    return before(nodes_[static_cast<std::size_t>(b)].event,
                  nodes_[static_cast<std::size_t>(a)].event);
  });
  const Index node = far_.back();
  far_.pop_back();
  return node;
}

void EventWheel::advance(Picoseconds now) {
  DCHECK(count_ == 0 || peek().due >= now);
  base_ = std::max(base_, now);
}

}  // namespace ioasim::sim
