// A real OpenStack that the environment names, as tests/clouds/openstack/run.sh does; without these variables
// the tests against one are skipped:
//   DROVER_OPENSTACK_AUTH_URL  "http://127.0.0.1:5000/v3"
//   DROVER_OPENSTACK_USER, _PASSWORD, _PROJECT, _IMAGE, _FLAVOR, _NETWORK
//   DROVER_OPENSTACK_VOLUMES   "1" where there is a Cinder
//   DROVER_OPENSTACK_SAMPLES   "1" for a cloud as openstack-up.sh makes it: ask the recorded samples, too
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <string>

#include "manager/adapters/openstack/openstack_cloud.hpp"
#include "manager/adapters/real_time.hpp"

namespace drover::test {

inline std::string variable(const char* name) {
  const char* value = std::getenv((std::string("DROVER_OPENSTACK_") + name).c_str());
  return value != nullptr ? value : "";
}

inline OpenStackConfig config_of_environment() {
  OpenStackConfig config;
  config.auth_url = variable("AUTH_URL");
  config.user = variable("USER");
  config.password = Secret{variable("PASSWORD")};
  config.project = variable("PROJECT");
  config.image = variable("IMAGE");
  config.flavor = variable("FLAVOR");
  config.network = variable("NETWORK");
  return config;
}

// Real sockets and real time.
class Outside {
 public:
  Outside()
      : client_(io_, domain_,
                [this](std::move_only_function<void()> input) { pump_.submit(std::move(input)); }, {}) {
    pump_.start();
  }
  ~Outside() {
    pump_.stop();
    domain_.kill();
  }
  bool run_until(const std::function<bool()>& done, Duration limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(50));
    }
    return done();
  }
  Result<http::Response> ask(const http::Url& url, http::Request request) {
    std::optional<Result<http::Response>> answer;
    pump_.submit([&] {
      client_.send(url, std::move(request), 1min, true,
                   [&](Result<http::Response> result) { answer.emplace(std::move(result)); });
    });
    run_until([&] { return answer.has_value(); }, 2min);
    if (!answer) return make_error(ErrorCode::timeout, "no answer");
    return *std::move(answer);
  }
  Scheduler& scheduler() { return scheduler_; }
  HttpClient& client() { return client_; }
  RealTimePump& pump() { return pump_; }

 private:
  asio::io_context io_{1};
  Scheduler scheduler_;
  Domain domain_{scheduler_};
  RealTimePump pump_{io_, scheduler_};
  NetHttpClient client_;
};

}  // namespace drover::test
