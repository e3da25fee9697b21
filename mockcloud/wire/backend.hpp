// What every face sees of the mock cloud: the calls of the Iaas port, through the faults; the truth, for
// listings of what the port does not know (images, sizes, zones); what only wires have (key pairs, security
// groups, …) as documents in the cloud's database; and the accounts. Scheduler's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "manager/ports/agent.hpp"
#include "manager/system/http_message.hpp"
#include "manager/system/iso_time.hpp"
#include "mockcloud/cloud/cloud.hpp"

namespace drover::wire {

// Who may speak to the cloud. One account: every pair of credentials sees the same machines.
struct Account {
  std::string name = "drover";     // EC2's access key, Keystone's and OpenNebula's user
  Secret secret{"drover-secret"};  // and its secret key or password
};

struct Settings {
  std::vector<Account> accounts{Account{}};
  bool check_signatures = true;
  std::string region = "us-east-1";       // EC2's; Keystone's is "RegionOne"
  std::string project = "drover";         // Keystone's
  std::string owner_id = "123456789012";  // EC2's account number
};

class Backend {
 public:
  // `calls` is the cloud behind its faults. `wall` is the time that clients live in (signatures and tokens
  // are checked against it): the system's, or the scheduler's where both ends are simulated.
  Backend(cloud::Cloud& cloud, Iaas& calls, Scheduler& scheduler, Settings settings,
          std::function<TimePoint()> wall);

  cloud::Cloud& cloud() { return cloud_; }
  const cloud::Cloud& cloud() const { return cloud_; }
  Iaas& calls() { return calls_; }
  Scheduler& scheduler() { return scheduler_; }
  const Settings& settings() const { return settings_; }
  const Account* account(std::string_view name) const;  // null: unknown

  TimePoint now() const;                      // of the cloud: launch times
  TimePoint wall() const { return wall_(); }  // of its clients

  // Whom a request is about, as fault rules name it: what the client says in its User-Agent
  // ("… subject/node-3"), else the node's tag, else the instance's name, else `fallback`.
  std::string subject(const http::Request& request, const cloud::Instance* vm,
                      std::string_view fallback = {}) const;
  std::string subject(const http::Request& request, const InstanceSpec& spec) const;

  // The port's listVMs, without copies where the cloud can.
  void list(const CallContext& context, const std::string& key, const std::string& value,
            Handler<cloud::Snapshot> handler) {
    cloud::list_snapshot(calls_, context, key, value, std::move(handler));
  }

  // A request that is none of the port's calls: pays the cloud's latency and is throttled like one, then
  // `effect` runs. `site` is of static lifetime: "ec2.StopInstances".
  void request(std::string_view subject, std::string_view site,
               std::move_only_function<Result<void>()> effect, Handler<void> handler);

  // Documents: JSON text by kind and id, in the cloud's database. put() replaces.
  using Documents = std::map<std::string, std::string>;  // by id
  const Documents& documents(std::string_view kind) const;
  const std::string* document(std::string_view kind, const std::string& id) const;
  void put(std::string_view kind, const std::string& id, std::string text);
  void erase(std::string_view kind, const std::string& id);
  // 1, 2, … of a kind; survives a restart.
  std::uint64_t next_number(std::string_view kind);

  // Random-looking, the same in every run with the same seed: ids of requests, tokens, passwords.
  std::string token(std::string_view kind, std::size_t hex_digits);

 private:
  cloud::Cloud& cloud_;
  Iaas& calls_;
  Scheduler& scheduler_;
  Settings settings_;
  std::function<TimePoint()> wall_;
};

}  // namespace drover::wire
