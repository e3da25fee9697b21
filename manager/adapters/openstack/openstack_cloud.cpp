#include "manager/adapters/openstack/openstack_cloud.hpp"

#include <algorithm>

#include "manager/adapters/openstack/check.hpp"
#include "manager/adapters/openstack/names.hpp"
#include "manager/adapters/openstack/servers.hpp"
#include "manager/adapters/openstack/volumes.hpp"

namespace drover {
namespace {

using openstack::Budget;

// A driver that is late by a little is not heard: it gives up before its caller does.
constexpr Duration kAheadMax = 500ms;

Budget budget_of(const Scheduler& scheduler, const CallContext& context) {
  Budget budget;
  budget.deadline = scheduler.later(context.timeout - std::min(context.timeout / 20, kAheadMax));
  budget.subject = std::string(context.subject);
  return budget;
}

}  // namespace

struct OpenStackCloud::Parts {
  Parts(Scheduler& s, HttpClient& client, OpenStackConfig c)
      : config(std::move(c)),
        scheduler(s),
        session(s, client, config),
        names(session),
        servers(session, names),
        volumes(session),
        domain(s) {}

  OpenStackConfig config;
  Scheduler& scheduler;
  openstack::Session session;
  openstack::Names names;
  openstack::Servers servers;
  openstack::Volumes volumes;
  Domain domain;  // last: its coroutines use the rest

  // Coroutines that own what a call was given. The handlers are dropped unanswered when the domain ends.
  Task<void> create(InstanceSpec spec, std::string token, Budget budget, Handler<InstanceInfo> handler) {
    Result<InstanceInfo> result = co_await servers.create(spec, token, budget);
    handler(std::move(result));
  }
  Task<void> kill(std::string id, Budget budget, Handler<void> handler) {
    Result<void> result = co_await servers.kill(id, budget);
    handler(std::move(result));
  }
  Task<void> show(std::string id, Budget budget, Handler<InstanceInfo> handler) {
    Result<InstanceInfo> result = co_await servers.show(id, budget);
    handler(std::move(result));
  }
  Task<void> list(std::string key, std::string value, Budget budget,
                  Handler<std::vector<InstanceInfo>> handler) {
    Result<std::vector<InstanceInfo>> result = co_await servers.list(key, value, budget);
    handler(std::move(result));
  }
  Task<void> create_volume(std::string name, unsigned gigabytes, std::string token, Budget budget,
                           Handler<VolumeInfo> handler) {
    Result<VolumeInfo> result = co_await volumes.create(name, gigabytes, token, budget);
    handler(std::move(result));
  }
  Task<void> attach_volume(std::string volume, std::string instance, Budget budget, Handler<void> handler) {
    Result<void> result = co_await volumes.attach(volume, instance, budget);
    handler(std::move(result));
  }
  Task<void> delete_volume(std::string volume, Budget budget, Handler<void> handler) {
    Result<void> result = co_await volumes.remove(volume, budget);
    handler(std::move(result));
  }
  Task<void> list_volumes(Budget budget, Handler<std::vector<VolumeInfo>> handler) {
    Result<std::vector<VolumeInfo>> result = co_await volumes.list(budget);
    handler(std::move(result));
  }
  Task<void> check(Budget budget, Handler<std::vector<std::string>> handler) {
    std::vector<std::string> lines = co_await openstack::check(session, names, budget);
    handler(std::move(lines));
  }
};

Result<void> check_config(const OpenStackConfig& config) {
  const auto bad = [](const std::string& what) {
    return make_error(ErrorCode::invalid, "openstack." + what);
  };
  if (!http::parse_url(config.auth_url))
    return bad(
        "auth_url: \"" + config.auth_url.substr(0, 200) +
        "\" is no address; it looks like https://cloud.example:5000/v3 (OS_AUTH_URL of an openrc file)");
  const bool credential = !config.credential_secret.value.empty();
  if (credential && config.credential_id.empty() && (config.credential_name.empty() || config.user.empty()))
    return bad("credential_id: an application credential needs its id, or its name and the user");
  if (!credential && (config.user.empty() || config.password.value.empty()))
    return bad("user: a user and a password are needed, or an application credential with its secret");
  if (config.interface != "public" && config.interface != "internal" && config.interface != "admin")
    return bad("interface: \"" + config.interface.substr(0, 40) + "\" is none of public, internal, admin");
  if (config.microversion < 1 || config.microversion > 1000)
    return bad("microversion: compute's versions are 2.1 and above; 2.47 is written 47");
  if (config.page == 0 || config.page > 1000) return bad("page: 1 to 1000 servers fit into a page");
  if (config.read_attempts == 0 || config.read_attempts > 100) return bad("read_attempts: 1 to 100");
  if (config.retry_pause <= Duration{0} || config.unclear_settle < Duration{0} ||
      config.volume_poll <= Duration{0})
    return bad("retry_pause, unclear_settle, volume_poll: pauses must be longer than nothing");
  return success();
}

OpenStackCloud::OpenStackCloud(Scheduler& scheduler, HttpClient& client, OpenStackConfig config)
    : parts_(std::make_unique<Parts>(scheduler, client, std::move(config))) {}

OpenStackCloud::~OpenStackCloud() { parts_->domain.kill(); }

void OpenStackCloud::newInstance(const CallContext& context, const InstanceSpec& spec,
                                 const std::string& token, Handler<InstanceInfo> handler) {
  spawn(parts_->domain,
        parts_->create(spec, token, budget_of(parts_->scheduler, context), std::move(handler)));
}

void OpenStackCloud::killInstance(const CallContext& context, const std::string& id, Handler<void> handler) {
  spawn(parts_->domain, parts_->kill(id, budget_of(parts_->scheduler, context), std::move(handler)));
}

void OpenStackCloud::getVMInfo(const CallContext& context, const std::string& id,
                               Handler<InstanceInfo> handler) {
  spawn(parts_->domain, parts_->show(id, budget_of(parts_->scheduler, context), std::move(handler)));
}

void OpenStackCloud::listVMs(const CallContext& context, const std::string& key, const std::string& value,
                             Handler<std::vector<InstanceInfo>> handler) {
  spawn(parts_->domain, parts_->list(key, value, budget_of(parts_->scheduler, context), std::move(handler)));
}

void OpenStackCloud::createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                                  const std::string& token, Handler<VolumeInfo> handler) {
  spawn(parts_->domain, parts_->create_volume(name, gigabytes, token, budget_of(parts_->scheduler, context),
                                              std::move(handler)));
}

void OpenStackCloud::attachVolume(const CallContext& context, const std::string& volume,
                                  const std::string& instance, Handler<void> handler) {
  spawn(parts_->domain,
        parts_->attach_volume(volume, instance, budget_of(parts_->scheduler, context), std::move(handler)));
}

void OpenStackCloud::deleteVolume(const CallContext& context, const std::string& volume,
                                  Handler<void> handler) {
  spawn(parts_->domain,
        parts_->delete_volume(volume, budget_of(parts_->scheduler, context), std::move(handler)));
}

void OpenStackCloud::listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) {
  spawn(parts_->domain, parts_->list_volumes(budget_of(parts_->scheduler, context), std::move(handler)));
}

void OpenStackCloud::check(const CallContext& context, Handler<std::vector<std::string>> handler) {
  spawn(parts_->domain, parts_->check(budget_of(parts_->scheduler, context), std::move(handler)));
}

}  // namespace drover
