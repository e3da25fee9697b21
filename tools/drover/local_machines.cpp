#include "tools/drover/local_machines.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "manager/system/child_process.hpp"
#include "manager/system/net_stream.hpp"
#include "mockcloud/wire/opennebula/vm_view.hpp"
#include "mockcloud/wire/openstack/servers.hpp"
#include "tools/drover/serve_local.hpp"

namespace drover::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kSoon{20};
constexpr std::chrono::milliseconds kLater{500};
constexpr std::chrono::seconds kEndPatience{20};
constexpr unsigned kNetworksTried = 100;
constexpr std::size_t kFolderMax = 60;  // a socket's path has 107 bytes
constexpr std::uint16_t kPorts[] = {60000, 3306};
constexpr std::size_t kTailBytes = 400;

// Below a machine's folder, which is its file system.
constexpr const char* kUserData = "/var/lib/cloud/instance/user-data.txt";
constexpr const char* kInstanceId = "/var/lib/cloud/data/instance-id";
constexpr const char* kContext = "/run/one-context/one_env";
constexpr const char* kAddress = "/run/address";
constexpr const char* kFailed = "/run/user-data-failed";
constexpr const char* kConsole = "/console.log";

constexpr const char* kInitName = "/bin/init ";

// What a machine does with its power: user data once in its life, then the agent, as systemd would start it.
// It stays until it is killed: the session is found by it.
constexpr const char* kInit = R"sh(#!/bin/sh
# init RUN FOLDER TEMPLATE
root=$2
data=$root/var/lib/cloud/instance/user-data.txt
finished=$root/var/lib/cloud/instance/boot-finished
wanted=$root/etc/systemd/system/multi-user.target.wants/drover-agent.service
rest() { while :; do sleep 3600; done; }
export DROVER_ROOT="$root" DROVER_PAUSE=1
if [ -f "$data" ] && ! [ -e "$finished" ]; then
  code=0
  PATH=${0%/*}/stubs:$PATH "$data" || code=$?
  if [ "$code" != 0 ]; then
    echo "user data ended with exit code $code"
    : >"$root/run/user-data-failed"
    rest
  fi
  : >"$finished"
fi
while [ -e "$wanted" ]; do
  program=$(sed -n 's/^ExecStart=\([^ ]*\) agent .*/\1/p' "$root/etc/systemd/system/drover-agent.service")
  "$root$program" agent --config "$root/etc/drover/agent.yaml" --dir "$root/var/lib/drover/node" \
    --token-file "$root/etc/drover/agent.token" --template "$3" || true
  echo "the agent has ended; it is started again"
  sleep 2
done
rest
)sh";

struct Stub {
  const char* name;
  const char* text;
};

// In front of the machine's own programs while user data runs.
constexpr Stub kStubs[] = {
    {"systemctl", R"sh(if [ "$1 $2" = "enable drover-agent.service" ]; then
  wanted=$DROVER_ROOT/etc/systemd/system/multi-user.target.wants
  mkdir -p "$wanted" && : >"$wanted/drover-agent.service"
fi)sh"},
    {"ip", R"sh([ -s "$DROVER_ROOT/run/address" ] || exit 1
echo "0.0.0.0 dev lo src $(cat "$DROVER_ROOT/run/address") uid 0")sh"},
    // Nobody: user data that is no root makes no users and changes no owners.
    {"id", R"sh(case $1 in -u) echo 65534 ;; *) exit 1 ;; esac)sh"},
    {"apt-get", R"sh(echo "apt-get: nothing is installed on a machine of drover mockcloud" >&2; exit 1)sh"},
    {"mount", "exit 1"},
    {"umount", "exit 1"},
    {"useradd", ":"},
    {"chown", ":"},
    {"reboot", ":"},
    {"shutdown", ":"},
};

Error unavailable(const std::string& message) { return make_error(ErrorCode::unavailable, message); }

Result<void> write_file(const std::string& path, const std::string& text, bool is_program = false) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  DROVER_TRY(system::save_file(path, text));
  if (is_program) fs::permissions(path, fs::perms::owner_all, error);
  if (error) return unavailable(path + " cannot be written: " + error.message());
  return success();
}

