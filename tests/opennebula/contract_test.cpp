#include "manager/adapters/opennebula/opennebula_cloud.hpp"
#include "tests/contract/iaas_contract.hpp"
#include "tests/opennebula/stage.hpp"

namespace drover {
namespace {

OpenNebulaConfig driver_config(const http::Url& url) {
  OpenNebulaConfig config;
  config.url = "http://" + url.authority() + "/RPC2";
  config.user = "oneadmin";
  config.password = Secret{"onepass"};
  config.page_size = 3;  // so that every listing has pages
  return config;
}

class WiredStage : public IaasStage {
 public:
  explicit WiredStage(cloud::CloudConfig config, bool hashed = false)
      : stage_(std::move(config)), driver_([&] {
          OpenNebulaConfig own = driver_config(stage_.wired().url());
          own.hashed = hashed;
          return OpenNebulaCloud(stage_.wired().scheduler(), stage_.wired().client(), own);
        }()) {}
  Iaas& iaas() override { return driver_; }
  bool run_until(const std::function<bool()>& done, Duration limit) override {
    return stage_.wired().run_until(done, limit);
  }
  InstanceSpec spec(const std::string& name, const std::string& service) override {
    return {name, "debian-12-drover", "small", "default", "#!/bin/sh\n", {{kServiceTag, service}}};
  }
  bool has_volumes() const override { return false; }

 private:
  test::OneStage stage_;
  OpenNebulaCloud driver_;
};

std::unique_ptr<IaasStage> make_plain() { return std::make_unique<WiredStage>(cloud::CloudConfig{}); }
std::unique_ptr<IaasStage> make_hashed() { return std::make_unique<WiredStage>(cloud::CloudConfig{}, true); }

std::unique_ptr<IaasStage> make_lagging() {
  cloud::CloudConfig config;
  config.list_lag = Distribution::uniform(0s, 20s);
  config.address_delay = Distribution::exponential(30s);
  return std::make_unique<WiredStage>(config);
}

std::unique_ptr<IaasStage> make_throttled() {
  cloud::CloudConfig config;
  config.throttle.rate_per_second = 2;
  config.throttle.burst = 2;
  return std::make_unique<WiredStage>(config);
}

INSTANTIATE_TEST_SUITE_P(OpenNebula, IaasContract,
                         testing::Values(IaasUnderTest{"Plain", make_plain},
                                         IaasUnderTest{"Hashed", make_hashed},
                                         IaasUnderTest{"Lagging", make_lagging},
                                         IaasUnderTest{"Throttled", make_throttled}),
                         name_of);

}  // namespace
}  // namespace drover
