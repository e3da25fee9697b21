// An OpenStack of canned answers, for what real and mock ones do not do on demand.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "manager/adapters/openstack/openstack_cloud.hpp"

namespace drover::test {

// Answers by "METHOD /path" (without the query): what was queued first, then what is always answered.
class ScriptedClient : public HttpClient {
 public:
  explicit ScriptedClient(Scheduler& scheduler) : scheduler_(scheduler), domain_(scheduler) {}

  void send(const http::Url&, http::Request request, Duration, bool,
            Handler<http::Response> handler) override {
    const std::string key = request.method + " " + std::string(request.path());
    seen.push_back(std::move(request));
    std::optional<Result<http::Response>> result;
    if (auto queue = queued_.find(key); queue != queued_.end() && !queue->second.empty()) {
      result = std::move(queue->second.front());
      queue->second.pop_front();
    } else if (const auto found = always_.find(key); found != always_.end()) {
      result = found->second;
    } else {
      result = answer(404, R"({"itemNotFound": {"code": 404, "message": "no such thing"}})");
    }
    if (!*result && result->error().code == ErrorCode::timeout) {
      lost_.push_back(std::move(handler));  // never answered
      return;
    }
    scheduler_.call_after(domain_, 1ms,
                          [handler = std::move(handler), result = std::move(*result)]() mutable {
                            handler(std::move(result));
                          });
  }

  static http::Response answer(int status, std::string body, http::Fields fields = {}) {
    http::Response response;
    response.status = status;
    response.body = std::move(body);
    response.fields = std::move(fields);
    return response;
  }
  void always(const std::string& key, int status, std::string body, http::Fields fields = {}) {
    always_.insert_or_assign(key, answer(status, std::move(body), std::move(fields)));
  }
  void once(const std::string& key, int status, std::string body, http::Fields fields = {}) {
    queued_[key].push_back(answer(status, std::move(body), std::move(fields)));
  }
  void once(const std::string& key, Error error) { queued_[key].push_back(std::move(error)); }
  // How often it was asked.
  std::size_t count(const std::string& key) const {
    std::size_t found = 0;
    for (const auto& request : seen)
      found += request.method + " " + std::string(request.path()) == key ? 1 : 0;
    return found;
  }
  // The last request of this kind; fails the test when there is none.
  http::Request last(const std::string& key) const {
    for (auto request = seen.rbegin(); request != seen.rend(); ++request)
      if (request->method + " " + std::string(request->path()) == key) return *request;
    ADD_FAILURE() << key << " was never asked";
    return {};
  }

  std::vector<http::Request> seen;

 private:
  Scheduler& scheduler_;
  Domain domain_;
  std::map<std::string, std::deque<Result<http::Response>>> queued_;
  std::map<std::string, Result<http::Response>> always_;
  std::vector<Handler<http::Response>> lost_;
};

inline constexpr const char* kLogin = "POST /v3/auth/tokens";
inline constexpr const char* kCreate = "POST /compute/v2.1/servers";
inline constexpr const char* kDetail = "GET /compute/v2.1/servers/detail";
inline constexpr const char* kShow = "GET /compute/v2.1/servers/s-1";

// A driver in front of a scripted cloud in which everything is found.
class ScriptedOpenStack : public testing::Test {
 protected:
  ScriptedOpenStack() : client_(scheduler_) {
    config_.auth_url = "http://cloud/v3";
    config_.user = "demo";
    config_.project = "demo";
    config_.password = Secret{"top-secret"};
    log_in(std::chrono::hours(1));
    client_.always("GET /compute/v2.1/", 200, R"({"version": {"version": "2.93", "min_version": "2.1"}})");
    client_.always("GET /image/v2/images", 200,
                   R"({"images": [{"id": "image-1", "name": "debian", "status": "active"}]})");
    client_.always("GET /compute/v2.1/flavors/detail", 200, R"({"flavors": [{"id": "7", "name": "small"}]})");
    client_.always("GET /network/v2.0/networks", 200,
                   R"({"networks": [{"id": "network-1", "name": "private"}]})");
    client_.always(kDetail, 200, R"({"servers": []})");
    client_.always(kCreate, 202, R"({"server": {"id": "s-1"}})");
  }

