// Machines of flesh and blood for `drover mockcloud`: every instance of the mock cloud is a session of
// processes on this machine, in a folder and with an address (127.…) of its own. Its user data is run as
// cloud-init does it, with programs that would change the machine replaced; then the agent that it installed.
//
// User data is run as the user that runs the mock cloud, with all that it may do: whoever may launch an
// instance may run anything here.
//
// Used on the thread of the io_context; real machines live in real time, whatever the cloud's time is.
#pragma once

#include <sys/types.h>

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/adapters/real_time.hpp"
#include "mockcloud/cloud/cloud.hpp"
#include "mockcloud/wire/backend.hpp"
#include "scenarios/local/sweeper.hpp"
#include "tools/drover/serve_world.hpp"

namespace drover::tools {

// What a machine is told from outside of what it is called.
struct GuestIdentity {
  std::string instance_id;  // where cloud-init keeps it; "" on OpenNebula
  std::string context_id;   // VMID of OpenNebula's context; "" elsewhere
};

// By the protocol that the instance was asked for with; with one protocol (`apis`), by that.
GuestIdentity guest_identity(const wire::Backend& backend, const std::vector<std::string>& apis,
                             const std::string& id);

// "127.x.y.", where nobody listens on the ports of agents and servers; by the process's number.
std::string free_local_network();

class LocalMachines final : public cloud::InstanceListener {
 public:
  using Log = std::function<void(const std::string& line)>;
  using Identify = std::function<GuestIdentity(const std::string& id)>;

  // `folder` is where machines live, and stays with their data; "" for one that is deleted at the end.
  // Machines of a process that died there are ended. Those that the cloud has already are booted with
  // resume(). Errors: unavailable (no MariaDB, a folder that cannot be used), invalid (a folder with a name
  // that cannot be used).
  static Result<std::unique_ptr<LocalMachines>> open(asio::io_context& io, const std::string& folder,
                                                     Log log);
  // Ends every process of every machine, and waits for it.
  ~LocalMachines() override;
  LocalMachines(const LocalMachines&) = delete;
  LocalMachines& operator=(const LocalMachines&) = delete;

  // Boots what has power in a cloud that was opened again, and follows it from now on.
  void follow(cloud::Cloud& cloud, Identify identify);

  void instance_booted(const InstanceInfo& info, const std::string& user_data) override;
  void instance_rebooted(const std::string& id, bool keep_disk) override;
  // Its address in the cloud; what listens already goes on listening where it did, as on a real machine.
  void instance_address_changed(const std::string& id, const std::string& address) override;
  void instance_paused(const std::string& id, bool paused) override;
  void instance_stopped(const std::string& id) override;
  void instance_terminated(const std::string& id) override;

  const std::string& folder() const { return folder_; }

 private:
  struct Machine {
    std::string address;
    std::string user_data;
    GuestIdentity identity;
    pid_t leader = -1;  // of its session; -1: nothing runs
    std::uint64_t start_ticks = 0;
    bool power = false;
    bool paused = false;
    bool reset = false;     // what runs has to end first
    bool wipe = false;      // and the disk is emptied
    bool gone = false;      // nothing of it shall be left
    bool reported = false;  // how its user data ended
  };
  using Machines = std::map<std::string, Machine>;  // by the cloud's id

  LocalMachines(asio::io_context& io, Log log);
  Result<void> prepare(const std::string& folder);
  Result<void> write_programs();
  std::string folder_of(const std::string& id) const { return folder_ + "/" + id; }
  std::vector<pid_t> processes(const Machine& machine) const;
  // Brings every machine a step nearer to what it should be; arms the timer.
  void look();
  // Whether there is more to do soon.
  bool step(const std::string& id, Machine& machine);
  Result<void> start(const std::string& id, Machine& machine);
  Result<void> write_machine(const std::string& id, const Machine& machine) const;
  void report(const std::string& id, Machine& machine);

  Log log_;
  asio::steady_timer timer_;
  FileLock lock_;
  std::string folder_;
  std::string program_;
  std::string run_;  // names this process in the command lines of its machines
  bool temporary_ = false;
  std::optional<scenario::Sweeper> sweeper_;
  cloud::Cloud* cloud_ = nullptr;
  Identify identify_;
  Machines machines_;
};

}  // namespace drover::tools
