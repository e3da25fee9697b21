#include "tools/drover/run_cloud.hpp"

#include <sys/random.h>

#include <filesystem>

#include "tools/drover/cloud_drivers.hpp"
#include "tools/drover/serve_config.hpp"

namespace drover::tools {
namespace {

Result<std::string> random_digits(std::size_t bytes) {
  std::string raw(bytes, '\0');
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size()))
    return make_error(ErrorCode::unavailable, "the system gives no random numbers");
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace

Result<std::string> new_run_name() {
  DROVER_TRY(const std::string digits, random_digits(4));
  return "drover-run-" + digits;
}

Result<scenario::CloudPlace> open_cloud_place(const std::string& config) {
  if (config.empty())
    return make_error(
        ErrorCode::invalid,
        "--world cloud needs --config FILE: a configuration of drover serve with cloud: ec2, openstack or "
        "opennebula (docs/real-clouds.md)");
  ServeOptions options;
  options.config = config;
  DROVER_TRY(const ServeSettings settings, read_serve_settings(options));
  if (!is_real_cloud(settings.cloud))
    return make_error(ErrorCode::invalid,
                      config + ": cloud: " + settings.cloud +
                          " is no real cloud; --world cloud runs on ec2, openstack or opennebula");
  const std::string url = settings.clouds.nodes.manager_url;
  if (url.empty())
    return make_error(ErrorCode::invalid,
                      config +
                          ": nodes.manager_url is missing: VMs find the address to listen on by the way "
                          "to this machine, so give a URL of it that they can reach");
  scenario::CloudPlace place;
  place.cloud = settings.cloud;
  place.make_driver = [settings, url](Scheduler& scheduler,
                                      HttpClient& client) -> Result<std::unique_ptr<Iaas>> {
    DROVER_TRY(CloudDriver driver, make_driver(settings, url, scheduler, client));
    return std::move(driver.iaas);
  };
  // A secret that is missing is told now, not by every run.
  {
    asio::io_context io;
    Scheduler scheduler;
    Domain domain(scheduler);
    NetHttpClient client(io, domain, [](std::move_only_function<void()> input) { input(); }, {});
    DROVER_TRY(place.make_driver(scheduler, client));
  }
  place.instance = vm_of(settings.cloud, settings.clouds, settings.manager.instance);
  place.agent_port = settings.manager.agent_port;
  place.ca_file = settings.clouds.ca_file;
  DROVER_TRY(place.agent_token, read_secret(settings.clouds.nodes.token, "nodes.token"));
  if (place.agent_token.value.empty()) {
    DROVER_TRY(place.agent_token.value, random_digits(32));
  }
  DROVER_TRY(place.instance.user_data, user_data_of(settings, url, place.agent_token, place.agent_port));
  DROVER_TRY(const std::string digits, random_digits(8));
  std::error_code error;
  const auto folder = std::filesystem::temp_directory_path(error) / ("drover-cloud-" + digits);
  if (error || !std::filesystem::create_directory(folder, error))
    return make_error(ErrorCode::unavailable, folder.string() + ": cannot be made: " + error.message());
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  place.folder = folder.string();
  return place;
}

}  // namespace drover::tools
