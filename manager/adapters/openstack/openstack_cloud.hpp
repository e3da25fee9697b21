// The Iaas port over OpenStack's own APIs: Keystone v3, Nova v2.1, and Glance, Neutron and Cinder as far as
// they are needed. Facts of these APIs and what follows from them: docs/openstack.md.
//
// - Tags are Nova's metadata. "drover-token" and "drover-spec" are its own among them, and never shown.
// - Nova has no tokens of idempotency: newInstance first looks for a server of that name that carries the
//   token, deleted ones included. A token that comes with another name is noticed by the process that used
//   it, not by another one.
// - A server for which Nova found no host is an instance in the state `error`, not a failed call.
// - getVMInfo of a deleted server is not_found, and listVMs does not show it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "manager/adapters/http_client.hpp"
#include "manager/ports/agent.hpp"
#include "manager/ports/iaas.hpp"

namespace drover {

struct OpenStackConfig {
  std::string auth_url;              // "https://cloud.example/identity/v3"; "/v3" is added when it is missing
  std::string region;                // "": the catalogue's first
  std::string interface = "public";  // or "internal", "admin"

  // Either a user with a password, in a project …
  std::string user;
  std::string user_domain = "Default";
  std::string project;  // "": the user's default project
  std::string project_domain = "Default";
  Secret password;
  // … or an application credential, by its id, or by its name and the user.
  std::string credential_id;
  std::string credential_name;
  Secret credential_secret;

  unsigned microversion = 47;  // of compute, "2.47"; less when the server has less

  // For a spec that leaves them open; each by id or by name. A network may also be "none" or "auto".
  std::string image;
  std::string flavor;
  std::string network;

  std::string key_name;                      // "": none
  std::vector<std::string> security_groups;  // names or ids; none: the project's default
  std::string availability_zone;             // "": Nova's choice
  bool config_drive = false;
  bool floating_address = false;  // prefer a floating address to a fixed one

  std::size_t page = 500;       // servers in one page of a listing
  unsigned read_attempts = 3;   // of a call that changes nothing
  Duration retry_pause{1s};     // between these, and when the server says "too many" and not how long
  Duration unclear_settle{2s};  // before a token is looked for whose creation was not answered
  Duration volume_poll{1s};     // while a new volume becomes available
};

// ErrorCode::invalid, naming the field and how to mend it.
Result<void> check_config(const OpenStackConfig& config);

class OpenStackCloud : public Iaas {
 public:
  // The references must outlive this. Its pending calls end with it, unanswered.
  OpenStackCloud(Scheduler& scheduler, HttpClient& client, OpenStackConfig config);
  ~OpenStackCloud() override;

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override;
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override;
  // An empty key lists all servers of the project.
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override;
  // Volumes: ErrorCode::invalid where the cloud has no Cinder.
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override;
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override;
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override;
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override;

  // Tries all that an instance needs and says in lines what it found: "ok: …", or "problem: …" with how to
  // mend it. Changes nothing. Answers success whatever it found.
  void check(const CallContext& context, Handler<std::vector<std::string>> handler);
  void check(Handler<std::vector<std::string>> handler) { check(CallContext{}, std::move(handler)); }

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace drover