// It is in command lines, in PATH and in configurations.
Result<void> check_folder(const std::string& folder) {
  constexpr const char* kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
  if (folder.find_first_not_of(kAllowed) != std::string::npos)
    return make_error(ErrorCode::invalid,
                      "machines_dir: " + folder + ": choose a path of letters, digits and . _ - / only");
  if (folder.size() > kFolderMax)
    return make_error(ErrorCode::invalid, "machines_dir: " + folder + ": choose a path of at most " +
                                              std::to_string(kFolderMax) + " bytes: sockets have to fit");
  return success();
}

}  // namespace

GuestIdentity guest_identity(const wire::Backend& backend, const std::vector<std::string>& apis,
                             const std::string& id) {
  const cloud::Instance* vm = backend.cloud().instance(id);
  std::string api = apis.size() == 1 ? apis.front() : "ec2";
  if (apis.size() != 1 && vm != nullptr) {
    // Those of a database of an earlier version have notes only.
    if (wire::openstack::Servers::made(*vm))
      api = "openstack";
    else if (wire::opennebula::made_here(*vm) || wire::opennebula::notes_of(backend, id))
      api = "opennebula";
  }
  GuestIdentity identity;
  if (api == "opennebula")
    identity.context_id = std::to_string(wire::opennebula::vm_id(id));
  else if (api == "openstack" && vm != nullptr)
    identity.instance_id = wire::openstack::Servers::uuid_of(*vm);
  else
    identity.instance_id = id;
  return identity;
}

std::string free_local_network() {
  std::string network;
  for (unsigned attempt = 0; attempt < kNetworksTried; ++attempt) {
    const unsigned number = static_cast<unsigned>(::getpid()) + attempt * 7919U;
    network = "127." + std::to_string(128 + number / 256 % 64) + "." + std::to_string(number % 256) + ".";
    const bool free = std::ranges::all_of(kPorts, [&](std::uint16_t port) {
      return system::listen_on(network + "1", port).has_value() &&
             system::listen_on(network + "2", port).has_value();
    });
    if (free) break;
  }
  return network;
}

LocalMachines::LocalMachines(asio::io_context& io, Log log) : log_(std::move(log)), timer_(io) {}

Result<std::unique_ptr<LocalMachines>> LocalMachines::open(asio::io_context& io, const std::string& folder,
                                                           Log log) {
  std::unique_ptr<LocalMachines> machines(new LocalMachines(io, std::move(log)));
  if (auto prepared = machines->prepare(folder); prepared.has_error()) return std::move(prepared).error();
  return machines;
}

Result<void> LocalMachines::prepare(const std::string& folder) {
  for (const char* name : {"mariadbd", "mariadb-install-db"})
    if (system::find_program(name).empty())
      return unavailable(std::string("machines need ") + name +
                         ": apt-get install mariadb-server-core mariadb-client mariadb-backup");
  std::error_code error;
  program_ = fs::read_symlink("/proc/self/exe", error).string();
  run_ = std::to_string(::getpid()) + "." + std::to_string(system::start_ticks(::getpid()));
  temporary_ = folder.empty();
  if (temporary_) {
    DROVER_TRY(folder_, scenario::make_stage_folder());
    DROVER_TRY(auto sweeper, scenario::Sweeper::start(program_, folder_));
    sweeper_.emplace(std::move(sweeper));
    DROVER_TRY(check_folder(folder_));
  } else {
    folder_ = fs::absolute(folder, error).lexically_normal().string();
    while (folder_.size() > 1 && folder_.ends_with('/')) folder_.pop_back();
    DROVER_TRY(check_folder(folder_));
    fs::create_directories(folder_, error);
    fs::permissions(folder_, fs::perms::owner_all, error);
    if (error) return unavailable("machines_dir: " + folder_ + " cannot be used: " + error.message());
    if (lock_.take(folder_ + "/lock").has_error())
      return unavailable("machines_dir: " + folder_ +
                         ": another drover mockcloud uses it, or it cannot be written to");
    DROVER_TRY(scenario::end_sessions(folder_ + kInitName));
    DROVER_TRY(auto sweeper,
               scenario::Sweeper::start_for_sessions(program_, folder_ + kInitName + run_ + " "));
    sweeper_.emplace(std::move(sweeper));
  }
  DROVER_TRY(write_programs());
  // What an agent that was killed leaves behind becomes ours to reap.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  return make_template(folder_, folder_ + "/template");
}

Result<void> LocalMachines::write_programs() {
  DROVER_TRY(write_file(folder_ + "/bin/init", kInit, true));
  for (const Stub& stub : kStubs) {
    DROVER_TRY(
        write_file(folder_ + "/bin/stubs/" + stub.name, std::string("#!/bin/sh\n") + stub.text + "\n", true));
  }
  return success();
}

