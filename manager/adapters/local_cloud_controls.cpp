// What happens to machines beside the port's calls: power, frozen processes, agents that die.
#include <algorithm>
#include <csignal>
#include <filesystem>

#include "manager/adapters/local_cloud.hpp"
#include "manager/system/child_process.hpp"

namespace drover {
namespace {

Error unknown(const std::string& id) {
  return make_error(ErrorCode::not_found, "the local cloud has no VM " + id + " that could be disturbed");
}

}  // namespace

std::vector<LocalCloud::Machine> LocalCloud::machines() const {
  std::vector<Machine> all;
  for (const Vm& vm : vms_) {
    const std::string tag = vm.info.tag(kNodeTag);
    // Looking through all processes of the machine is for those whose agent is gone.
    const bool agent_lives =
        vm.pid > 0 && system::start_ticks(vm.pid) == vm.start_ticks && system::process_lives(vm.pid);
    all.push_back({vm.info.id, tag.substr(0, tag.find('.')), vm.info.address, folder_of(vm), vm.info.state,
                   agent_lives || !processes(vm, false).empty()});
  }
  return all;
}

std::uint64_t LocalCloud::terminated() const {
  const auto here = std::count_if(vms_.begin(), vms_.end(),
                                  [](const Vm& vm) { return vm.info.state == InstanceState::terminated; });
  return created() - vms_.size() + static_cast<std::uint64_t>(here);
}

Result<void> LocalCloud::power_off(const std::string& id) {
  Vm* vm = find(id);
  if (vm == nullptr || is_gone(vm->info.state)) return unknown(id);
  vm->info.state = InstanceState::stopped;
  DROVER_TRY(save());
  kill_processes(*vm);
  return success();
}

Result<void> LocalCloud::fail(const std::string& id, const std::string& why) {
  Vm* vm = find(id);
  if (vm == nullptr || is_gone(vm->info.state)) return unknown(id);
  vm->info.state = InstanceState::error;
  vm->info.fault = why;
  DROVER_TRY(save());
  kill_processes(*vm);
  return success();
}

Result<void> LocalCloud::power_on(const std::string& id, bool keep_disk) {
  Vm* vm = find(id);
  if (vm == nullptr) return unknown(id);
  if (is_gone(vm->info.state)) return make_error(ErrorCode::wrong_state, id + " is gone");
  reap(*vm);
  if (!processes(*vm, false).empty()) return make_error(ErrorCode::wrong_state, id + " has power");
  std::error_code ignored;
  if (!keep_disk)
    for (const auto& entry : std::filesystem::directory_iterator(folder_of(*vm), ignored))
      std::filesystem::remove_all(entry.path(), ignored);
  return start(*vm);
}

Result<void> LocalCloud::freeze(const std::string& id, bool frozen) {
  Vm* vm = find(id);
  if (vm == nullptr || is_gone(vm->info.state)) return unknown(id);
  for (const pid_t pid : processes(*vm, false)) ::kill(pid, frozen ? SIGSTOP : SIGCONT);
  return success();
}

Result<void> LocalCloud::signal_agent(const std::string& id, int signal) {
  Vm* vm = find(id);
  if (vm == nullptr || vm->pid <= 0 || is_gone(vm->info.state)) return unknown(id);
  if (system::start_ticks(vm->pid) == vm->start_ticks) ::kill(vm->pid, signal);
  return success();
}

Result<void> LocalCloud::start_agent(const std::string& id) {
  Vm* vm = find(id);
  if (vm == nullptr || is_gone(vm->info.state)) return unknown(id);
  reap(*vm);
  if (system::process_lives(vm->pid) && system::start_ticks(vm->pid) == vm->start_ticks)
    return make_error(ErrorCode::wrong_state, "the agent of " + id + " runs");
  vm->former.push_back({vm->pid, vm->start_ticks});
  return start_processes(*vm);
}

}  // namespace drover
