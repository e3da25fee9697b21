#include "scenarios/engine/check_states.hpp"

#include <algorithm>
#include <array>

#include "scenarios/engine/check_write_ahead.hpp"

namespace drover::scenario {

using N = model::NodeState;
using O = model::OperationState;
using S = model::ServiceState;

namespace {

constexpr std::size_t kManyNodes = 32;  // beyond this the nodes are compared now and then

constexpr std::array kService{
    StatePair<S>{S::S_INIT, S::S_PROLOGUE},     StatePair<S>{S::S_INIT, S::S_EPILOGUE},
    StatePair<S>{S::S_PROLOGUE, S::S_RUNNING},  StatePair<S>{S::S_PROLOGUE, S::S_ERROR},
    StatePair<S>{S::S_PROLOGUE, S::S_EPILOGUE}, StatePair<S>{S::S_RUNNING, S::S_ADAPTING},
    StatePair<S>{S::S_RUNNING, S::S_EPILOGUE},  StatePair<S>{S::S_ADAPTING, S::S_RUNNING},
    StatePair<S>{S::S_ADAPTING, S::S_EPILOGUE}, StatePair<S>{S::S_EPILOGUE, S::S_STOPPED},
    StatePair<S>{S::S_EPILOGUE, S::S_ERROR},    StatePair<S>{S::S_STOPPED, S::S_PROLOGUE},
    StatePair<S>{S::S_ERROR, S::S_PROLOGUE},    StatePair<S>{S::S_ERROR, S::S_EPILOGUE},
};

constexpr std::array kNode{
    StatePair<N>{N::creating, N::booting},     StatePair<N>{N::creating, N::failed},
    StatePair<N>{N::creating, N::removing},    StatePair<N>{N::booting, N::configuring},
    StatePair<N>{N::booting, N::creating},     StatePair<N>{N::booting, N::failed},
    StatePair<N>{N::booting, N::removing},     StatePair<N>{N::configuring, N::running},
    StatePair<N>{N::configuring, N::creating}, StatePair<N>{N::configuring, N::failed},
    StatePair<N>{N::configuring, N::removing}, StatePair<N>{N::running, N::lost},
    StatePair<N>{N::running, N::removing},     StatePair<N>{N::running, N::removed},
    StatePair<N>{N::lost, N::running},         StatePair<N>{N::lost, N::removing},
    StatePair<N>{N::lost, N::removed},         StatePair<N>{N::failed, N::removing},
    StatePair<N>{N::removing, N::running},     StatePair<N>{N::removing, N::removed},
};

constexpr std::array kOperation{
    StatePair<O>{O::queued, O::running},      StatePair<O>{O::queued, O::cancelled},
    StatePair<O>{O::running, O::done},        StatePair<O>{O::running, O::failed},
    StatePair<O>{O::running, O::cancelled},   StatePair<O>{O::running, O::compensating},
    StatePair<O>{O::compensating, O::failed}, StatePair<O>{O::compensating, O::cancelled},
};

template <class State>
bool is_step(std::span<const StatePair<State>> steps, State from, State to) {
  return std::find(steps.begin(), steps.end(), StatePair<State>{from, to}) != steps.end();
}

// Whether one or more steps lead there: a commit may gather several. At most eight states.
template <class State>
bool is_way(std::span<const StatePair<State>> steps, State from, State to) {
  if (from == to) return true;
  unsigned reached = 1U << static_cast<unsigned>(from);
  for (unsigned before = 0; before != reached;) {
    before = reached;
    for (const auto& [a, b] : steps)
      if ((reached >> static_cast<unsigned>(a) & 1U) != 0) reached |= 1U << static_cast<unsigned>(b);
  }
  return (reached >> static_cast<unsigned>(to) & 1U) != 0;
}

// "running" of "node.running" as the state called RUNNING.
template <class Parse>
auto state_at(std::string_view point, Parse parse) {
  char text[24];
  std::size_t size = 0;
  for (const char c : point.substr(point.find('.') + 1))
    if (size < sizeof text) text[size++] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return parse(std::string_view(text, size));
}

std::optional<O> operation_state_at(std::string_view point) {
  if (point == "operation.started") return O::running;
  if (point == "operation.step") return O::compensating;
  if (point == "operation.done") return O::done;
  if (point == "operation.failed") return O::failed;
  if (point == "operation.cancelled") return O::cancelled;
  return std::nullopt;  // accepted, retry: no transition
}

}  // namespace

std::span<const StatePair<S>> legal_service_steps() { return kService; }
std::span<const StatePair<N>> legal_node_steps() { return kNode; }
std::span<const StatePair<O>> legal_operation_steps() { return kOperation; }

void States::report(const std::string& who, const std::string& from, const std::string& to,
                    const std::string& where) {
  const std::string kind = who.substr(0, who.find('-'));
  world_.report("S5", who + " went from " + from + " to " + to + " " + where,
                "S5 illegal step of " + kind + " " + from + " " + to);
}

void States::begin() {
  service_.reset();
  nodes_.clear();
  operations_.clear();
  const auto* manager = world_.manager();
  if (manager == nullptr) return;
  const auto& model = manager->model();
  service_ = model.service.state;
  for (const auto& [id, node] : model.nodes()) nodes_[id] = node.state;
  for (const auto id : model.active()) operations_[id] = model.operation(id)->state;
}

void States::at_point(std::string_view point, std::string_view subject) {
  if (point == "manager.started") return begin();
  if (point == "node.adopted") {  // by a journal that is behind the world
    nodes_[node_number(subject)] = N::running;
    return;
  }
  if (point.starts_with("node.")) {
    const auto to = state_at(point, &model::parse_node_state);
    const auto id = node_number(subject);
    if (!to || id == 0) return;
    N& state = nodes_.emplace(id, N::creating).first->second;
    if (!is_step<N>(kNode, state, *to))
      report(std::string(subject), model::to_text(state), model::to_text(*to), "in the manager");
    state = *to;
  } else if (point.starts_with("service.")) {
    const auto to = state_at(point, &model::parse_service_state);
    if (!to) return;
    if (service_ == S::S_INIT && *to == S::S_INIT) return;  // a manager that begins says where it is
    if (service_ && !is_step<S>(kService, *service_, *to))
      report("service", model::to_text(*service_), model::to_text(*to), "in the manager");
    const bool began = service_ == S::S_INIT || *to != S::S_PROLOGUE;
    if (service_ && !began && !start_wanted_)
      report("service", model::to_text(*service_), model::to_text(*to), "though nobody asked for it");
    if (*to == S::S_RUNNING) start_wanted_ = false;
    service_ = *to;
  } else if (point.starts_with("operation.") && subject.starts_with("op-")) {
    const auto to = operation_state_at(point);
    if (!to) return;
    O& state = operations_.emplace(operation_number(subject), O::queued).first->second;
    if (!is_step<O>(kOperation, state, *to))
      report(std::string(subject), model::to_text(state), model::to_text(*to), "in the manager");
    state = *to;
  }
}

void States::after_change() {
  const auto* manager = world_.manager();
  if (manager == nullptr || !service_) return;
  ++changes_;
  check_service();
  const auto nodes = manager->model().nodes().size();
  if (nodes <= kManyNodes || changes_ % nodes == 0) check_nodes();
  check_operations();
  if (stored_ && nodes <= kManyNodes && manager->journal_is_settled()) at_rest();
}

void States::check_service() {
  const auto& model = world_.manager()->model();
  if (model.service.state != *service_)
    report("service", model::to_text(*service_), model::to_text(model.service.state), "unannounced");
  service_ = model.service.state;
  const bool busy = model.active_operations() > 0;
  if ((busy && *service_ == S::S_RUNNING) || (!busy && *service_ == S::S_ADAPTING))
    world_.report("S5",
                  std::string("the service is ") + model::to_text(*service_) + " with " +
                      std::to_string(model.active_operations()) + " operation(s) under way",
                  std::string("S5 ") + model::to_text(*service_) + " is not so");
}

void States::check_nodes() {
  for (const model::NodeId id : world_.manager()->listed_nodes())
    if (const auto* node = world_.manager()->model().node(id);
        node == nullptr || !model::is_listed(node->state))
      world_.report(
          "S5",
          model::node_name(id) + " is listed as a member, and " +
              (node == nullptr ? "has no record" : std::string("is ") + model::to_text(node->state)),
          "S5 listed before it is a member");
  const auto& nodes = world_.manager()->model().nodes();
  auto known = nodes_.begin();
  const auto forgotten = [this](auto at) {
    // Erased without a word is only what was never accepted.
    if (at->second != N::removed && at->second != N::creating)
      report(model::node_name(at->first), model::to_text(at->second), "nothing", "unannounced");
    return nodes_.erase(at);
  };
  for (const auto& [id, node] : nodes) {
    while (known != nodes_.end() && known->first < id) known = forgotten(known);
    if (known == nodes_.end() || known->first > id) {
      if (node.state != N::creating)
        report(model::node_name(id), "nothing", model::to_text(node.state), "unannounced");
      known = nodes_.emplace_hint(known, id, node.state);
    } else if (known->second != node.state) {
      report(model::node_name(id), model::to_text(known->second), model::to_text(node.state), "unannounced");
      known->second = node.state;
    }
    ++known;
  }
  while (known != nodes_.end()) known = forgotten(known);
}

void States::check_operations() {
  const auto& model = world_.manager()->model();
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto* operation = model.operation(at->first);
    if (operation != nullptr && operation->state != at->second) {
      report(model::operation_name(at->first), model::to_text(at->second), model::to_text(operation->state),
             "unannounced");
      at->second = operation->state;
    }
    if (operation != nullptr && model::is_ended(operation->state)) {
      if (operation->ended_at_ns < operation->accepted_at_ns)
        world_.report("S5", model::operation_name(at->first) + " ended before it was accepted",
                      "S5 ended before accepted");
    }
    at = operation == nullptr || model::is_ended(operation->state) ? operations_.erase(at) : std::next(at);
  }
  for (const auto id : model.active()) {
    const auto* operation = model.operation(id);
    if (operations_.contains(id)) continue;
    if (operation->state != O::queued)
      report(model::operation_name(id), "nothing", model::to_text(operation->state), "unannounced");
    operations_.emplace(id, operation->state);
  }
}

