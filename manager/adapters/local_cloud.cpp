// The port's calls, and the life of a VM.
#include "manager/adapters/local_cloud.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include "manager/system/child_process.hpp"
#include "manager/system/net_stream.hpp"
#include "manager/system/network_space.hpp"

namespace drover {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLookAgain = 20ms;
constexpr Duration kConnectTimeout = 200ms;
constexpr unsigned kHostsMax = 250;
constexpr std::chrono::seconds kEndPatience{10};

Error no_volumes() {
  return make_error(ErrorCode::invalid, "the local cloud has no volumes: a VM's data is in its own folder");
}

Error not_found(const std::string& id) {
  return make_error(ErrorCode::not_found, "the local cloud knows no VM " + id);
}

}  // namespace

LocalCloud::LocalCloud(Scheduler& scheduler, LocalCloudConfig config, Log log)
    : scheduler_(scheduler), config_(std::move(config)), log_(std::move(log)) {}

LocalCloud::~LocalCloud() = default;

Result<std::unique_ptr<LocalCloud>> LocalCloud::open(Scheduler& scheduler, LocalCloudConfig config, Log log) {
  std::unique_ptr<LocalCloud> cloud(new LocalCloud(scheduler, std::move(config), std::move(log)));
  DROVER_TRY(cloud->load());
  for (Vm& vm : cloud->vms_) {
    if (vm.info.state == InstanceState::terminated) continue;
    cloud->find_unrecorded(vm);
    if (vm.info.state == InstanceState::shutting_down) {
      cloud->kill_processes(vm);
      cloud->finish_later(vm.info.id);
    } else if (cloud->processes(vm, false).empty()) {
      cloud->log_(vm.info.id + " does not run: starting it on its data");
      DROVER_TRY(cloud->start(vm));
    } else {
      cloud->log_(vm.info.id + " runs already");
    }
  }
  return cloud;
}

// Started by a process that ended before it could write down the pid.
void LocalCloud::find_unrecorded(Vm& vm) const {
  if (vm.pid > 0) return;
  for (const pid_t pid : system::processes_with(" agent --id " + vm.info.id + " ")) {
    if (system::command_line(pid).find(" --dir " + folder_of(vm) + " ") == std::string::npos) continue;
    vm.pid = pid;
    vm.start_ticks = system::start_ticks(pid);
  }
}

void LocalCloud::newInstance(const CallContext&, const InstanceSpec& spec, const std::string& token,
                             Handler<InstanceInfo> handler) {
  prune();
  for (Vm& vm : vms_) {
    if (vm.token != token) continue;
    refresh(vm);
    if (vm.spec == spec) return handler(vm.info);
    return handler(make_error(ErrorCode::already_exists,
                              "the token belongs to " + vm.info.id + ", which was asked for differently"));
  }
  if (count() >= config_.instances_max)
    return handler(make_error(ErrorCode::quota,
                              "the local cloud has " + std::to_string(config_.instances_max) +
                                  " VMs and takes no more (local.instances)",
                              Effect::none, Retry::later));
  Vm vm;
  vm.number = next_number_++;
  vm.spec = spec;
  vm.token = token;
  vm.info.id = "vm-" + std::to_string(vm.number);
  vm.info.name = spec.name;
  vm.info.image = spec.image;
  vm.info.size = spec.size;
  vm.info.tags = spec.tags;
  vm.info.created_at = scheduler_.now();
  if (auto made = make_place(vm); made.has_error()) return handler(std::move(made).error());
  vms_.push_back(std::move(vm));
  Vm& added = vms_.back();
  if (auto started = start(added); started.has_error()) {
    kill_processes(added);
    clear_place(added);
    vms_.pop_back();
    (void)save();
    return handler(std::move(started).error());
  }
  handler(added.info);
}

Result<void> LocalCloud::make_place(Vm& vm) {
  std::string address;
  if (config_.ground != nullptr) {
    std::error_code error;
    fs::create_directories(folder_of(vm), error);
    if (error)
      return make_error(ErrorCode::unavailable, folder_of(vm) + " cannot be made: " + error.message());
    DROVER_TRY(address, config_.ground->settle(vm.info.id, folder_of(vm)));
  }
  if (address.empty()) {
    DROVER_TRY(address, free_address());
  }
  vm.info.address = std::move(address);
  return success();
}

void LocalCloud::clear_place(const Vm& vm) {
  if (config_.ground != nullptr) config_.ground->leave(vm.info.id, folder_of(vm));
  std::error_code ignored;
  fs::remove_all(folder_of(vm), ignored);
}

