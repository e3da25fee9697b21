// The Iaas port on OpenNebula, over XML-RPC. A VM's id is OpenNebula's ("42"). What drover has to find again
// is in the VM's user template: the tags (DROVER_SERVICE, …), the idempotency token and a digest of what was
// asked for. OpenNebula keeps no tokens itself: newInstance looks for one before it allocates
// (docs/opennebula.md says where that is less than a promise), among the VMs that it has not seen yet: ids of
// VMs only grow. There are no volumes.
//
// All of it on the scheduler's thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "manager/adapters/http_client.hpp"
#include "manager/ports/agent.hpp"
#include "manager/ports/iaas.hpp"
#include "manager/system/xml_rpc.hpp"

namespace drover {

struct OpenNebulaSize {
  std::string name;
  double cpu = 1;             // CPU of the template: hosts' cores, fractions allowed
  unsigned memory_mb = 1024;  // MEMORY
};

struct OpenNebulaConfig {
  std::string url = "http://127.0.0.1:2633/RPC2";
  std::string user;
  Secret password;      // or a login token
  bool hashed = false;  // the session is user:sha1(password), as older servers want it

  // A VM template with placeholders, "" for the built-in one: $NAME $CPU $MEM_SIZE $IMAGE_ID $NETWORK_ID
  // $AGENT_USER_DATA (hexadecimal) $USER_DATA_BASE64, and $OS $DISK $CONTEXT, which stand for the texts
  // below. Others ($VMID, $NIC[…]) are OpenNebula's own.
  std::string template_text;
  std::string os, disk, context;
  // The user data of VMs whose spec has none: the agent's start script with $MANAGER_IP and $MANAGER_PORT.
  std::string agent_script;
  std::string manager_ip;
  std::uint16_t manager_port = 0;

  std::string image;    // by id or name, for a spec without one
  std::string network;  // likewise
  std::vector<OpenNebulaSize> sizes{{"small", 1, 1024}};

  unsigned page_size = 200;        // VMs asked for at once
  Duration request_timeout{30s};   // of one request, within the call's own
  Duration wrong_state_retry{2s};  // until a VM in transition is asked again to end
};

class OpenNebulaCloud final : public Iaas {
 public:
  // Errors of a call whose answer did not come or was not understood are Effect::possible; refusals are
  // Effect::none. The scheduler and the client must outlive this.
  OpenNebulaCloud(Scheduler& scheduler, HttpClient& client, OpenNebulaConfig config);
  ~OpenNebulaCloud() override;

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override;
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override;
  // The account's own VMs that are not DONE; an empty key lists all.
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override;
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override;
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override;
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override;
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override;

  // Whether a manager could work with this: server, login, template, image, network. What is wrong, one a
  // line, each with what to do about it; empty when all is well.
  void check(Handler<std::vector<std::string>> handler);

 private:
  // One call of the port under way.
  struct Ask {
    std::string subject;
    TimePoint deadline{};
  };
  // What is known of a token.
  struct Known {
    std::string digest;
    std::string id;
    bool made = false;  // by this process; otherwise a listing has shown it
  };

  // A name that was looked up, and until when it counts: another image may be called so later.
  struct Found {
    std::string id;
    TimePoint until{};
  };

  Ask ask_of(const CallContext& context) const;
  Duration left(const Ask& ask) const;
  http::Request request_for(const Ask& ask, const std::string& method,
                            const std::vector<xml_rpc::Value>& params) const;
  Error redacted(Error error) const;

  // One XML-RPC call: the value of its answer. `reading`: it changes nothing, and is repeated when its answer
  // is lost. Throttled calls are repeated within the deadline.
  Task<Result<xml_rpc::Value>> call(Ask ask, std::string method, std::vector<xml_rpc::Value> params,
                                    bool reading);
  Task<Result<std::string>> read(Ask ask, std::string method, std::vector<xml_rpc::Value> params);

  Task<void> run_new(Ask ask, InstanceSpec spec, std::string token, Handler<InstanceInfo> handler);
  Task<Result<InstanceInfo>> create(Ask ask, InstanceSpec spec, std::string token);
  // The VM that has the token, nothing when there is none, or why that cannot be told.
  Task<Result<std::optional<InstanceInfo>>> twin_of(Ask ask, std::string token, std::string digest);
  Task<Result<void>> learn_tokens(Ask ask);
  Task<Result<InstanceInfo>> allocate(Ask ask, InstanceSpec spec, std::string token, std::string digest);
  Task<void> run_kill(Ask ask, std::string id, Handler<void> handler);
  Task<Result<void>> kill(Ask ask, std::string id);
  Task<void> run_info(Ask ask, std::string id, Handler<InstanceInfo> handler);
  Task<Result<InstanceInfo>> info(Ask ask, std::string id);
  Task<void> run_list(Ask ask, std::string key, std::string value,
                      Handler<std::vector<InstanceInfo>> handler);
  Task<void> run_check(Handler<std::vector<std::string>> handler);
  Task<std::vector<std::string>> problems(Ask ask);

  struct Listing;
  // All VMs of the account but those that are DONE, in the order of their ids.
  Task<Result<Listing>> list(Ask ask);
  Task<Result<bool>> add_pages(Ask ask, Listing* listing);
  // Those of them with an id of `first` or more.
  Task<Result<Listing>> list_from(Ask ask, std::int64_t first);
  // The id of an image or network given by id or name. `pool` is "image" or "vn".
  Task<Result<std::string>> id_of(Ask ask, std::string pool, std::string wanted);

  Scheduler& scheduler_;
  HttpClient& client_;
  OpenNebulaConfig config_;
  http::Url url_;
  bool url_valid_ = false;
  std::string session_;
  std::map<std::string, Known> known_;  // by token, as VMs keep it: bounded
  // Tokens of all VMs below this id that were not DONE are known; 0: of none.
  std::int64_t learned_below_ = 0;
  std::set<std::string> under_way_;  // tokens
  Signal token_free_;
  std::map<std::string, Found> found_;  // by "image/name": bounded by what is configured
  Domain domain_;                       // last: its coroutines end first
};

}  // namespace drover
