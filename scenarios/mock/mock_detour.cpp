#include "scenarios/mock/mock_detour.hpp"

#include <charconv>

#include "manager/adapters/ec2/ec2_cloud.hpp"
#include "manager/adapters/opennebula/opennebula_cloud.hpp"
#include "manager/adapters/openstack/openstack_cloud.hpp"
#include "manager/base/check.hpp"
#include "manager/ports/forwarding_iaas.hpp"
#include "mockcloud/wire/ec2/ec2_face.hpp"
#include "mockcloud/wire/opennebula/opennebula_face.hpp"
#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/openstack_face.hpp"

namespace drover::scenario {
namespace {

// The world begins at 0; signatures and tokens want a date that a client could live in.
constexpr Duration kBegin = std::chrono::hours(24 * 365 * 56);

std::unique_ptr<wire::Face> make_face(Protocol protocol, wire::Backend& backend) {
  switch (protocol) {
    case Protocol::ec2:
      return std::make_unique<wire::Ec2Face>(backend);
    case Protocol::openstack:
      return std::make_unique<wire::OpenStackFace>(backend);
    case Protocol::opennebula:
      return std::make_unique<wire::OpenNebulaFace>(backend);
  }
  return nullptr;
}

}  // namespace

std::optional<Protocol> parse_protocol(std::string_view text) {
  for (const Protocol each : {Protocol::ec2, Protocol::openstack, Protocol::opennebula})
    if (text == to_text(each)) return each;
  return std::nullopt;
}

const char* to_text(Protocol protocol) {
  switch (protocol) {
    case Protocol::ec2:
      return "ec2";
    case Protocol::openstack:
      return "openstack";
    case Protocol::opennebula:
      return "opennebula";
  }
  return "?";
}

struct MockDetour::Driver {
  explicit Driver(Scheduler& scheduler) : domain(scheduler) {}
  Domain domain;
  std::unique_ptr<NetHttpClient> client;
  std::unique_ptr<Iaas> iaas;
};

class MockDetour::Front final : public ForwardingIaas {
 public:
  explicit Front(MockDetour& detour) : detour_(detour) {}

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    target().newInstance(context, spec, token, inner(std::move(handler)));
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    target().killInstance(context, detour_.to_outer(id), std::move(handler));
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    target().getVMInfo(context, detour_.to_outer(id), inner(std::move(handler)));
  }
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    target().listVMs(context, key, value,
                     [this, done = std::move(handler)](Result<std::vector<InstanceInfo>> result) mutable {
                       if (result.has_value())
                         for (InstanceInfo& info : result.value()) info.id = detour_.to_inner(info.id);
                       done(std::move(result));
                     });
  }
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override {
    target().attachVolume(context, volume, detour_.to_outer(instance), std::move(handler));
  }

 private:
  Iaas& target() override { return *detour_.driver_->iaas; }
  Handler<InstanceInfo> inner(Handler<InstanceInfo> handler) {
    return [this, done = std::move(handler)](Result<InstanceInfo> result) mutable {
      if (result.has_value()) result.value().id = detour_.to_inner(result.value().id);
      done(std::move(result));
    };
  }

  MockDetour& detour_;
};

MockDetour::MockDetour(Protocol protocol) : protocol_(protocol) {}

MockDetour::~MockDetour() = default;

Iaas& MockDetour::attach(Scheduler& scheduler, cloud::Cloud& cloud, Iaas& calls) {
  scheduler_ = &scheduler;
  cloud_ = &cloud;
  backend_ = std::make_unique<wire::Backend>(cloud, calls, scheduler, wire::Settings{},
                                             [&scheduler] { return scheduler.now() + kBegin; });
  face_ = make_face(protocol_, *backend_);
  const auto enter = [](std::move_only_function<void()> input) { input(); };
  server_ = std::make_unique<wire::WireServer>(io_, enter, std::vector<wire::Face*>{face_.get()},
                                               wire::ServerConfig{}, &traffic_);
  const auto listening = server_->listen("127.0.0.1", 0);
  DROVER_CHECK(listening.has_value(), "no port of the loopback is free");
  driver_ = make_driver();
  front_ = std::make_unique<Front>(*this);
  return *front_;
}

std::unique_ptr<MockDetour::Driver> MockDetour::make_driver() {
  auto driver = std::make_unique<Driver>(*scheduler_);
  const auto enter = [](std::move_only_function<void()> input) { input(); };
  driver->client = std::make_unique<NetHttpClient>(io_, driver->domain, enter, HttpClientConfig{}, &traffic_);
  driver->iaas = make_iaas(*driver->client);
  return driver;
}

http::Url MockDetour::url() const {
  http::Url url;
  url.host = "127.0.0.1";
  url.port = server_->port();
  return url;
}

std::unique_ptr<Iaas> MockDetour::make_iaas(HttpClient& client) {
  const std::string place = "http://" + url().authority();
  const wire::Account account;
  if (protocol_ == Protocol::ec2) {
    Ec2Config config;
    config.endpoint = place;
    config.credentials = {account.name, account.secret.value, ""};
    Scheduler* scheduler = scheduler_;
    return std::make_unique<Ec2Cloud>(*scheduler_, client, config,
                                      [scheduler] { return scheduler->now() + kBegin; });
  }
  if (protocol_ == Protocol::openstack) {
    OpenStackConfig config;
    config.auth_url = place + "/identity/v3";
    config.user = account.name;
    config.password = account.secret;
    config.project = wire::Settings{}.project;
    return std::make_unique<OpenStackCloud>(*scheduler_, client, config);
  }
  OpenNebulaConfig config;
  config.url = place + "/RPC2";
  config.user = account.name;
  config.password = account.secret;
  return std::make_unique<OpenNebulaCloud>(*scheduler_, client, config);
}

void MockDetour::manager_ended() {
  driver_.reset();
  driver_ = make_driver();
}

void MockDetour::detach() {
  driver_.reset();
  server_.reset();
  // What the faces still wait for is destroyed with the cloud's domain, after this.
}

void MockDetour::drive(Scheduler& scheduler, TimePoint limit, const std::function<bool()>& go_on) {
  wire::VirtualPump pump(io_, scheduler, traffic_);
  pump.run(limit, go_on);
}

std::string MockDetour::to_inner(const std::string& id) const {
  std::uint32_t number = 0;
  if (protocol_ == Protocol::openstack) {
    number = wire::openstack::number_of_uuid("server", id);
  } else if (protocol_ == Protocol::opennebula) {
    std::from_chars(id.data(), id.data() + id.size(), number);
    ++number;
  }
  if (protocol_ == Protocol::ec2 || number == 0) return id;
  const std::string digits = std::to_string(number);
  return "i-" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
}

std::string MockDetour::to_outer(const std::string& id) const {
  const cloud::Instance* vm = cloud_->instance(id);
  if (protocol_ == Protocol::ec2 || vm == nullptr) return id;
  if (protocol_ == Protocol::openstack) return wire::openstack::numbered_uuid("server", vm->number);
  return std::to_string(vm->number - 1);
}

}  // namespace drover::scenario
