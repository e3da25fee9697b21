// A mock cloud behind its OpenStack face, with the driver's configuration for it.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "manager/adapters/openstack/openstack_cloud.hpp"
#include "mockcloud/wire/openstack/openstack_face.hpp"
#include "tests/support/wired_cloud.hpp"

namespace drover::test {

// The catalogue of the recording.
inline cloud::CloudConfig recorded_cloud() {
  cloud::CloudConfig config;
  config.images = {"tiny"};
  config.sizes = {"m1.tiny", "m1.small", "m1.large"};
  config.networks = {"private"};
  return config;
}

class WiredOpenStack : public WiredCloud {
 public:
  explicit WiredOpenStack(cloud::CloudConfig config = recorded_cloud(),
                          const std::function<std::unique_ptr<Iaas>(Iaas&)>& calls_through = nullptr)
      : WiredCloud([](wire::Backend& backend) { return std::make_unique<wire::OpenStackFace>(backend); },
                   std::move(config), settings(), calls_through) {}

  static wire::Settings settings() {
    wire::Settings settings;
    settings.accounts = {wire::Account{"demo", Secret{"demopw"}}};
    settings.project = "demo";
    return settings;
  }
  std::string auth_url() const { return "http://127.0.0.1:" + std::to_string(port()) + "/identity/v3"; }
  void pass(Duration time) {
    run_until([] { return false; }, time);
  }
  OpenStackConfig driver_config() const {
    OpenStackConfig config;
    config.auth_url = auth_url();
    config.user = config.project = "demo";
    config.password = Secret{"demopw"};
    config.image = "tiny";
    config.flavor = "m1.tiny";
    config.network = "private";
    return config;
  }
};

}  // namespace drover::test
