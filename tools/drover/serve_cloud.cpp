#include "tools/drover/serve_cloud.hpp"

#include "manager/ports/forwarding_iaas.hpp"

namespace drover::tools {
namespace {

// A fresh journal counts its nodes from 1 again, and a cloud remembers tokens: those of one journal are not
// those of another.
class TokensOfOneJournal final : public ForwardingIaas {
 public:
  TokensOfOneJournal(std::unique_ptr<Iaas> cloud, std::string prefix)
      : cloud_(std::move(cloud)), prefix_(std::move(prefix)) {}

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    cloud_->newInstance(context, spec, own(token), std::move(handler));
  }
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override {
    cloud_->createVolume(context, name, gigabytes, own(token), std::move(handler));
  }

 private:
  Iaas& target() override { return *cloud_; }
  std::string own(const std::string& token) const { return token.empty() ? token : prefix_ + token; }

  std::unique_ptr<Iaas> cloud_;
  const std::string prefix_;
};

// From its place, else from `file`, where it is kept from now on.
Result<Secret> configured_or_kept(const SecretPlace& place, const std::string& key, const std::string& file) {
  DROVER_TRY(Secret secret, read_secret(place, key));
  if (!secret.value.empty()) return secret;
  if (!place.variable.empty())
    return make_error(ErrorCode::unavailable, key + "_env: the environment variable " + place.variable +
                                                  " is not set; set it, or leave the key out");
  return kept_secret(file);
}

SecretPlace replication_place(const ServeSettings& settings) {
  SecretPlace place;
  place.file = settings.replication_password_file;
  place.variable = settings.replication_password_env;
  return place;
}

}  // namespace

CloudWorld::CloudWorld(ServeSettings settings, asio::io_context& io, Log log)
    : settings_(std::move(settings)), io_(io), log_(std::move(log)) {
  trace_.follow(scheduler_.now_address());
}

Result<std::unique_ptr<ServedWorld>> CloudWorld::open(const ServeSettings& settings, asio::io_context& io,
                                                      Log log) {
  std::unique_ptr<CloudWorld> world(new CloudWorld(settings, io, std::move(log)));
  DROVER_TRY(world->prepare());
  return std::unique_ptr<ServedWorld>(std::move(world));
}

Result<void> CloudWorld::prepare() {
  if (!settings_.faults.empty())
    return make_error(
        ErrorCode::invalid,
        "--faults: faults are made by the mock cloud: give them to drover mockcloud, and let this "
        "manager use it");
  if (settings_.journal == kInMemory)
    return make_error(ErrorCode::invalid,
                      "--cloud " + settings_.cloud +
                          " needs --journal FILE: a manager that forgot its VMs would leave "
                          "them running, and paid for");
  auto store = SqliteStore::open(settings_.journal);
  if (store.has_error())
    return make_error(
        ErrorCode::unavailable,
        "--journal " + settings_.journal + ": " + store.error().message +
            ": stop the other manager, or choose another file in a folder that may be written to");
  store_ = std::move(store).value();
  DROVER_TRY(const TimePoint start, start_time(*store_));
  scheduler_.advance_to(start);
  config_ = settings_.manager;
  config_.instance = vm_of(settings_.cloud, settings_.clouds, config_.instance);
  // Whoever goes on with these VMs must know what their agents and servers know.
  DROVER_TRY(config_.replication_password,
             configured_or_kept(replication_place(settings_), "replication_password",
                                settings_.journal + ".replication_password"));
  DROVER_TRY(token_, configured_or_kept(settings_.clouds.nodes.token, "nodes.token",
                                        settings_.journal + ".agent_token"));
  DROVER_TRY(const Secret identity, kept_secret(settings_.journal + ".identity"));
  token_prefix_ = identity.value.substr(0, 8) + ":";
  return success();
}

CloudWorld::~CloudWorld() {
  service_.reset();
  manager_.reset();
  hooks_.reset();
  agent_.reset();
  driver_ = {};
  client_.reset();
}

Result<void> CloudWorld::start(RealTimePump& pump, const std::string& manager_url) {
  HttpClientConfig http;
  http.ca_file = settings_.clouds.ca_file;
  client_ = std::make_unique<NetHttpClient>(
      io_, client_domain_, [&pump](std::move_only_function<void()> input) { pump.submit(std::move(input)); },
      std::move(http));
  const std::string& known = settings_.clouds.nodes.manager_url;
  const std::string url = known.empty() ? manager_url : known;
  if (known.empty() && log_)
    log_("VMs are told to find the manager at " + url +
         ": set nodes.manager_url when they cannot reach it there");
  DROVER_TRY(driver_, make_driver(settings_, url, scheduler_, *client_));
  driver_.iaas = std::make_unique<TokensOfOneJournal>(std::move(driver_.iaas), token_prefix_);
  DROVER_TRY(config_.instance.user_data, user_data_of(settings_, url, token_, config_.agent_port));
  agent_ = std::make_unique<HttpAgent>(io_, pump, token_);
  hooks_ = std::make_unique<FailoverHooks>(scheduler_, settings_.failover_hooks);
  ops::Hooks hooks;
  hooks.log = log_;
  hooks.fail_over = [this](const ops::FailoverNotice& notice, Handler<void> handler) {
    hooks_->run(notice, std::move(handler));
  };
  hooks.fenced = [this](const Error& why) {
    if (on_fenced_) on_fenced_(why);
  };
  manager_ = std::make_unique<ops::MySQLServerManager>(
      ops::Ports{scheduler_, *driver_.iaas, *agent_, *store_, trace_}, config_, std::move(hooks));
  service_ = std::make_unique<api::Service>(*manager_, scheduler_, trace_);
  return manager_->start();
}

}  // namespace drover::tools
