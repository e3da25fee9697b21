// The port's contract over the driver, the wire and the mock cloud behind it.
#include "manager/adapters/ec2/ec2_cloud.hpp"
#include "mockcloud/wire/ec2/ec2_face.hpp"
#include "tests/contract/iaas_contract.hpp"
#include "tests/support/wired_cloud.hpp"

namespace drover {
namespace {

class Ec2Stage : public IaasStage {
 public:
  explicit Ec2Stage(cloud::CloudConfig config, unsigned page_size = 1000)
      : wired_([](wire::Backend& backend) { return std::make_unique<wire::Ec2Face>(backend); },
               std::move(config)) {
    Ec2Config driver;
    const http::Url url = wired_.url();
    driver.endpoint = "http://" + url.host + ":" + std::to_string(url.port);
    driver.credentials = {"drover", "drover-secret", ""};
    driver.page_size = page_size;
    driver_ = std::make_unique<Ec2Cloud>(wired_.scheduler(), wired_.client(), std::move(driver),
                                         [this] { return wired_.backend().wall(); });
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
    spec.user_data = "#!/bin/sh\n";
    spec.tags = {{kServiceTag, service}};
    return spec;
  }

 private:
  test::WiredCloud wired_;
  std::unique_ptr<Ec2Cloud> driver_;
};

std::unique_ptr<IaasStage> make_plain() { return std::make_unique<Ec2Stage>(cloud::CloudConfig{}); }

std::unique_ptr<IaasStage> make_lagging() {
  cloud::CloudConfig config;
  config.list_lag = Distribution::uniform(0s, 20s);
  config.address_delay = Distribution::exponential(30s);
  return std::make_unique<Ec2Stage>(config, 5);
}

std::unique_ptr<IaasStage> make_throttled() {
  cloud::CloudConfig config;
  config.throttle.rate_per_second = 0.5;
  config.throttle.burst = 2;
  return std::make_unique<Ec2Stage>(config, 5);
}

INSTANTIATE_TEST_SUITE_P(Ec2, IaasContract,
                         testing::Values(IaasUnderTest{"Plain", make_plain},
                                         IaasUnderTest{"Lagging", make_lagging},
                                         IaasUnderTest{"Throttled", make_throttled}),
                         name_of);

}  // namespace
}  // namespace drover
