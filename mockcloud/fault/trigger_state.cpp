#include "mockcloud/fault/trigger_state.hpp"

#include <algorithm>

#include "mockcloud/fault/points.hpp"

namespace drover::fault {

using Kind = Trigger::Kind;

TriggerState::TriggerState(const Trigger& trigger) { add(trigger); }

std::size_t TriggerState::add(const Trigger& trigger) {
  Node node;
  node.kind = trigger.kind;
  node.point = canonical_point(trigger.point);
  node.first = trigger.first;
  node.onward = trigger.onward;
  for (const auto& child : trigger.children) node.children.push_back(add(child));
  nodes_.push_back(std::move(node));
  return nodes_.size() - 1;
}

bool TriggerState::offer(std::string_view point) {
  return !nodes_.empty() && offer(nodes_.size() - 1, point);
}

bool TriggerState::offer(std::size_t index, std::string_view point) {
  Node& node = nodes_[index];
  switch (node.kind) {
    case Kind::point: {
      if (!matches_point(node.point, point)) return false;
      ++node.count;
      return node.count == node.first || (node.onward && node.count > node.first);
    }
    case Kind::either: {
      bool completed = false;
      for (const std::size_t child : node.children) completed |= offer(child, point);
      return completed;
    }
    case Kind::both: {
      bool all = true;
      for (const std::size_t child : node.children) {
        if (offer(child, point)) nodes_[child].seen = true;
        all = all && nodes_[child].seen;
      }
      if (all)
        for (const std::size_t child : node.children) nodes_[child].seen = false;
      return all;
    }
    case Kind::then: {
      if (!offer(node.children[node.count], point)) return false;
      node.count = (node.count + 1) % node.children.size();
      if (node.count == 0) return true;
      reset(node.children[node.count]);
      return false;
    }
  }
  return false;
}

void TriggerState::reset(std::size_t index) {
  Node& node = nodes_[index];
  node.count = 0;
  node.seen = false;
  for (const std::size_t child : node.children) reset(child);
}

bool TriggerState::names(std::string_view point) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [point](const Node& node) {
    return node.kind == Kind::point && matches_point(node.point, point);
  });
}

std::vector<std::uint64_t> TriggerState::progress() const {
  std::vector<std::uint64_t> numbers;
  for (const auto& node : nodes_) {
    numbers.push_back(node.count);
    numbers.push_back(node.seen ? 1 : 0);
  }
  return numbers;
}

bool TriggerState::restore(const std::vector<std::uint64_t>& progress) {
  if (progress.size() != nodes_.size() * 2) return false;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (progress[2 * i + 1] > 1) return false;
    if (nodes_[i].kind == Kind::then && progress[2 * i] >= nodes_[i].children.size()) return false;
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].count = progress[2 * i];
    nodes_[i].seen = progress[2 * i + 1] == 1;
  }
  return true;
}

}  // namespace drover::fault
