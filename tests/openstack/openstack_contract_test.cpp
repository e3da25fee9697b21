// The contract of the Iaas port, of the driver against the mock cloud's OpenStack face
// over real sockets, and against a real OpenStack where there is one.
#include "manager/adapters/openstack/openstack_cloud.hpp"
#include "mockcloud/wire/openstack/openstack_face.hpp"
#include "tests/contract/iaas_contract.hpp"
#include "tests/openstack/real_place.hpp"
#include "tests/support/wired_cloud.hpp"

namespace drover {
namespace {

OpenStackConfig config_for(const test::WiredCloud& wired) {
  OpenStackConfig config;
  config.auth_url = "http://127.0.0.1:" + std::to_string(wired.port()) + "/identity/v3";
  config.user = "drover";
  config.password = Secret{"drover-secret"};
  config.project = "drover";
  return config;
}

class WiredStage : public IaasStage {
 public:
  explicit WiredStage(cloud::CloudConfig config = {}, unsigned microversion = 47)
      : wired_([](wire::Backend& backend) { return std::make_unique<wire::OpenStackFace>(backend); },
               std::move(config)) {
    OpenStackConfig driver = config_for(wired_);
    driver.microversion = microversion;
    driver.page = 2;  // listings of several pages
    driver_ = std::make_unique<OpenStackCloud>(wired_.scheduler(), wired_.client(), driver);
  }
  Iaas& iaas() override { return *driver_; }
  bool run_until(const std::function<bool()>& done, Duration limit) override {
    return wired_.run_until(done, limit);
  }
  InstanceSpec spec(const std::string& name, const std::string& service) override {
    InstanceSpec spec;
    spec.name = name;
    spec.image = "debian-12-drover";
    spec.size = "small";
    spec.network = "default";
    spec.tags = {{kServiceTag, service}};
    return spec;
  }

 private:
  test::WiredCloud wired_;
  std::unique_ptr<OpenStackCloud> driver_;
};

std::unique_ptr<IaasStage> lagging() {
  cloud::CloudConfig config;
  config.list_lag = Distribution::constant(5s);
  config.address_delay = Distribution::constant(7s);
  return std::make_unique<WiredStage>(config);
}

INSTANTIATE_TEST_SUITE_P(
    OpenStack, IaasContract,
    testing::Values(
        IaasUnderTest{"Wired", [] { return std::make_unique<WiredStage>(); }},
        IaasUnderTest{"Oldest", [] { return std::make_unique<WiredStage>(cloud::CloudConfig{}, 1); }},
        IaasUnderTest{"Latest", [] { return std::make_unique<WiredStage>(cloud::CloudConfig{}, 93); }},
        IaasUnderTest{"ListingsLag", lagging}),
    name_of);

// Calls come from outside of the scheduler, whose clock must be brought up to date first.
class RealStage : public IaasStage {
 public:
  RealStage() : driver_(outside_.scheduler(), outside_.client(), test::config_of_environment()) {}
  Iaas& iaas() override {
    outside_.pump().catch_up();
    outside_.pump().wake();
    return driver_;
  }
  bool run_until(const std::function<bool()>& done, Duration limit) override {
    outside_.pump().wake();
    return outside_.run_until(done, limit);
  }
  InstanceSpec spec(const std::string& name, const std::string& service) override {
    const OpenStackConfig config = test::config_of_environment();
    InstanceSpec spec;
    spec.name = name;
    spec.image = config.image;
    spec.size = config.flavor;
    spec.network = config.network;
    spec.tags = {{kServiceTag, service}};
    return spec;
  }
  Duration patience() const override { return 3min; }
  bool has_volumes() const override { return test::variable("VOLUMES") == "1"; }
  // Deleted servers keep their tokens: every run needs its own.
  std::string run_id() const override {
    static const std::string id =
        "contract-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    return id;
  }

 private:
  test::Outside outside_;
  OpenStackCloud driver_;
};

std::vector<IaasUnderTest> real_ones() {
  if (test::variable("AUTH_URL").empty()) return {};
  return {IaasUnderTest{"Real", [] { return std::make_unique<RealStage>(); }}};
}
INSTANTIATE_TEST_SUITE_P(RealOpenStack, IaasContract, testing::ValuesIn(real_ones()), name_of);

}  // namespace
}  // namespace drover