// --- the journal ---

void States::stored_service(const Change& change, const std::string& before) {
  const auto to = model::parse_service_state(text_in(change.document, "state"));
  const auto from = model::parse_service_state(text_in(before, "state"));
  if (to && from && !is_way<S>(kService, *from, *to))
    report("service", model::to_text(*from), model::to_text(*to), "in the journal");
  for (const char* counter : {"epoch", "next_node", "next_operation", "next_server_id"})
    if (number_in(change.document, counter) < number_in(before, counter))
      world_.report("S8", std::string("in the journal, ") + counter + " went back",
                    std::string("S8 ") + counter + " went back");
}

// What a client was told to be cancelled ends as that, whatever happens on the way.
void States::stored_operation(const Change& change, const std::string& before) {
  constexpr std::string_view kCancelling = "\"cancelling\":true";
  if (before.find(kCancelling) != std::string::npos && change.document.find(kCancelling) == std::string::npos)
    world_.report("S12", "that " + model::operation_name(change.id) + " is being cancelled was forgotten",
                  "S12 cancellation forgotten");
}

void States::stored(const Change& change, const std::string& before) {
  stored_ = true;
  if (change.table == Table::service && !change.erase) stored_service(change, before);
  if (change.table == Table::operation && !change.erase) stored_operation(change, before);
  if (change.table == Table::node) {
    if (change.erase) {
      // Of a removed one nothing is found again.
      const bool vanished = text_in(before, "state") != "REMOVING";
      if (!before.empty()) erased_[change.id] = vanished ? text_in(before, "vm") : std::string_view();
      return;
    }
    // A VM that the cloud denied and that turns up again is the node that its tags say.
    const auto erased = erased_.find(change.id);
    const bool same = erased != erased_.end() && !erased->second.empty() &&
                      erased->second == text_in(change.document, "vm");
    if (before.empty() && erased != erased_.end() && !same)
      world_.report("S8", model::node_name(change.id) + " was given out twice", "S8 node id used twice");
    const auto to = model::parse_node_state(text_in(change.document, "state"));
    const auto from = model::parse_node_state(text_in(before, "state")).value_or(N::creating);
    if (to && !is_way<N>(kNode, from, *to))
      report(model::node_name(change.id), model::to_text(from), model::to_text(*to), "in the journal");
  }
  if (change.table == Table::operation && !change.erase) {
    const auto to = model::parse_operation_state(text_in(change.document, "state"));
    const auto from = model::parse_operation_state(text_in(before, "state")).value_or(O::queued);
    if (to && !is_way<O>(kOperation, from, *to))
      report(model::operation_name(change.id), model::to_text(from), model::to_text(*to), "in the journal");
  }
}

void States::at_rest() {
  const auto* manager = world_.manager();
  stored_ = false;
  if (manager == nullptr) return;
  const auto differs = [&](const std::string& who, const char* what) {
    world_.report("S8", "the journal does not have the " + std::string(what) + " of " + who,
                  std::string("S8 journal lacks ") + what);
  };
  auto& durable = world_.durable();
  for (const auto& [id, node] : manager->model().nodes()) {
    const auto* stored = durable.node(id);
    const std::string name = model::node_name(id);
    if (stored == nullptr) {
      differs(name, "record");
      continue;
    }
    if (stored->role != node.role) differs(name, "role");
    if (stored->vm != node.vm || stored->attempt != node.attempt) differs(name, "VM");
    if (stored->server_id != node.server_id) differs(name, "server_id");
    if (stored->address != node.address) differs(name, "address");
    if (stored->left_at != node.left_at) differs(name, "place where it was left behind");
  }
  const auto* service = durable.service();
  const auto& held = manager->model().service;
  if (service != nullptr &&
      (service->epoch != held.epoch || service->primary != held.primary ||
       service->maybe_writable != held.maybe_writable || service->bereft_of != held.bereft_of))
    differs("the service", "topology");
}

}  // namespace drover::scenario