LocalMachines::~LocalMachines() {
  if (cloud_ != nullptr) cloud_->set_listener(nullptr);
  timer_.cancel();
  const auto until = std::chrono::steady_clock::now() + kEndPatience;
  for (auto& [id, machine] : machines_) {
    machine.power = false;
    step(id, machine);
  }
  for (auto& [id, machine] : machines_) {
    while (machine.leader > 0 && step(id, machine) && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void LocalMachines::follow(cloud::Cloud& cloud, Identify identify) {
  cloud_ = &cloud;
  identify_ = std::move(identify);
  std::vector<const cloud::Instance*> powered;
  cloud.for_each_instance([&](const cloud::Instance& vm) {
    if (vm.powered) powered.push_back(&vm);
  });
  for (const cloud::Instance* vm : powered) {
    InstanceInfo info = cloud.info(*vm);
    info.address = vm->address;
    instance_booted(info, vm->spec.user_data);
    if (vm->paused) instance_paused(vm->id, true);
  }
  cloud.set_listener(this);
}

void LocalMachines::instance_booted(const InstanceInfo& info, const std::string& user_data) {
  Machine& machine = machines_[info.id];
  machine.address = info.address;
  machine.user_data = user_data;
  machine.identity = identify_(info.id);
  machine.power = true;
  machine.paused = false;
  const auto& images = cloud_->config().images;
  if (std::ranges::find(images, info.image) == images.end()) {
    log_(info.id + " has booted " + info.image + ", an image that does nothing");
    machine.power = false;
  }
  look();
}

void LocalMachines::instance_rebooted(const std::string& id, bool keep_disk) {
  const auto found = machines_.find(id);
  if (found == machines_.end()) return;
  Machine& machine = found->second;
  machine.power = true;
  machine.paused = false;
  machine.reset = true;
  machine.wipe = machine.wipe || !keep_disk;
  log_(id + " has rebooted" + (keep_disk ? "" : ", with an empty disk"));
  look();
}

void LocalMachines::instance_address_changed(const std::string& id, const std::string& address) {
  const auto found = machines_.find(id);
  if (found == machines_.end()) return;
  found->second.address = address;
  if (auto written = write_file(folder_of(id) + kAddress, address + "\n"); written.has_error())
    log_(id + ": " + written.error().message);
  log_(id + " has the address " + address + " now; what listens on the one before goes on there");
}

void LocalMachines::instance_paused(const std::string& id, bool paused) {
  const auto found = machines_.find(id);
  if (found == machines_.end()) return;
  found->second.paused = paused;
  log_(id + (paused ? " stands still" : " goes on"));
  if (!paused)
    for (const pid_t pid : processes(found->second)) ::kill(pid, SIGCONT);
  look();
}

void LocalMachines::instance_stopped(const std::string& id) {
  const auto found = machines_.find(id);
  if (found == machines_.end()) return;
  found->second.power = false;
  found->second.reset = true;
  log_(id + " has lost its power");
  look();
}

void LocalMachines::instance_terminated(const std::string& id) {
  Machine& machine = machines_[id];
  machine.power = false;
  machine.gone = true;
  look();
}

std::vector<pid_t> LocalMachines::processes(const Machine& machine) const {
  if (machine.leader <= 0) return {};
  const std::uint64_t ticks = system::start_ticks(machine.leader);
  if (ticks != 0 && ticks != machine.start_ticks) return {};  // another process by now
  auto found = system::processes_of_session(machine.leader, false);
  // One that was started a blink ago may not have its session yet.
  if (system::process_lives(machine.leader) && std::ranges::find(found, machine.leader) == found.end())
    found.push_back(machine.leader);
  return found;
}

void LocalMachines::look() {
  bool soon = false;
  for (auto at = machines_.begin(); at != machines_.end();) {
    soon = step(at->first, at->second) || soon;
    const bool is_over = at->second.gone && at->second.leader <= 0;
    if (is_over)
      at = machines_.erase(at);
    else
      ++at;
  }
  if (machines_.empty()) return;
  timer_.expires_after(soon ? kSoon : kLater);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look();
  });
}

bool LocalMachines::step(const std::string& id, Machine& machine) {
  std::error_code ignored;
  if (machine.leader > 0) {
    for (const pid_t pid : system::processes_of_session(machine.leader, true))
      ::waitpid(pid, nullptr, WNOHANG);
    const auto living = processes(machine);
    const bool has_to_end = !machine.power || machine.reset;
    // One that stood still before it is itself would hold what this process has open, and have no name to be
    // found by.
    const bool is_itself = system::command_line(machine.leader).find(kInitName) != std::string::npos;
    for (const pid_t pid : living) {
      if (has_to_end)
        ::kill(pid, SIGKILL);
      else if (machine.paused && is_itself)
        ::kill(pid, SIGSTOP);  // those that were started meanwhile too
    }
    if (!living.empty()) {
      report(id, machine);
      return has_to_end || (machine.paused && !is_itself);
    }
    machine.leader = -1;
    if (!has_to_end) {
      log_(id + ": somebody has ended its processes; it starts again");
      return true;
    }
  }
  machine.reset = false;
  if (machine.gone) {
    fs::remove_all(folder_of(id), ignored);
    log_(id + " is gone, with its disk");
    return false;
  }
  if (std::exchange(machine.wipe, false)) fs::remove_all(folder_of(id), ignored);
  if (!machine.power) return false;
  if (auto started = start(id, machine); started.has_error()) {
    log_(id + " cannot be started: " + started.error().message);
    machine.power = false;
  }
  return false;
}

Result<void> LocalMachines::write_machine(const std::string& id, const Machine& machine) const {
  const std::string root = folder_of(id);
  std::error_code error;
  fs::create_directories(root, error);
  fs::permissions(root, fs::perms::owner_all, error);
  if (error) return unavailable(root + " cannot be made: " + error.message());
  fs::remove_all(root + "/run", error);
  DROVER_TRY(write_file(root + kAddress, machine.address.empty() ? "" : machine.address + "\n"));
  if (!machine.identity.instance_id.empty()) {
    DROVER_TRY(write_file(root + kInstanceId, machine.identity.instance_id + "\n"));
  }
  if (!machine.identity.context_id.empty()) {
    DROVER_TRY(write_file(root + kContext, "export VMID=\"" + machine.identity.context_id + "\"\n"));
  }
  // The image has drover; user data may fetch another.
  const std::string program = root + "/usr/local/bin/drover";
  fs::create_directories(root + "/usr/local/bin", error);
  if (!fs::exists(fs::symlink_status(program, error))) fs::create_symlink(program_, program, error);
  if (error) return unavailable(program + " cannot be made: " + error.message());
  if (machine.user_data.starts_with("#!")) return write_file(root + kUserData, machine.user_data, true);
  fs::remove(root + kUserData, error);
  return success();
}

Result<void> LocalMachines::start(const std::string& id, Machine& machine) {
  DROVER_TRY(write_machine(id, machine));
  const std::string root = folder_of(id);
  DROVER_TRY(const system::Descriptor console, system::open_to_append(root + kConsole));
  const char* const path = std::getenv("PATH");
  system::ProgramCall call;
  // Nothing of this process's environment: its secrets are none of the machine's business.
  call.arguments = {"/usr/bin/env",
                    "-i",
                    "PATH=" + std::string(path == nullptr ? "/usr/bin:/bin" : path) + ":/usr/sbin:/sbin",
                    "HOME=" + root,
                    "/bin/sh",
                    folder_ + "/bin/init",
                    run_,
                    root,
                    folder_ + "/template"};
  call.out = console.get();
  call.err = console.get();
  call.is_server = true;
  call.own_session = true;
  DROVER_TRY(machine.leader, system::start_program(call));
  machine.start_ticks = system::start_ticks(machine.leader);
  machine.reported = false;
  std::string what = " runs its user data";
  if (machine.user_data.empty())
    what = " has no user data: nothing runs on it";
  else if (!machine.user_data.starts_with("#!"))
    what = " has user data that is no script (#!…): nothing runs on it";
  log_(id + " at " + (machine.address.empty() ? "no address" : machine.address) + what + ", see " + root +
       kConsole);
  return success();
}

void LocalMachines::report(const std::string& id, Machine& machine) {
  std::error_code ignored;
  if (machine.reported || !fs::exists(folder_of(id) + kFailed, ignored)) return;
  machine.reported = true;
  log_(id + ": its user data has failed: " + system::tail_of_file(folder_of(id) + kConsole, kTailBytes));
}

}  // namespace drover::tools