int LocalCloud::network_of(const Vm& vm) const {
  return config_.ground == nullptr ? -1 : config_.ground->network_of(vm.info.id);
}

// Asked from where the VM is: whether somebody else reaches it is not the cloud's business.
bool LocalCloud::agent_listens(const Vm& vm) const {
  const system::InsideNetwork inside(network_of(vm));
  return inside.entered() &&
         system::connect_to(vm.info.address, config_.agent_port, kConnectTimeout).has_value();
}

Result<void> LocalCloud::start(Vm& vm) {
  vm.info.state = InstanceState::pending;
  vm.info.fault.clear();
  vm.pid = -1;
  vm.former.clear();
  DROVER_TRY(save());
  return start_processes(vm);
}

Result<void> LocalCloud::start_processes(Vm& vm) {
  std::error_code error;
  fs::create_directories(folder_of(vm), error);
  fs::permissions(folder_of(vm), fs::perms::owner_all, error);
  if (error) return make_error(ErrorCode::unavailable, folder_of(vm) + " cannot be made: " + error.message());
  DROVER_TRY(const system::Descriptor log, system::open_to_append(folder_of(vm) + "/agent.log"));
  system::ProgramCall call;
  call.arguments = {config_.program,
                    "agent",
                    "--id",
                    vm.info.id,
                    "--listen",
                    vm.info.address + ":" + std::to_string(config_.agent_port),
                    "--mysqld-port",
                    std::to_string(config_.mysqld_port),
                    "--dir",
                    folder_of(vm),
                    "--token-file",
                    config_.token_file,
                    "--buffer-pool-mb",
                    std::to_string(config_.buffer_pool_mb)};
  const auto add = [&call](const char* option, const std::string& value) {
    if (value.empty()) return;
    call.arguments.emplace_back(option);
    call.arguments.push_back(value);
  };
  add("--template", config_.template_folder);
  add("--manager", config_.manager_url);
  call.out = log.get();
  call.err = log.get();
  call.is_server = true;
  call.own_session = true;
  call.death_signal = config_.ephemeral ? SIGTERM : 0;
  {
    const system::InsideNetwork inside(network_of(vm));
    if (!inside.entered())
      return make_error(ErrorCode::unavailable, "the network of " + vm.info.id + " cannot be entered");
    DROVER_TRY(vm.pid, system::start_program(call));
  }
  vm.start_ticks = system::start_ticks(vm.pid);
  return save();
}

// The lowest host number on which nothing listens and no VM lives.
Result<std::string> LocalCloud::free_address() const {
  const std::string prefix =
      "127." + std::to_string(64 + network_ / 256 % 128) + "." + std::to_string(network_ % 256) + ".";
  for (unsigned host = 1; host <= kHostsMax; ++host) {
    std::string address = prefix + std::to_string(host);
    const bool taken = std::any_of(vms_.begin(), vms_.end(), [&](const Vm& vm) {
      return vm.info.address == address && vm.info.state != InstanceState::terminated;
    });
    if (taken) continue;
    if (system::listen_on(address, config_.agent_port).has_value() &&
        system::listen_on(address, config_.mysqld_port).has_value())
      return address;
  }
  return make_error(ErrorCode::capacity,
                    "there is no address in " + prefix + "0/24 with the ports " +
                        std::to_string(config_.agent_port) + " and " + std::to_string(config_.mysqld_port) +
                        " free: end what uses them, or set agent_port",
                    Effect::none, Retry::later);
}

std::vector<pid_t> LocalCloud::processes(const Vm& vm, bool with_zombies) const {
  std::vector<pid_t> found;
  const auto add = [&](const Session& session) {
    if (session.leader <= 0) return;
    const std::uint64_t ticks = system::start_ticks(session.leader);
    if (ticks != 0 && ticks != session.start_ticks) return;  // another process by now
    const auto more = system::processes_of_session(session.leader, with_zombies);
    found.insert(found.end(), more.begin(), more.end());
    // One that was started a blink ago may not have its session yet.
    if (ticks != 0 && system::process_lives(session.leader) &&
        std::ranges::find(more, session.leader) == more.end())
      found.push_back(session.leader);
  };
  add({vm.pid, vm.start_ticks});
  for (const Session& session : vm.former) add(session);
  return found;
}

