#include "tests/contract/iaas_contract.hpp"

#include "tests/cloud/cloud_stage.hpp"

namespace drover {
namespace {

class CloudStage : public IaasStage {
 public:
  explicit CloudStage(cloud::CloudConfig config) : stage_(std::move(config)) {}
  Iaas& iaas() override { return *stage_.cloud; }
  bool run_until(const std::function<bool()>& done, Duration limit) override {
    const TimePoint end = stage_.scheduler.now() + limit;
    while (!done())
      if (!stage_.scheduler.run_one(end)) {
        stage_.scheduler.run_until(end);
        return done();
      }
    return true;
  }
  InstanceSpec spec(const std::string& name, const std::string& service) override {
    return {name, "debian-12-drover", "small", "default", "", {{kServiceTag, service}}};
  }

 private:
  cloud::Stage stage_;
};

std::unique_ptr<IaasStage> make_plain() { return std::make_unique<CloudStage>(cloud::CloudConfig{}); }

std::unique_ptr<IaasStage> make_lagging() {
  cloud::CloudConfig config;
  config.list_lag = Distribution::uniform(0s, 20s);
  config.address_delay = Distribution::exponential(30s);
  return std::make_unique<CloudStage>(config);
}

INSTANTIATE_TEST_SUITE_P(MockCloud, IaasContract,
                         testing::Values(IaasUnderTest{"Plain", make_plain},
                                         IaasUnderTest{"Lagging", make_lagging}),
                         name_of);

}  // namespace
}  // namespace drover
