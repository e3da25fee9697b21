// A driver in front of a client that says what it is told to, and remembers what it was asked.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "manager/adapters/ec2/ec2_cloud.hpp"
#include "manager/system/aws_signature.hpp"

namespace drover::test {

// Answers in the order of the script, each after its delay; without a script never.
class ScriptedClient final : public HttpClient {
 public:
  explicit ScriptedClient(Scheduler& scheduler) : scheduler_(scheduler) {}

  struct Sent {
    http::Url url;
    http::Request request;
    http::Fields form;
    bool repeatable = false;
    TimePoint at{};
    std::string value(std::string_view name) const {
      for (const auto& [known, value] : form)
        if (known == name) return value;
      return {};
    }
  };

  void send(const http::Url& url, http::Request request, Duration, bool repeatable,
            Handler<http::Response> handler) override {
    Sent entry{url, request, http::parse_form(request.body).value_or(http::Fields{}), repeatable,
               scheduler_.now()};
    sent.push_back(std::move(entry));
    if (script.empty()) {
      unanswered_.push_back(std::move(handler));
      return;
    }
    auto [delay, answer] = std::move(script.front());
    script.pop_front();
    scheduler_.call_at(
        domain_, scheduler_.later(delay),
        [handler = std::move(handler), answer = std::move(answer)]() mutable { handler(std::move(answer)); });
  }

  void say(int status, const std::string& body, http::Fields fields = {}, Duration delay = 10ms) {
    http::Response response;
    response.status = status;
    response.fields = std::move(fields);
    response.body = body;
    script.emplace_back(delay, std::move(response));
  }
  void refuse(int status, const std::string& code, http::Fields fields = {}) {
    say(status,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>" + code +
            "</Code><Message>about it</Message></Error></Errors><RequestID>r</RequestID></Response>",
        std::move(fields));
  }
  void fail(ErrorCode code, Effect effect) {
    script.emplace_back(10ms, make_error(code, "the connection is gone", effect));
  }

  std::deque<std::pair<Duration, Result<http::Response>>> script;
  std::vector<Sent> sent;

 private:
  Scheduler& scheduler_;
  Domain domain_{scheduler_};
  std::vector<Handler<http::Response>> unanswered_;
};

inline std::string instance_item(const std::string& id, int state = 16, const std::string& rest = "",
                                 const std::string& launched = "2026-11-26T16:00:48.000Z") {
  return "<item><instanceId>" + id + "</instanceId><imageId>ami-1</imageId><instanceState><code>" +
         std::to_string(state) + "</code></instanceState><instanceType>t3.small</instanceType><launchTime>" +
         launched + "</launchTime>" + rest + "</item>";
}

inline std::string listing(const std::string& items, const std::string& next = "") {
  return "<DescribeInstancesResponse "
         "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>"
         "<reservationSet><item><reservationId>r-1</reservationId><instancesSet>" +
         items + "</instancesSet></item></reservationSet>" +
         (next.empty() ? std::string() : "<nextToken>" + next + "</nextToken>") +
         "</DescribeInstancesResponse>";
}

inline std::string launched(const std::string& item) {
  return "<RunInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instancesSet>" + item +
         "</instancesSet></RunInstancesResponse>";
}

class Ec2Driver : public testing::Test {
 protected:
  static Ec2Config config() {
    Ec2Config config;
    config.endpoint = "http://127.0.0.1:4566";
    config.region = "eu-north-1";
    config.credentials = {"drover", "drover-secret", ""};
    return config;
  }
  void use(Ec2Config config) {
    cloud_ = std::make_unique<Ec2Cloud>(scheduler_, client_, std::move(config), [this] {
      return *aws::parse_amz_date("20261126T160048Z") + scheduler_.now().time_since_epoch();
    });
  }
  Ec2Cloud& cloud() {
    if (!cloud_) use(config());
    return *cloud_;
  }
  static InstanceSpec spec() {
    InstanceSpec spec;
    spec.name = "db-node-1";
    spec.image = "ami-1";
    spec.size = "t3.small";
    spec.network = "default";
    spec.tags = {{kServiceTag, "db"}, {kNodeTag, "node-1"}};
    return spec;
  }

  template <class T, class Start>
  Result<T> ask(Start start) {
    std::optional<Result<T>> answer;
    start(Handler<T>([&](Result<T> result) { answer.emplace(std::move(result)); }));
    scheduler_.run_until(scheduler_.later(std::chrono::hours(1)));
    if (!answer) return make_error(ErrorCode::unknown, "never answered");
    return *std::move(answer);
  }
  Result<InstanceInfo> create(const InstanceSpec& wanted, const std::string& token = "db:node-1.1") {
    return ask<InstanceInfo>(
        [&](auto handler) { cloud().newInstance(context_, wanted, token, std::move(handler)); });
  }
  Result<void> kill(const std::string& id) {
    return ask<void>([&](auto handler) { cloud().killInstance(context_, id, std::move(handler)); });
  }
  Result<InstanceInfo> look_up(const std::string& id) {
    return ask<InstanceInfo>([&](auto handler) { cloud().getVMInfo(context_, id, std::move(handler)); });
  }
  Result<std::vector<InstanceInfo>> list(const std::string& key = kServiceTag) {
    return ask<std::vector<InstanceInfo>>(
        [&](auto handler) { cloud().listVMs(context_, key, "db", std::move(handler)); });
  }

  Scheduler scheduler_;
  ScriptedClient client_{scheduler_};
  CallContext context_{"node-1", 30s};
  std::unique_ptr<Ec2Cloud> cloud_;
};

}  // namespace drover::test