// Those of ours that have ended; what their agent left behind comes to us where we are its reaper.
void LocalCloud::reap(const Vm& vm) const {
  for (const pid_t pid : processes(vm, true)) ::waitpid(pid, nullptr, WNOHANG);
}

void LocalCloud::refresh(Vm& vm) {
  if (vm.info.state != InstanceState::pending && vm.info.state != InstanceState::running) return;
  reap(vm);
  if (processes(vm, false).empty()) {
    vm.info.state = InstanceState::error;
    vm.info.fault = "its processes have ended: " + system::tail_of_file(folder_of(vm) + "/agent.log", 300);
    log_(vm.info.id + ": " + vm.info.fault);
    (void)save();
  } else if (vm.info.state == InstanceState::pending && agent_listens(vm)) {
    vm.info.state = InstanceState::running;
    (void)save();
  }
}

void LocalCloud::killInstance(const CallContext&, const std::string& id, Handler<void> handler) {
  Vm* vm = find(id);
  if (vm == nullptr || is_gone(vm->info.state)) return handler(success());
  vm->info.state = InstanceState::shutting_down;
  if (auto saved = save(); saved.has_error()) return handler(std::move(saved));
  kill_processes(*vm);
  finish_later(id);
  handler(success());
}

void LocalCloud::kill_processes(const Vm& vm) const {
  for (const pid_t pid : processes(vm, false)) ::kill(pid, SIGKILL);
}

bool LocalCloud::finish(Vm& vm) {
  reap(vm);
  if (!processes(vm, false).empty()) {
    kill_processes(vm);  // one that was started meanwhile
    return false;
  }
  clear_place(vm);
  vm.info.state = InstanceState::terminated;
  vm.ended_at = scheduler_.now();
  vm.pid = -1;
  (void)save();
  return true;
}

void LocalCloud::finish_later(const std::string& id) {
  scheduler_.call_after(domain_, kLookAgain, [this, id] {
    Vm* vm = find(id);
    if (vm != nullptr && vm->info.state == InstanceState::shutting_down && !finish(*vm)) finish_later(id);
  });
}

void LocalCloud::terminate_all() {
  const auto until = std::chrono::steady_clock::now() + kEndPatience;
  for (Vm& vm : vms_)
    if (vm.info.state != InstanceState::terminated) vm.info.state = InstanceState::shutting_down;
  (void)save();
  for (const Vm& vm : vms_) kill_processes(vm);
  for (Vm& vm : vms_)
    while (vm.info.state != InstanceState::terminated && !finish(vm) &&
           std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void LocalCloud::getVMInfo(const CallContext&, const std::string& id, Handler<InstanceInfo> handler) {
  Vm* vm = find(id);
  if (vm == nullptr) return handler(not_found(id));
  refresh(*vm);
  handler(vm->info);
}

void LocalCloud::listVMs(const CallContext&, const std::string& key, const std::string& value,
                         Handler<std::vector<InstanceInfo>> handler) {
  std::vector<InstanceInfo> found;
  for (Vm& vm : vms_) {
    refresh(vm);
    if (vm.info.tag(key) == value) found.push_back(vm.info);
  }
  handler(std::move(found));
}

void LocalCloud::createVolume(const CallContext&, const std::string&, unsigned, const std::string&,
                              Handler<VolumeInfo> handler) {
  handler(no_volumes());
}

void LocalCloud::attachVolume(const CallContext&, const std::string&, const std::string&,
                              Handler<void> handler) {
  handler(no_volumes());
}

void LocalCloud::deleteVolume(const CallContext&, const std::string&, Handler<void> handler) {
  handler(success());  // what is not there is deleted
}

void LocalCloud::listVolumes(const CallContext&, Handler<std::vector<VolumeInfo>> handler) {
  handler(std::vector<VolumeInfo>{});
}

std::size_t LocalCloud::count() const {
  return static_cast<std::size_t>(
      std::count_if(vms_.begin(), vms_.end(), [](const Vm& vm) { return !is_gone(vm.info.state); }));
}

LocalCloud::Vm* LocalCloud::find(const std::string& id) {
  const auto found = std::find_if(vms_.begin(), vms_.end(), [&](const Vm& vm) { return vm.info.id == id; });
  return found == vms_.end() ? nullptr : &*found;
}

void LocalCloud::prune() {
  std::erase_if(vms_, [this](const Vm& vm) {
    return vm.info.state == InstanceState::terminated &&
           scheduler_.now() - vm.ended_at > config_.remembered_for;
  });
}

}  // namespace drover
