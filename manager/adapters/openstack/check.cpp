#include "manager/adapters/openstack/check.hpp"

namespace drover::openstack {
namespace {

void add(std::vector<std::string>& lines, const Result<std::string>& found, const char* what,
         const std::string& name, const char* mend) {
  if (found)
    lines.push_back(std::string("ok: the ") + what + " \"" + name + "\" is " + found.value());
  else
    lines.push_back(std::string("problem: ") + what + " \"" + name + "\": " + found.error().message + "; " +
                    mend);
}

Task<void> check_key(Session& session, std::vector<std::string>& lines, const Budget& budget) {
  const std::string& name = session.config().key_name;
  ServiceCall call;
  call.path = "/os-keypairs/" + http::percent_encode(name);
  Result<http::Response> answer = co_await session.succeed(call, budget);
  if (answer)
    lines.push_back("ok: the key pair \"" + name + "\" exists");
  else
    lines.push_back("problem: key pair \"" + name + "\": " + answer.error().message +
                    "; create it with `openstack keypair create`, or correct openstack.key_name");
}

Task<void> check_quota(Session& session, std::vector<std::string>& lines, const Budget& budget) {
  ServiceCall call;
  call.path = "/limits";
  Result<http::Response> answer = co_await session.succeed(call, budget);
  if (!answer) {
    lines.push_back("problem: compute does not tell its limits: " + answer.error().message);
    co_return;
  }
  const auto body = parse_json(answer.value().body);
  const Json limits = body ? at(at(*body, "limits"), "absolute") : Json();
  const Json &most = at(limits, "maxTotalInstances"), &used = at(limits, "totalInstancesUsed");
  if (!most.is_number_integer() || !used.is_number_integer()) co_return;
  const long most_count = most.get<long>(), used_count = used.get<long>();
  const std::string text = std::to_string(used_count) + " instances of " +
                           (most_count < 0 ? std::string("unlimited") : std::to_string(most_count)) +
                           " are in use";
  if (most_count >= 0 && used_count >= most_count)
    lines.push_back("problem: " + text + "; delete some or ask for a higher quota");
  else
    lines.push_back("ok: " + text);
}

}  // namespace

Task<std::vector<std::string>> check(Session& session, Names& names, const Budget& budget) {
  std::vector<std::string> lines;
  const OpenStackConfig& config = session.config();
  Result<void> opened = co_await session.open(budget);
  if (!opened) {
    lines.push_back("problem: " + opened.error().message +
                    "; see openstack.auth_url, user, project and password, " +
                    "and try the same with `openstack token issue`");
    co_return lines;
  }
  lines.push_back("ok: logged in at " + config.auth_url + " as \"" + session.user() + "\"" +
                  (session.project().empty() ? "" : " in the project \"" + session.project() + "\"") +
                  "; the token is good for " +
                  std::to_string(std::chrono::floor<std::chrono::minutes>(session.token_left()).count()) +
                  " minutes");
  if (session.project().empty())
    lines.push_back("problem: the login is in no project, so there are no services; set openstack.project");
  for (const Service service : {Service::compute, Service::image, Service::network, Service::volume}) {
    const std::string what = to_text(service);
    if (session.has(service))
      lines.push_back("ok: " + what + " at " + session.endpoint(service));
    else if (service == Service::volume)
      lines.push_back("ok: no volume service; volumes cannot be used here");
    else
      lines.push_back("problem: the catalogue has no " + what + " service with the interface \"" +
                      config.interface +
                      "\"; see `openstack catalog list`, openstack.region and openstack.interface");
  }
  if (!session.has(Service::compute)) co_return lines;
  if (session.minor_max() < 37)
    lines.push_back("problem: compute speaks microversion 2." + std::to_string(session.minor_max()) +
                    "; drover is tested from 2.37 (OpenStack Newton, 2016) on; upgrade the cloud");
  else
    lines.push_back("ok: compute speaks microversion 2." + std::to_string(session.minor_max()) + "; 2." +
                    std::to_string(session.minor()) + " is used");
  if (!config.image.empty()) {
    Result<std::string> found = co_await names.image(config.image, budget);
    add(lines, found, "image", config.image,
        "correct openstack.image, or upload it with `openstack image create`");
  }
  if (!config.flavor.empty()) {
    Result<std::string> found = co_await names.flavor(config.flavor, budget);
    add(lines, found, "flavor", config.flavor, "correct openstack.flavor");
  }
  if (!config.network.empty() && config.network != "auto" && config.network != "none") {
    Result<std::string> found = co_await names.network(config.network, budget);
    add(lines, found, "network", config.network,
        "correct openstack.network, or make it with `openstack network create`");
  }
  if (!config.key_name.empty()) co_await check_key(session, lines, budget);
  co_await check_quota(session, lines, budget);
  co_return lines;
}

}  // namespace drover::openstack
