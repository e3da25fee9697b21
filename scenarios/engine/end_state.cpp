#include "scenarios/engine/end_state.hpp"

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {
namespace {

using model::OperationState;

bool is_healthy_replica(const node::NodeTruth& truth) {
  return truth.replication.configured && truth.replication.io == ThreadState::yes &&
         truth.replication.sql_running && truth.read_only;
}

void add_members(SimWorld& world, const model::Model& model, std::map<std::string, std::string>& values) {
  std::size_t masters = 0, slaves = 0, healthy = 0, lost = 0, open = 0;
  for (const auto& [id, node] : model.nodes()) {
    if (!model::is_listed(node.state)) continue;
    const auto truth = world.fleet().truth(node.vm);
    masters += node.role == Role::primary ? 1 : 0;
    slaves += node.role == Role::replica ? 1 : 0;
    lost += node.state == model::NodeState::lost ? 1 : 0;
    if (!truth) continue;
    healthy += node.role == Role::replica && is_healthy_replica(*truth) ? 1 : 0;
    open += node.role == Role::primary && truth->client_can_write ? 1 : 0;
  }
  const auto put = [&values](const char* name, std::size_t count) { values[name] = std::to_string(count); };
  put("members", model.listed());
  put("masters", masters);
  put("slaves", slaves);
  put("healthy slaves", healthy);
  put("masters that take writes", open);
  put("lost members", lost);
  put("records", model.nodes().size());
  values["master"] = model.service.primary == 0 ? "none" : "there is one";
}

}  // namespace

EndState end_state(SimWorld& world, std::vector<std::string> shortfalls) {
  EndState end;
  end.shortfalls = std::move(shortfalls);
  end.created = world.cloud().total_created();
  end.values["living VMs"] = std::to_string(world.cloud().live());
  end.values["volumes"] = std::to_string(world.leaked_volumes());
  const auto* manager = world.manager();
  end.values["service"] = manager == nullptr ? "DOWN" : model::to_text(manager->dstate());
  if (manager == nullptr) return end;
  const auto& model = manager->model();
  for (const auto& [id, operation] : model.operations())
    ++end.operations[std::string(model::to_text(operation.request.kind)) + " " +
                     model::to_text(operation.state)];
  add_members(world, model, end.values);
  return end;
}

std::vector<Difference> compare_ends(const EndState& reference, const EndState& end) {
  std::vector<Difference> found;
  for (const auto& [operation, count] : end.operations) {
    if (!operation.ends_with(" FAILED")) continue;
    const auto known = reference.operations.find(operation);
    const std::uint64_t expected = known == reference.operations.end() ? 0 : known->second;
    if (count > expected)
      found.push_back({"operation " + operation, std::to_string(count) + " × " + operation +
                                                     ", without the faults " + std::to_string(expected)});
  }
  if (!found.empty()) return found;
  if (end.operations != reference.operations || end.shortfalls != reference.shortfalls) return found;
  for (const auto& [name, value] : end.values) {
    const auto known = reference.values.find(name);
    const std::string expected = known == reference.values.end() ? "-" : known->second;
    if (value != expected)
      found.push_back({"end " + name, name + ": " + value + ", without the faults " + expected});
  }
  if (end.created > reference.created)
    found.push_back({"end created VMs", std::to_string(end.created) +
                                            " VMs were created, without the faults " +
                                            std::to_string(reference.created)});
  return found;
}

}  // namespace drover::scenario
