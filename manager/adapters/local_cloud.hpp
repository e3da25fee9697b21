// The Iaas port on this machine: a VM is a session of processes (one `drover agent` and its mariadbd) with an
// address of its own in 127.0.0.0/8 and a folder of its own. What it knows is in one file, written before
// every effect, so that the next process on the same folder finds its VMs again: those that run are taken
// over, the others are started on their data. Volumes do not exist here.
//
// Every call answers from inside. All of it on the scheduler's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/ports/agent.hpp"
#include "manager/ports/iaas.hpp"

namespace drover {

// Where VMs have their addresses and their disks, if not on the loopback and the disk of this machine: for
// rehearsals. What it makes ends with this process, and so must the VMs (LocalCloudConfig::ephemeral).
class LocalGround {
 public:
  virtual ~LocalGround() = default;
  // Makes room for a new VM, whose folder is there and empty. Its address; "" where the cloud is to choose.
  // Errors: unavailable; nothing is left then.
  virtual Result<std::string> settle(const std::string& vm, const std::string& folder) = 0;
  // The network of its processes (system::NetworkSpace); -1: that of this thread.
  virtual int network_of(const std::string& vm) const = 0;
  // No process of it runs any more. Unknown ones are ignored.
  virtual void leave(const std::string& vm, const std::string& folder) = 0;
};

struct LocalCloudConfig {
  std::string folder;           // of the VMs and of what is known of them; must exist
  std::string program;          // the drover binary
  std::string token_file;       // given to every agent
  std::string template_folder;  // a data directory to begin with; "" for none
  std::string manager_url;      // the agents report there; "" for none
  std::uint16_t agent_port = 60000;
  std::uint16_t mysqld_port = 3306;
  unsigned instances_max = 32;
  unsigned buffer_pool_mb = 16;
  // VMs end with the thread that created them (SIGTERM to their agents), however it ends.
  bool ephemeral = false;
  Duration remembered_for{std::chrono::hours(1)};  // a terminated VM and its token
  // Which 127.64+N/256.N%256.0/24 the VMs of a new folder live in; unset: by the process's number.
  std::optional<unsigned> network;
  LocalGround* ground = nullptr;  // must outlive the cloud
};

class LocalCloud : public Iaas {
 public:
  using Log = std::function<void(const std::string& line)>;

  // Errors: storage (the file cannot be read), unavailable.
  static Result<std::unique_ptr<LocalCloud>> open(Scheduler& scheduler, LocalCloudConfig config, Log log);
  // Leaves the VMs as they are.
  ~LocalCloud() override;

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override;
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override;
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override;
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override;
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override;
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override;
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override;

  // Ends every VM and deletes its data; blocks until nothing is left, at most for seconds.
  void terminate_all();
  // So many VMs hold resources now.
  std::size_t count() const;

  // --- for rehearsals: what happens to machines of flesh and blood (local_cloud_controls.cpp) ---

  struct Machine {
    std::string id;
    std::string node;  // whose VM it is, by its tag: "node-2"
    std::string address;
    std::string folder;
    InstanceState state{};
    bool has_power = false;  // a process of it is there
  };
  std::vector<Machine> machines() const;
  std::uint64_t created() const { return next_number_ - 1; }
  std::uint64_t terminated() const;
  // It ends in `error`, as the cloud's own doing. Errors: not_found.
  Result<void> fail(const std::string& id, const std::string& why);
  // The machine loses its power; its disk stays. Errors: not_found.
  Result<void> power_off(const std::string& id);
  // And gets it back, on its data or an empty disk. Errors: not_found, wrong_state (it is gone), unavailable.
  Result<void> power_on(const std::string& id, bool keep_disk);
  // Every process of the machine stands still, or goes on. Errors: not_found.
  Result<void> freeze(const std::string& id, bool frozen);
  // Only the agent dies, stands still or goes on; its server is not asked. Errors: not_found.
  Result<void> signal_agent(const std::string& id, int signal);
  // Another agent beside the server that runs. Errors: not_found, wrong_state (there is one), unavailable.
  Result<void> start_agent(const std::string& id);

 private:
  struct Session {
    pid_t leader = -1;
    std::uint64_t start_ticks = 0;
  };
  struct Vm {
    unsigned number = 0;
    InstanceSpec spec;
    std::string token;
    InstanceInfo info;
    TimePoint ended_at{};
    pid_t pid = -1;  // of its agent, which leads the session
    std::uint64_t start_ticks = 0;
    std::vector<Session> former;  // of agents that died, whose server may go on; not in the file
  };

  LocalCloud(Scheduler& scheduler, LocalCloudConfig config, Log log);
  Result<void> load();
  Result<void> save();
  Result<void> start(Vm& vm);
  Result<void> start_processes(Vm& vm);
  // A folder and an address for a new VM.
  Result<void> make_place(Vm& vm);
  void clear_place(const Vm& vm);
  int network_of(const Vm& vm) const;
  bool agent_listens(const Vm& vm) const;
  Result<std::string> free_address() const;
  std::string folder_of(const Vm& vm) const { return config_.folder + "/" + vm.info.id; }
  // The session's processes, none when it is another's by now.
  std::vector<pid_t> processes(const Vm& vm, bool with_zombies) const;
  void find_unrecorded(Vm& vm) const;
  void reap(const Vm& vm) const;
  void refresh(Vm& vm);
  void kill_processes(const Vm& vm) const;
  // When nothing of it is left: deletes its folder, and it is terminated.
  bool finish(Vm& vm);
  void finish_later(const std::string& id);
  void prune();
  Vm* find(const std::string& id);

  Scheduler& scheduler_;
  Domain domain_{scheduler_};
  const LocalCloudConfig config_;
  Log log_;
  std::vector<Vm> vms_;  // in the order of their creation
  unsigned next_number_ = 1;
  unsigned network_ = 0;  // 127.64+N/256.N%256.0/24
};

}  // namespace drover
