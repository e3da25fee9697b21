// The contract of the Iaas port, of the driver against the mock cloud's OpenStack face over real sockets.
#include "manager/adapters/openstack/openstack_cloud.hpp"
#include "mockcloud/wire/openstack/openstack_face.hpp"
#include "tests/contract/iaas_contract.hpp"
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

}  // namespace
}  // namespace drover