  void log_in(Duration lifetime, const std::string& volume_url = "http://cloud/volume/v3/p") {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(lifetime).count();
    const std::string hour = std::to_string(10 + minutes / 60), minute = std::to_string(10 + minutes % 60);
    std::string catalogue;
    const auto add = [&](const std::string& type, const std::string& url) {
      catalogue += std::string(catalogue.empty() ? "" : ", ") + R"({"type": ")" + type +
                   R"(", "endpoints": [{"interface": "admin", "region_id": "R", "url": "http://admin/"}, )" +
                   R"({"interface": "public", "region_id": "R", "url": ")" + url + R"("}]})";
    };
    add("compute", "http://cloud/compute/v2.1");
    add("image", "http://cloud/image");
    add("network", "http://cloud/network");
    if (!volume_url.empty()) add("volumev3", volume_url);
    client_.always(
        kLogin, 201,
        R"({"token": {"issued_at": "2026-11-26T10:10:00.000000Z", "expires_at": "2026-11-26T)" + hour + ":" +
            minute + R"(:00.000000Z", "user": {"name": "demo"}, "project": {"name": "demo"}, "catalog": [)" +
            catalogue + "]}}",
        {{"X-Subject-Token", "token-1"}});
  }

  OpenStackCloud& driver() {
    if (!driver_) driver_ = std::make_unique<OpenStackCloud>(scheduler_, client_, config_);
    return *driver_;
  }
  // One call, and time until it is answered.
  template <class T, class Start>
  Result<T> ask(Start start, Duration timeout = 10s) {
    const CallContext context{"node-1", timeout};
    auto result = std::make_shared<std::optional<Result<T>>>();
    start(driver(), context, Handler<T>([result](Result<T> answer) { result->emplace(std::move(answer)); }));
    scheduler_.run_until(scheduler_.now() + timeout + 1s);
    if (!result->has_value()) return make_error(ErrorCode::unknown, "the handler was never called");
    return std::move(**result);
  }
  Result<InstanceInfo> create(const std::string& token = "t-1", Duration timeout = 10s) {
    return create(spec_, token, timeout);
  }
  Result<InstanceInfo> create(const InstanceSpec& spec, const std::string& token, Duration timeout = 10s) {
    return ask<InstanceInfo>(
        [&](Iaas& iaas, const CallContext& context, Handler<InstanceInfo> handler) {
          iaas.newInstance(context, spec, token, std::move(handler));
        },
        timeout);
  }
  Result<InstanceInfo> show(const std::string& id = "s-1") {
    return ask<InstanceInfo>([&](Iaas& iaas, const CallContext& context, Handler<InstanceInfo> handler) {
      iaas.getVMInfo(context, id, std::move(handler));
    });
  }
  Result<void> kill(const std::string& id = "s-1") {
    return ask<void>([&](Iaas& iaas, const CallContext& context, Handler<void> handler) {
      iaas.killInstance(context, id, std::move(handler));
    });
  }
  Result<std::vector<InstanceInfo>> list() {
    return ask<std::vector<InstanceInfo>>(
        [&](Iaas& iaas, const CallContext& context, Handler<std::vector<InstanceInfo>> handler) {
          iaas.listVMs(context, {}, {}, std::move(handler));
        });
  }
  // A server as Nova shows it, with `more` members.
  static std::string server(const std::string& id, const std::string& more = R"("status": "ACTIVE")") {
    return R"({"id": ")" + id +
           R"(", "name": "one", "created": "2026-11-26T10:10:05Z", "image": {"id": "image-1"}, )" +
           R"("flavor": {"original_name": "small"}, )" + more + "}";
  }

  Scheduler scheduler_;
  ScriptedClient client_;
  OpenStackConfig config_;
  std::unique_ptr<OpenStackCloud> driver_;
  InstanceSpec spec_{"one", "debian", "small", "private", "#!/bin/sh\n", {{kServiceTag, "s"}}};
};

}  // namespace drover::test
