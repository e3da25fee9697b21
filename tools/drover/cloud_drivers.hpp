// The driver of a real cloud, made from the configuration.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "manager/adapters/http_client.hpp"
#include "manager/adapters/real_time.hpp"
#include "tools/drover/serve_config.hpp"

namespace drover::tools {

// ec2, openstack or opennebula: VMs cost money, and their agents run elsewhere.
bool is_real_cloud(const std::string& cloud);

struct CloudDriver {
  std::unique_ptr<Iaas> iaas;
  // What it found that would keep VMs like `spec` from coming up, one line each, with how to mend it. Lines
  // that begin with "ok: " tell what is well.
  std::function<void(const InstanceSpec& spec, Handler<std::vector<std::string>> handler)> check;
};

// `manager_url`: where VMs reach the API. Errors: invalid (a setting, by its key), unavailable (a secret or
// file that cannot be read).
Result<CloudDriver> make_driver(const ServeSettings& settings, const std::string& manager_url,
                                Scheduler& scheduler, HttpClient& client);

// What every VM is told, so that its agent starts and finds the manager. Errors: invalid (manager_url is no
// URL), unavailable (a file that cannot be read).
Result<std::string> user_data_of(const ServeSettings& settings, const std::string& manager_url,
                                 const Secret& token, std::uint16_t agent_port);

// Nanoseconds since 1970, of the system's clock.
TimePoint wall_time();

}  // namespace drover::tools
