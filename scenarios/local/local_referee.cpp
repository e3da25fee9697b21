#include "scenarios/local/local_referee.hpp"

#include <algorithm>
#include <set>

namespace drover::scenario {

using model::NodeState;
using model::ServiceState;

namespace {

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::vector<std::string> LocalReferee::judged() const {
  return {"S1", "S2", "S3", "S5", "S7", "S8", "S9", "S11", "L1", "L2", "L3", "L4", "L7"};
}

// --- always ---

void LocalReferee::after_change() {
  auto both = world_.sight().writable_at_once;
  std::erase_if(both, [this](const std::string& vm) {
    return world_.was_opened_by_fault(vm) || !world_.clients_reach(vm);
  });
  if (both.size() > 1)
    world_.report("S2", list_of(both) + " take writes at the same time", "S2 two writable");
}

// --- at rest ---

bool LocalReferee::is_settled(const model::Node& node) const {
  if (!model::is_listed(node.state)) return true;
  const auto* view = world_.sight().of(node.vm);
  if (node.state == NodeState::lost) return true;
  if (view == nullptr || !view->answers) return false;
  return node.role != Role::replica || view->replicates();
}

bool LocalReferee::settled() {
  if (!is_at_rest()) return false;
  const auto& nodes = world_.manager()->model().nodes();
  return std::all_of(nodes.begin(), nodes.end(),
                     [this](const auto& entry) { return is_settled(entry.second); });
}

std::uint64_t LocalReferee::check_writes() {
  const auto phantoms = static_cast<std::uint64_t>(world_.truth(Truth::phantom_writes));
  if (phantoms > 0)
    world_.report("S3", std::to_string(phantoms) + " write(s) on the master that no client made",
                  "S3 phantom");
  const auto lost = static_cast<std::uint64_t>(world_.truth(Truth::lost_writes));
  if (lost == 0 || world_.has_lost_a_disk()) return lost;
  world_.report("S3", std::to_string(lost) + " acknowledged write(s) are lost", "S3 lost");
  return 0;
}

void LocalReferee::at_end(bool judged) {
  if (!check_manager(judged)) return;
  check_instances();
  check_members();
  check_replicas();
  check_server_ids();
}

void LocalReferee::check_instances() {
  std::map<std::string, std::string> of_node;
  for (const auto& vm : world_.machines()) {
    if (is_gone(vm.state)) continue;
    const auto [other, alone] = of_node.emplace(vm.node, vm.id);
    if (!alone)
      world_.report("S1", vm.node + " has two VMs, " + other->second + " and " + vm.id,
                    "S1 two VMs of one node");
  }
}

void LocalReferee::check_members() {
  const auto machines = world_.machines();
  for (const auto& [id, node] : world_.manager()->model().nodes()) {
    const std::string name = model::node_name(id);
    if (!model::is_listed(node.state)) {
      world_.report("L2", name + " is still " + model::to_text(node.state), "L2 node state");
      continue;
    }
    const auto vm = std::find_if(machines.begin(), machines.end(),
                                 [&node = node](const auto& one) { return one.id == node.vm; });
    const auto* view = world_.sight().of(node.vm);
    if (vm == machines.end() || is_gone(vm->state))
      world_.report("L2", name + " is a member, and its VM \"" + node.vm + "\" is gone",
                    "L2 member without VM");
    else if (node.state == NodeState::running && (view == nullptr || !view->answers))
      world_.report("L2", name + " is RUNNING, and its server does not run", "L2 member without server");
    else if (node.address != vm->address && node.state == NodeState::running)
      world_.report("L2", name + " is at " + vm->address + ", not at " + node.address,
                    "L2 member at another address");
  }
}

// L4 and S9: replicas run, from the master or another member, closed to writes, and hold the same data.
void LocalReferee::check_replicas() {
  const auto& model = world_.manager()->model();
  const auto* primary = model.node(model.service.primary);
  if (primary == nullptr || primary->state != NodeState::running || world_.has_lost_a_disk()) return;
  const auto* master = world_.sight().of(primary->vm);
  for (const auto& [id, node] : model.nodes()) {
    if (node.role != Role::replica || node.state != NodeState::running) continue;
    const std::string name = model::node_name(id);
    const auto* view = world_.sight().of(node.vm);
    if (view == nullptr || !view->replicates()) {
      world_.report("L4",
                    name + " does not replicate: " +
                        (view == nullptr ? std::string("its server is gone") : view->replication.last_error),
                    "L4 not replicating");
      continue;
    }
    if (!view->read_only) world_.report("S9", name + " is a slave and takes writes", "S9 writable replica");
    if (view->replication.source_address != primary->address)
      world_.report("S9",
                    name + " replicates from " + view->replication.source_address + ", not from the master " +
                        primary->address,
                    "S9 wrong source");
    if (master == nullptr || !master->answers) continue;
    if (!excess(master->logged, view->applied).empty())
      world_.report(
          "L4",
          name + " has applied " + to_text(view->applied) + ", the master has " + to_text(master->logged),
          "L4 behind");
    else if (view->checksums != master->checksums)
      world_.report("L4", name + " does not hold the master's data", "L4 data differs");
  }
}

void LocalReferee::check_server_ids() {
  std::map<std::uint32_t, std::string> owners;
  for (const auto& [id, node] : world_.manager()->model().nodes()) {
    const auto* view = world_.sight().of(node.vm);
    if (view == nullptr || !view->answers || node.role == Role::none) continue;
    const auto [other, alone] = owners.emplace(view->server_id, model::node_name(id));
    if (!alone)
      world_.report("S9",
                    other->second + " and " + model::node_name(id) + " have the same server_id " +
                        std::to_string(view->server_id),
                    "S9 server-id");
  }
}

}  // namespace drover::scenario
